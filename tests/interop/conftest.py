"""What the tests with real servers and real clients share: gateways with a policy of their own, and workstations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.approving import Desk
from tests.e2e.investigating import listed
from tests.interop.serving import Server, Workstation
from tests.provider import Provider
from tests.running import Running, free_port

HEAD = """
[gateway]
listen = "127.0.0.1:@PORT@"
trusted_ca = "@CA@"
drain_seconds = 5
@GATEWAY@

[identity]
issuer = "@ISSUER@"

[console]
listen = "127.0.0.1:@CONSOLE@"
"""

PROXY = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
AUTHORITIES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)


@dataclass
class Gate(Running):
    """A gateway with a policy of its own: `policy` is everything but [gateway], [identity] and [console]."""

    policy: str = ""
    provider: Provider | None = None

    def write_policy(self) -> Path:
        head = HEAD
        for name, value in {
            "PORT": self.port, "CONSOLE": self.console, "CA": self.ca, "ISSUER": self.issuer, "GATEWAY": self.gateway,
        }.items():  # fmt: skip
            head = head.replace(f"@{name}@", str(value))
        path = self.folder / "policy.toml"
        path.write_text(head + self.policy)
        return path

    def start(self) -> Running:
        """Start and wait until it serves; beside large servers that can take its time."""
        self.launch()
        self.wait_for("gateway on", 120)
        if self.with_console:
            self.wait_for("console on", 60)
        return self

    def workstation(self, person: str = "ada", **variables: str) -> Workstation:
        """A terminal of one of the demo's people, set up as docs/workstation.md says."""
        assert self.provider is not None
        folder = self.folder / f"home-{person}"
        folder.mkdir(exist_ok=True)
        proxy = f"http://{person}:{self.provider.token(person)}@127.0.0.1:{self.port}"
        return Workstation(
            folder,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LANG": "C.UTF-8",
                **dict.fromkeys(PROXY, proxy),
                **dict.fromkeys(AUTHORITIES, str(self.gateway_ca)),
                **variables,
            },
        )

    @property
    def desk(self) -> Desk:
        """Its console, for approvers; the gateway has to be made with `with_console=True`."""
        assert self.provider is not None
        return Desk(self, self.provider)

    def approve(self, rule: str, person: str = "linus") -> None:
        """Approve what that rule holds. Raises AssertionError unless it is one request, and the person may decide it."""
        held = self.desk.listed(person)
        pending = [approval for approval in held if approval["state"] == "pending" and rule in approval["rules"]]
        assert len(pending) == 1 and pending[0]["may_decide"], pending
        self.desk.approve(pending[0]["code"], person)

    def recorded(self) -> list[dict[str, Any]]:
        """Every exchange that it recorded, oldest first."""
        return sorted(listed(self).exchanges, key=lambda exchange: exchange["started"])


MakeGate = Callable[..., Any]


@pytest.fixture(scope="module")
def make_gate(provider, certs) -> MakeGate:
    """Makes gateways to use in a `with`: `make_gate(folder, policy, **fields of Running)`."""

    @contextmanager
    def made(folder: Path, policy: str, **changes: Any) -> Iterator[Gate]:
        gate = Gate(
            **{"folder": folder, "issuer": provider.issuer, "ca": certs.ca, "hosts": [], "policy": policy,
               "provider": provider, **changes}
        )  # fmt: skip
        with gate:
            yield gate
        assert "Traceback" not in "\n".join(gate.lines), "\n".join(gate.lines)

    return made


@pytest.fixture(scope="module")
def make_server() -> Iterator[Callable[..., Server]]:
    """Starts servers that end with the module: `make_server(lambda port: [command, ...], folder, **environment)`."""
    with ExitStack() as stack:

        def start(command: Callable[[int], list[str]], folder: Path, **environment: str) -> Server:
            port = free_port()
            return stack.enter_context(Server(command(port), port, folder, environment))

        yield start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Installing an environment and starting a server take their time."""
    for item in items:
        if "interop" in item.path.parts:
            item.add_marker(pytest.mark.timeout(1800 if item.get_closest_marker("interop") else 300))
