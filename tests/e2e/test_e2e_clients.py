"""Real clients through HTTPS_PROXY: what each makes of a masked answer, of a refusal, and of a 407 at CONNECT."""

from __future__ import annotations

import json

import pytest

from tests.e2e.chunks import SECRET, assert_masked, plain_values
from tests.e2e.clients import CLIENTS

CHUNK = "/datasets/customers/chunks/7"


@pytest.fixture(scope="module")
def gate(gateway, service, tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("gate"), [service.host]) as running:
        yield running


@pytest.fixture(params=CLIENTS, ids=str)
def client(request):
    if request.param.missing:
        pytest.skip(request.param.missing)
    return request.param


@pytest.fixture
def sign_in(monkeypatch, gate, tmp_path):
    """Makes the environment into somebody's workstation; None is nobody's."""
    for name in ("NO_PROXY", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(gate.gateway_ca))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def signed_in(token):
        user = f"me:{token}@" if token else ""
        monkeypatch.setenv("HTTPS_PROXY", f"http://{user}127.0.0.1:{gate.port}")

    return signed_in


def problem(answer) -> dict:
    """The refusal that the client could read."""
    assert answer.headers["content-type"] == "application/problem+json"
    found = json.loads(answer.body)
    assert found["status"] == answer.status and found["detail"] and found["next_step"]
    return found


def assert_clean(answer, *secrets: str) -> None:
    everything = repr(answer).encode() + answer.body
    assert not [s for s in (SECRET, *secrets) if s.encode() in everything]


def test_a_chunk_arrives_masked(client, sign_in, service, provider):
    token = provider.token("ada")
    sign_in(token)
    answer = client.ask("GET", f"{service.url}{CHUNK}?columns=id,name,email,ssn")
    assert (answer.status, answer.version) == (200, client.version)
    rows = json.loads(answer.body)["rows"]
    assert_masked(rows, service.rows(7))
    assert set(rows[0]) == {"id", "name", "email", "ssn"}
    assert not [value for value in plain_values(service.rows(7)) if value in answer.body]
    assert_clean(answer, token)


def test_a_fraud_investigator_sees_it_in_clear(client, sign_in, service, provider):
    sign_in(provider.token("grace"))
    answer = client.ask("GET", f"{service.url}{CHUNK}")
    assert answer.status == 200 and json.loads(answer.body)["rows"] == service.rows(7)
    assert_clean(answer)


def test_a_denied_command_is_told_why(client, sign_in, service, provider):
    token = provider.token("ada")
    sign_in(token)
    answer = client.ask("DELETE", f"{service.url}/datasets/customers")
    assert (answer.status, answer.version) == (403, client.version)
    found = problem(answer)
    assert found["type"] == "urn:sluicegate:policy-denied" and found["rules"] == ["no-admin"]
    assert "Datasets are not dropped through the gate." in found["detail"]
    assert service.alive()
    assert_clean(answer, token)


def test_without_a_credential_connect_is_refused_with_a_phrase(client, sign_in, service, provider):
    sign_in(None)
    answer = client.ask("GET", f"{service.url}{CHUNK}")
    assert answer.status == 0 and "407" in answer.refused and not answer.body
    if client.phrase:
        assert "Sign in first: run 'sluicegate login'" in answer.refused


@pytest.mark.parametrize("what", ["expired", "forged", "for another audience"])
def test_a_credential_that_is_no_good_is_answered_inside_the_tunnel(client, sign_in, service, provider, what):
    token = provider.token("ada")
    if what == "expired":
        token = provider.token("ada", exp=1)
    elif what == "forged":
        head, claims, signature = token.split(".")
        token = f"{head}.{claims}.{signature[::-1]}"
    else:
        token = provider.token("ada", aud="somebody-else")
    sign_in(token)
    answer = client.ask("GET", f"{service.url}{CHUNK}")
    assert answer.status == 511 and problem(answer)["title"].startswith("Sign in again")
    assert not [value for value in plain_values(service.rows(7)) if value in answer.body]
    assert_clean(answer, token)
