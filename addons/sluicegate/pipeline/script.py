"""What `mitmdump -s addons/gateway.py` calls: it installs the pipeline once, and holds no logic of its own."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from weakref import WeakSet

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.master import Master

from sluicegate.errors import Fault

_installed: WeakSet[Master] = WeakSet()


def load(loader: Loader) -> None:
    """mitmproxy's load hook: the two options."""
    loader.add_option("sluicegate_policy", str, "", "Sluicegate: the policy file (policy.toml).")
    loader.add_option("sluicegate_state", str, "", "Sluicegate: the state folder; .sluicegate beside the policy.")


def configure(updated: set[str]) -> None:
    """mitmproxy's configure hook: installs once. A reload of the script, or its removal, changes nothing."""
    if ctx.master in _installed:
        return
    _installed.add(ctx.master)  # before installing, because that sets options and so comes back here
    try:
        _install()
    except Exception as error:
        # Only an exit is safe here: mitmdump would log the error, listen, and only then look whether there was one.
        if not isinstance(error, Fault | exceptions.OptionsError):
            traceback.print_exception(error)
        print(f"sluicegate: {error}", file=sys.stderr)
        sys.exit(2)


def _install() -> None:
    # What was loaded so far is small, so that whoever cannot start is told at once.
    from sluicegate.pipeline import options

    options.check(ctx.options, imposed=False)
    if not ctx.options.sluicegate_policy:
        raise Fault("Sluicegate needs a policy.", hint="Add --set sluicegate_policy=policy.toml.")
    from sluicegate.pipeline.install import check_surroundings, deaf, install

    check_surroundings(ctx.master)
    # mitmdump tries to listen before it loads a script, and serves nobody in between.
    wanted = f"{ctx.options.listen_host or '*'}:{ctx.options.listen_port or 8080}"
    fault = deaf(ctx.master.addons.get("proxyserver"), wanted, tried=False)
    if fault is not None:
        raise fault
    from sluicegate.pipeline.check import load_checked
    from sluicegate.settings import State

    policy = Path(ctx.options.sluicegate_policy)
    loaded = load_checked(policy)
    if not _as_the_policy_says(wanted, loaded.settings.gateway.listen):
        host, _, port = loaded.settings.gateway.listen.rpartition(":")
        said = f"mitmdump listens on {wanted}, and the policy says {loaded.settings.gateway.listen}"
        print(f"sluicegate: {said} (add --listen-host {host.strip('[]')} -p {port})", file=sys.stderr)
    if loaded.settings.gateway.workers > 1:
        print("sluicegate: mitmdump is one process; `workers` is for `sluicegate up`", file=sys.stderr)
    from sluicegate.pipeline import authority, constraints
    from sluicegate.pipeline.order import build

    state = State(Path(ctx.options.sluicegate_state)) if ctx.options.sluicegate_state else State.beside(policy)
    gateway = build(loaded, state.open())
    if ctx.options.confdir not in ("~/.mitmproxy", str(state.ca)):
        raise Fault(
            "Sluicegate signs with its own authority, and the option confdir names another.",
            hint="Leave confdir out; `sluicegate ca show` tells where it is kept.",
        )
    authority.prepare(state.ca, constraints.of_policy(loaded.settings))
    ctx.options.update(**authority.options(state.ca))  # one authority, whichever way the gateway starts
    install(ctx.master, gateway)


def _as_the_policy_says(wanted: str, listen: str) -> bool:
    """Whether mitmdump was told to listen where the policy has the gateway listen. `*` is every address."""
    host, _, port = listen.rpartition(":")
    every = host in ("0.0.0.0", "[::]")  # noqa: S104 - it is only compared
    return wanted == f"{'*' if every else host.strip('[]')}:{port}"
