"""The services' own secrets: where they come from, when they are put in, and what gives way to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import tflow

from sluicegate.codings import encode
from sluicegate.credentials import problems
from sluicegate.credentials.addon import CredentialsAddon
from sluicegate.credentials.headers import replaced
from sluicegate.credentials.values import ValueTrouble, filled
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange, Principal, Verdict
from sluicegate.settings import load
from sluicegate.settings.model import Credential, Service

SECRET = "s3cret-0f-the-service"


def service(header: str = "Authorization", value: str = "Bearer ${CHUNKS_TOKEN}") -> Service:
    return Service(hosts=["chunks.internal"], dialect="chunks", credential=Credential(header=header, value=value))


def addon_of(**services: Service) -> CredentialsAddon:
    return CredentialsAddon(services, {"CHUNKS_TOKEN": SECRET, "OTHER": "x"})


def decided(name: str | None = "chunks", **parts: Any) -> Exchange:
    parts = {"principal": Principal("ada", "https://id"), "verdict": Verdict("allow"), **parts}
    return Exchange(id="x", started=0.0, service=name, **parts)


def flow_of(*fields: tuple[bytes, bytes], version: str = "HTTP/1.1") -> Any:
    flow = tflow.tflow()
    flow.request.http_version = version
    flow.request.headers.fields = fields
    return flow


def test_every_spelling_of_the_header_gives_way_to_ours() -> None:
    flow = flow_of(
        (b"host", b"chunks.internal"),
        (b"AUTHORIZATION", b"Bearer mine"),
        (b"authorization", b"Basic mine"),
        (b"X-Authorization", b"stays"),
    )
    exchange = decided()
    addon_of(chunks=service()).request(flow, exchange)
    assert flow.request.headers.fields == (
        (b"host", b"chunks.internal"),
        (b"X-Authorization", b"stays"),
        (b"Authorization", f"Bearer {SECRET}".encode()),
    )
    assert exchange.secret_headers == {"authorization"}
    assert SECRET not in repr(exchange)


def test_underscores_do_not_smuggle_a_second_one_past() -> None:
    flow = flow_of((b"X_Api_Key", b"mine"), (b"x-api_key", b"mine"))
    addon_of(chunks=service("X-Api-Key", "${CHUNKS_TOKEN}")).request(flow, decided())
    assert flow.request.headers.fields == ((b"X-Api-Key", SECRET.encode()),)


def test_http2_gets_a_lower_case_name() -> None:
    flow = flow_of(version="HTTP/2.0")
    addon_of(chunks=service("X-Api-Key", "${CHUNKS_TOKEN}")).request(flow, decided())
    assert flow.request.headers.fields == ((b"x-api-key", SECRET.encode()),)


@pytest.mark.parametrize("name", ["others", "plain", None])
def test_other_services_never_see_it(name: str | None) -> None:
    fields = ((b"authorization", b"Bearer of-the-client"),)
    flow, exchange = flow_of(*fields), decided(name)
    plain = Service(hosts=["plain.internal"], dialect="chunks")
    addon_of(chunks=service(), plain=plain).request(flow, exchange)
    assert flow.request.headers.fields == fields
    assert exchange.secret_headers == set()


@pytest.mark.parametrize(
    "parts",
    [
        {"verdict": None},
        {"verdict": Verdict("deny")},
        {"verdict": Verdict("hold")},
        {"principal": None},
    ],
)
def test_nothing_is_put_in_before_the_verdict(parts: dict[str, Any]) -> None:
    flow = flow_of((b"authorization", b"Bearer of-the-client"))
    with pytest.raises(Refusal) as caught:
        addon_of(chunks=service()).request(flow, decided(**parts))
    assert caught.value.status == 403
    assert SECRET not in str(flow.request.headers)


def test_an_approved_hold_gets_it() -> None:
    flow = flow_of()
    addon_of(chunks=service()).request(flow, decided(verdict=Verdict("hold"), approval="7Q2K"))
    assert flow.request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("template", "environ", "said"),
    [
        ("Bearer ${NONE}", {}, "the environment variable NONE is not set"),
        ("Bearer ${NONE}", {"NONE": ""}, "the environment variable NONE is empty"),
        ("Bearer ${A}${NONE}", {"A": SECRET}, "NONE is not set"),
        ("Bearer ${A", {"A": SECRET}, "does not name an environment variable"),
        ("Bearer ${}", {}, "does not name an environment variable"),
        ("Bearer ${A-B}", {"A": SECRET}, "does not name an environment variable"),
        ("${A}", {"A": f"{SECRET}\n"}, "cannot be sent in a header"),
        ("${A}", {"A": f"{SECRET}\r\nx-injected: 1"}, "cannot be sent in a header"),
        ("${A}", {"A": f" {SECRET}"}, "cannot be sent in a header"),
        ("${A}", {"A": f"{SECRET}\x00"}, "cannot be sent in a header"),
        ("${A}", {"A": f"{SECRET}é"}, "cannot be sent in a header"),
        ("${A}", {"A": SECRET * 1000}, "cannot be sent in a header"),
    ],
)
def test_a_secret_that_cannot_be_used_stops_the_start_and_is_not_shown(
    template: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(Fault) as caught:
        CredentialsAddon({"chunks": service(value=template)}, environ)
    assert said in str(caught.value)
    assert "service chunks" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_the_environment_holds_is_not_expanded_again() -> None:
    assert filled("${A}", {"A": "${B}", "B": "x"}) == "${B}"
    assert filled("a ${A} b ${A}", {"A": r"\1"}) == r"a \1 b \1"


def test_a_later_change_of_the_environment_changes_nothing() -> None:
    environ = {"CHUNKS_TOKEN": SECRET}
    addon = CredentialsAddon({"chunks": service()}, environ)
    environ["CHUNKS_TOKEN"] = "other"
    flow = flow_of()
    addon.request(flow, decided())
    assert flow.request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("header", ["Host", "content-length", "Transfer-Encoding", "Connection", "Proxy-Authorization"])
def test_headers_that_frame_or_route_carry_no_credential(header: str) -> None:
    with pytest.raises(Fault, match=header):
        addon_of(chunks=service(header))


def test_problems_name_the_line_and_all_of_them(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        """[identity]
issuer = "https://id.example.org"
[services.one]
hosts = ["one"]
dialect = "chunks"
credential = { header = "Authorization", value = "Bearer ${NONE}" }
[services.two]
hosts = ["two"]
dialect = "chunks"
[services.two.credential]
header = "Host"
value = "${CHUNKS_TOKEN"
[services.three]
hosts = ["three"]
dialect = "chunks"
credential = { header = "Authorization", value = "Bearer ${CHUNKS_TOKEN}" }
"""
    )
    found = sorted(problems(load(policy), {"CHUNKS_TOKEN": SECRET}))
    assert [(problem.line, problem.where) for problem in found] == [
        (6, "services.one.credential.value"),
        (11, "services.two.credential.header"),
        (12, "services.two.credential.value"),
    ]
    assert found[0].suggestion == "export NONE before starting"
    assert SECRET not in str(found)


@given(st.text(), st.text(min_size=1))
def test_no_value_can_break_out_of_its_header(template: str, variable: str) -> None:
    try:
        value = filled(template + "${A}", {"A": variable})
    except ValueTrouble as trouble:
        assert len(variable) < 8 or variable not in str(trouble)
    else:
        assert value.isascii() and value == value.strip() and not {"\r", "\n", "\0"} & set(value)


names = st.sampled_from([b"X-Api-Key", b"x_api_key", b"X-API_KEY", b"x-api-key2", b"host", b"X--Api-Key"])


@given(st.lists(st.tuples(names, st.binary(max_size=5))), st.booleans())
def test_exactly_one_is_left_and_the_rest_keep_their_order(fields: list[tuple[bytes, bytes]], lower: bool) -> None:
    result = replaced(fields, "X-Api-Key", SECRET, lower=lower)
    ours = [field for field in result if field[0].lower().replace(b"_", b"-") == b"x-api-key"]
    assert ours == [result[-1]] == [(b"x-api-key" if lower else b"X-Api-Key", SECRET.encode())]
    assert list(result[:-1]) == [f for f in fields if f[0].lower().replace(b"_", b"-") != b"x-api-key"]


def answered(body: bytes, *fields: tuple[bytes, bytes]) -> Any:
    flow = tflow.tflow(resp=True)
    flow.response.headers.fields = fields
    flow.response.raw_content = body
    return flow


async def respond(flow: Any, addon: CredentialsAddon | None = None) -> None:
    result = (addon or addon_of(chunks=service())).response(flow, decided())
    if result is not None:
        await result


ECHOES = [
    answered(b"debug: Bearer " + SECRET.encode()),
    answered(b'{"you sent": "' + SECRET.encode() + b'"}'),
    answered(b"{}", (b"x-debug", b"auth=" + SECRET.encode())),
    answered(b"{}", (SECRET.encode(), b"as a name")),
    answered(b"x" * (1 << 20) + SECRET.encode()),
    *(
        answered(encode(b"x" * 100 + SECRET.encode(), coding), (b"content-encoding", coding.encode()))
        for coding in ("gzip", "br", "zstd")
    ),
]


@pytest.mark.parametrize("flow", ECHOES)
async def test_a_service_that_hands_its_credential_back_is_refused(flow: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        await respond(flow)
    assert refusal.value.code == "credential-echoed" and SECRET not in str(refusal.value)


async def test_what_json_makes_of_a_secret_is_known() -> None:
    addon = CredentialsAddon({"chunks": service()}, {"CHUNKS_TOKEN": "ab/cd/ef/gh"})
    with pytest.raises(Refusal):
        await respond(answered(rb'{"auth":"ab\/cd\/ef\/gh"}'), addon)


@pytest.mark.parametrize(
    "flow",
    [
        answered(b"\x1f\x8bcut", (b"content-encoding", b"gzip")),
        answered(b"x", (b"content-encoding", b"rot13")),
        answered(b"x", (b"content-encoding", b"gzip"), (b"content-encoding", b"br")),
    ],
)
async def test_what_cannot_be_searched_is_refused(flow: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        await respond(flow)
    assert refusal.value.code == "response-unreadable"


async def test_other_answers_pass() -> None:
    await respond(answered(b'{"rows": []}', (b"content-type", b"application/json")))
    await respond(answered(encode(b'{"rows": []}', "gzip"), (b"content-encoding", b"gzip")))
    await respond(answered(b"", (b"content-encoding", b"gzip")))  # what a HEAD gets
    # A secret of a few letters is part of words: it is not looked for.
    await respond(answered(b"an index"), CredentialsAddon({"chunks": service()}, {"CHUNKS_TOKEN": "x"}))
