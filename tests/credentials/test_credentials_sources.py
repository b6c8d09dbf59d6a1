"""Secrets from files and commands: read again on change, kept while the new one cannot be had, and never quoted."""

from __future__ import annotations

import base64
import sys

import pytest
from mitmproxy.test import tflow

from sluicegate.clock import SetClock
from sluicegate.credentials.addon import CredentialsAddon
from sluicegate.credentials.held import Secrets
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange, Principal, Verdict
from sluicegate.settings.model import Credential, Service

SECRET = "s3cret-0f-the-service"


def service(**credential):
    return {"chunks": Service(hosts=["chunks.internal"], dialect="chunks", credential=Credential(**credential))}


def exchange():
    return Exchange(
        id="x", started=0.0, service="chunks", principal=Principal("ada", "https://id"), verdict=Verdict("allow")
    )


def put_in(addon):
    flow = tflow.tflow()
    addon.request(flow, exchange())
    return flow.request.headers.get("authorization")


@pytest.mark.parametrize(
    ("scheme", "content", "expected"),
    [
        ("plain", "Token abcdefgh\n", "Token abcdefgh"),
        ("bearer", f" {SECRET} \r\n", f"Bearer {SECRET}"),
        ("basic", f"svc:{SECRET}:x", "Basic " + base64.b64encode(f"svc:{SECRET}:x".encode()).decode()),
    ],
)
def test_how_it_is_written(tmp_path, scheme, content, expected):
    path = tmp_path / "secret"
    path.write_text(content)
    addon = CredentialsAddon(service(scheme=scheme, file=str(path)), {})
    assert put_in(addon) == expected


def test_a_file_that_changes_is_read_again_and_a_bad_one_is_not(tmp_path, caplog):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    addon = CredentialsAddon(service(scheme="bearer", file=str(path)), {}, clock=SetClock())
    path.write_text("the-next-secret-of-it")
    assert put_in(addon) == f"Bearer {SECRET}"
    addon.part.look(1.0)
    assert put_in(addon) == "Bearer the-next-secret-of-it"
    for content in (b"", b"\xff\xfe", b"a\nb-secret-that-is-two-lines", b"x" * 20_000):
        path.write_bytes(content)
        addon.part.look(2.0)
        assert put_in(addon) == "Bearer the-next-secret-of-it"
    path.unlink()
    addon.part.look(3.0)
    assert put_in(addon) == "Bearer the-next-secret-of-it"
    assert caplog.text.count("stays the one before") == 1 and "secret-" not in caplog.text
    path.write_text("back-again-and-good")
    addon.part.look(4.0)
    assert put_in(addon) == "Bearer back-again-and-good"


def test_an_answer_may_hold_neither_the_new_one_nor_the_one_before(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    addon = CredentialsAddon(service(scheme="bearer", file=str(path)), {})
    path.write_text("the-next-secret-of-it")
    addon.part.look(1.0)
    for said in (SECRET, "the-next-secret-of-it"):
        flow = tflow.tflow(resp=True)
        flow.response.content = f"you sent {said}".encode()
        with pytest.raises(Refusal) as told:
            addon.response(flow, exchange())
        assert told.value.code == "credential-echoed" and said not in str(told.value)


def test_the_password_of_basic_is_looked_for_too(tmp_path):
    addon = CredentialsAddon(service(scheme="basic", value="svc:${PW}"), {"PW": SECRET})
    for said in (SECRET, base64.b64encode(f"svc:{SECRET}".encode()).decode()):
        flow = tflow.tflow(resp=True)
        flow.response.content = said.encode()
        with pytest.raises(Refusal):
            addon.response(flow, exchange())
    flow = tflow.tflow(resp=True)
    flow.response.content = b"svc is who you are"
    addon.response(flow, exchange())


def test_a_command_is_run_again_when_its_time_is_up(tmp_path):
    counter = tmp_path / "count"
    code = f"import pathlib; p = pathlib.Path({str(counter)!r}); n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1)); print('secret-number', n) if n != 2 else exit(3)"
    found = Secrets(service(command=[sys.executable, "-c", code], refresh_seconds=60), {}, 0.0)
    values = []
    for now in (10.0, 59.0, 60.0, 90.0, 120.0, 180.0):
        found.look(now)
        values.append(found.of("chunks").secret.value)
    assert values == ["secret-number 0"] * 2 + ["secret-number 1"] * 3 + ["secret-number 3"]


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        ({"file": "/nowhere/secret"}, "cannot be read"),
        ({"command": ["/nowhere/program"]}, "cannot be run"),
        ({"command": [sys.executable, "-c", "print('a-secret'); exit(4)"]}, "ended with status 4"),
        ({"command": [sys.executable, "-c", "pass"]}, "gives no secret"),
        ({"scheme": "basic", "value": "nocolon"}, "user:password"),
        ({"scheme": "aws", "value": "only-an-id"}, "not an AWS key"),
    ],
)
def test_a_secret_that_cannot_be_had_ends_the_start(credential, said):
    with pytest.raises(Fault, match=said) as told:
        Secrets(service(**credential), {}, 0.0)
    assert "a-secret" not in str(told.value)


@pytest.mark.parametrize(
    "credential", [{}, {"value": "x", "file": "y"}, {"scheme": "aws", "value": "a:b", "header": "X"}]
)
def test_one_source_and_no_more(credential):
    with pytest.raises(ValueError):
        Credential(**credential)


def test_aws_is_signed_after_the_verdict_and_refused_where_it_cannot_be():
    addon = CredentialsAddon(service(scheme="aws", value="AKIDEXAMPLE:${KEY}"), {"KEY": SECRET}, clock=SetClock())
    flow, found = tflow.tflow(), exchange()
    scope = "AKIACLIENT/20150830/eu-central-1/athena/aws4_request"
    flow.request.headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    flow.request.headers["x-amz-security-token"] = "of-the-client"
    addon.request(flow, found)
    value = flow.request.headers["authorization"]
    assert value.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250615/eu-central-1/athena/aws4_request, Sig")
    assert "x-amz-security-token" not in flow.request.headers and SECRET not in repr(flow.request.headers)
    assert found.secret_headers == {"authorization", "x-amz-security-token"}
    with pytest.raises(Refusal) as told:
        addon.request(tflow.tflow(), exchange())
    assert told.value.status == 403 and "no AWS signature" in told.value.detail
    with pytest.raises(Refusal):
        denied = exchange()
        denied.verdict = Verdict("deny")
        addon.request(flow, denied)
