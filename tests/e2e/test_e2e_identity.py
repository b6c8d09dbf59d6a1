"""Who asks, through a running gateway and its console: handles, their end, client certificates, and a machine's job."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from demo.people import CLIENT, PEOPLE
from tests.identity import test_identity_certificates as made
from tests.origin import Origin, json_response

MORE = """
[datasets.payroll]
service = "chunks"
columns = { id = "plain", salary = "plain" }

[jobs.nightly]
dataset = "payroll"
columns = ["id"]
who = ["machine:nightly-embeddings"]
bound = ["machine:nightly-embeddings"]

[[rules]]
id = "payroll-needs-a-certificate"
effect = "deny"
dataset = ["payroll"]
assurance_below = "bound"
who = ["kind:person"]
reason = "Payroll is read with a certificate of the workstation."

[[rules]]
id = "machines-read"
effect = "allow"
dataset = ["payroll"]
kind = ["read"]
who = ["machine:nightly-embeddings"]
"""


class Authority(made.Authority):
    """The authority of the other tests, good today."""

    def __init__(self) -> None:
        made.NOW, before = time.time(), made.NOW
        try:
            super().__init__("Acme Workstations")
        finally:
            made.NOW = before

    def files(self, folder: Path, common: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        made.NOW, before = time.time(), made.NOW
        try:
            certificate = self.issue(common, key=key, names=())
        finally:
            made.NOW = before
        paths = folder / f"{common}.crt", folder / f"{common}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        paths[1].write_bytes(private)
        return paths


@pytest.fixture(scope="module")
def site(gateway: Any, certs: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder, authority = tmp_path_factory.mktemp("gate"), Authority()
    origin = Origin(certs.service, lambda request: json_response(b'{"rows":[{"id":1}]}'))
    ca = authority.pem(folder)
    identity = f'client_ca = "{ca}"\ngateway_address = "localhost:8080"'
    hosts = [f"localhost:{origin.port}"]
    with gateway(folder, hosts, more=MORE, identity=identity, with_console=True) as running:
        running.origin, running.authority = origin, authority
        yield running
    origin.close()


def curl(site: Any, credential: str, path: str = "customers/chunks/1?columns=id", *more: str) -> tuple[int, str]:
    """Status and body of a chunk, asked for with curl."""
    scheme = "https" if "--proxy-cert" in more else "http"
    done = subprocess.run(
        [
            "curl", "--silent", "--show-error", "--max-time", "60", "--cacert", str(site.gateway_ca),
            "--proxy", f"{scheme}://localhost:{site.port}", "--proxy-user", f"x:{credential}",
            "--proxy-cacert", str(site.gateway_ca), "--write-out", "\n%{http_code}", *more,
            f"https://localhost:{site.origin.port}/datasets/{path}",
        ],
        capture_output=True, text=True, timeout=90, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    body, _, code = done.stdout.rpartition("\n")
    assert done.returncode == 0, done.stderr
    return int(code), body


def console(site: Any, method: str, path: str, credential: str | None = None, body: Any = None) -> Any:
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    with httpx2.Client(trust_env=False, timeout=60) as client:
        return client.request(method, f"http://127.0.0.1:{site.console}{path}", headers=headers, json=body).json()


def signed_in(site: Any, provider: Any, person: str = "ada") -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": provider.issuer, "sub": person, "aud": CLIENT, "iat": now, "exp": now + 600,
        "name": PEOPLE[person].name, "groups": list(PEOPLE[person].groups), "jti": str(time.monotonic_ns()),
    }  # fmt: skip
    found: dict[str, Any] = console(site, "POST", "/api/sign-in", body={"id_token": provider.state.keys.sign(claims)})
    return found


def test_a_handle_from_the_console_is_taken_by_the_gateway_until_it_ends(site: Any, provider: Any) -> None:
    begun = signed_in(site, provider)
    handle, session = begun["handle"], begun["session"]["id"]
    assert begun["gateway"] == "localhost:8080"
    assert curl(site, handle) == (200, '{"rows":[{"id":1}]}')
    changed = handle[:-1] + ("0" if handle[-1] != "0" else "1")
    code, body = curl(site, changed)
    assert code == 511 and "handle-malformed" in body and changed not in body
    ended = console(site, "POST", f"/api/sessions/{session}/end", handle, {})
    at = time.monotonic()
    assert ended["ended_why"] == "logout"
    while (answer := curl(site, handle))[0] == 200:
        assert time.monotonic() - at < 60
    assert answer[0] == 511 and json.loads(answer[1])["type"] == "urn:sluicegate:session-logout"
    kept = b"".join(path.read_bytes() for path in site.state.rglob("*") if path.is_file())
    assert session.encode() in kept and handle.encode() not in kept and handle[4:30].encode() not in kept


@pytest.mark.parametrize(
    "password", ["x" * 20_000, "sl\u00efce", "slg_" + "A" * 49], ids=["long", "not ascii", "no handle"]
)
def test_what_is_no_credential_is_refused_with_a_sentence(site: Any, password: str) -> None:
    code, body = curl(site, password)
    document = json.loads(body)
    assert code == 511 and document["detail"] and document["next_step"]
    assert password not in body


def test_a_certificate_makes_it_bound(site: Any, provider: Any, tmp_path: Path) -> None:
    handle = signed_in(site, provider)["handle"]
    code, body = curl(site, handle, "payroll/chunks/1?columns=id")
    assert code == 403 and "certificate of the workstation" in body
    crt, key = site.authority.files(tmp_path, "ada")
    shown = ("--proxy-cert", str(crt), "--proxy-key", str(key))
    code, body = curl(site, handle, "payroll/chunks/1?columns=id", *shown)
    assert code == 200, body
    crt, key = site.authority.files(tmp_path, "linus")
    code, body = curl(site, handle, "payroll/chunks/1?columns=id", "--proxy-cert", str(crt), "--proxy-key", str(key))
    assert code == 403 and "credential-mismatch" in body
    crt, key = Authority().files(tmp_path, "ada")
    code, body = curl(site, handle, "payroll/chunks/1?columns=id", "--proxy-cert", str(crt), "--proxy-key", str(key))
    assert code == 511 and "certificate-untrusted" in body


def test_tls_to_the_proxy_is_taken_up_again(site: Any, tmp_path: Path) -> None:
    """OpenSSL breaks off clients that take a session up again, when it asks for certificates and is not set up for it."""
    crt, key = site.authority.files(tmp_path, "ada")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=str(site.gateway_ca))
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(crt, key)
        session = None
        for _ in range(3):
            with (
                socket.create_connection(("127.0.0.1", site.port), 60) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
            ):
                tls.sendall(b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
                assert tls.recv(4096).startswith(b"HTTP/1.1 4")
                session = tls.session


def test_a_machine_works_within_its_job(site: Any, provider: Any) -> None:
    token = provider.token("nightly-embeddings", client_id="nightly-embeddings", groups=[], sid="machine")
    assert curl(site, token, "payroll/chunks/1?columns=id")[0] == 200
    code, body = curl(site, token, "payroll/chunks/1?columns=salary")
    assert code == 403 and "nightly" in body
    # A person who is called like the machine is not the machine.
    person = provider.token("nightly-embeddings", groups=[], sid="person")
    assert curl(site, person, "payroll/chunks/1?columns=id")[0] == 403


def test_the_clock_of_the_provider_may_be_off_by_half_a_minute_and_not_by_ninety_seconds(
    site: Any, provider: Any
) -> None:
    assert curl(site, provider.token("ada", iat=int(time.time()) + 20))[0] == 200
    code, body = curl(site, provider.token("ada", iat=int(time.time()) + 90))
    assert code == 511 and "clock" in body
