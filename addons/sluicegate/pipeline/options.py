"""mitmproxy's options, as far as they could let traffic round the pipeline: what is set, and what is refused."""

from __future__ import annotations

from typing import Any

from mitmproxy import exceptions
from mitmproxy.options import Options

SET: dict[str, Any] = {
    "connection_strategy": "lazy",  # eager dials the service before any verdict
    "rawtcp": False,
    "websocket": False,
    "http3": False,
    "validate_inbound_headers": True,
    "ssl_insecure": False,
    "onboarding": False,
    "keep_host_header": False,
    "request_client_cert": False,
    "flow_detail": 0,  # mitmdump's own lines show targets, and a target may hold a secret
}
"""Values that the pipeline needs; a later change of one of them is refused."""

EMPTY = (
    "ignore_hosts",
    "allow_hosts",
    "tcp_hosts",
    "udp_hosts",
    "stream_large_bodies",
    "store_streamed_bodies",
    "map_remote",
    "map_local",
    "modify_headers",
    "modify_body",
    "block_list",
    "server_replay",
    "client_replay",
    "stickyauth",
    "stickycookie",
    "proxyauth",
    "upstream_auth",
    "save_stream_file",
    "hardump",
    "proxy_debug",
    "show_ignored_hosts",
    "add_upstream_certs_to_client_chain",
    "certs",
)
"""Options that take hosts out of the gate, change messages behind it, or write what it has not masked."""

MODES = ("regular", "transparent")


def impose(options: Options, max_body_bytes: int, trusted_ca: str | None) -> None:
    """Set what the pipeline needs. Raises OptionsError when something else is set that opens a way round."""
    check(options, imposed=False)
    wanted = {**SET, "body_size_limit": str(max_body_bytes)}
    if trusted_ca is not None:
        wanted["ssl_verify_upstream_trusted_ca"] = trusted_ca
    options.update(**{name: value for name, value in wanted.items() if name in options})


def check(options: Options, *, imposed: bool = True) -> None:
    """Raise OptionsError for any option that opens a way round the pipeline."""
    for name in EMPTY:
        if name in options and getattr(options, name):
            raise exceptions.OptionsError(f"Sluicegate does not run with the option {name}: it opens a way round it.")
    for mode in options.mode:
        if mode.split("@")[0] not in MODES:
            raise exceptions.OptionsError(f"Sluicegate does not run in mode {mode!r}; it knows {' and '.join(MODES)}.")
    if "flow_detail" in options and options.flow_detail > 1:
        raise exceptions.OptionsError("Sluicegate does not run with flow_detail over 1: it prints headers.")
    if imposed:
        for name, value in SET.items():
            if name in options and getattr(options, name) != value:
                raise exceptions.OptionsError(f"Sluicegate needs the option {name} to stay {value!r}.")
        if not options.body_size_limit:
            raise exceptions.OptionsError("Sluicegate needs the option body_size_limit.")
