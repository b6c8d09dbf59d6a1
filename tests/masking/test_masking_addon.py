"""The stage on mitmproxy's own flows: what the service is asked, and what may leave."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
import zstandard
from mitmproxy import http
from mitmproxy.test import tflow, tutils

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Exchange, Exposure, Obligation, Output, Rows, Verdict
from sluicegate.masking.addon import AT_ONCE, MaskingAddon
from sluicegate.settings import Loaded, Settings

SECRET = "123-45-6789"
OWED = (Obligation("ids", "last4", frozenset({"ssn"})),)
SETTINGS = Settings.model_validate({"identity": {"issuer": "https://idp.example"}})
BODY = json.dumps({"rows": [{"id": 1, "ssn": SECRET}]}).encode()


@pytest.fixture
async def addon() -> AsyncIterator[MaskingAddon]:
    stage = MaskingAddon(SETTINGS, b"k" * 32)
    yield stage
    await stage.close()


def exchange(obligations: tuple[Obligation, ...] = OWED) -> Exchange:
    return Exchange("id", 0.0, verdict=Verdict("allow", obligations=obligations))


def flow_of(body: bytes = BODY, status: int = 200, headers: Any = (), request: Any = ()) -> http.HTTPFlow:
    fields = headers or ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    return tflow.tflow(
        req=tutils.treq(headers=http.Headers(request)),
        resp=tutils.tresp(status_code=status, headers=http.Headers(fields), content=body),
    )


async def respond(addon: MaskingAddon, flow: http.HTTPFlow, of: Exchange) -> None:
    result = addon.response(flow, of)
    if inspect.isawaitable(result):
        await result


def answer(flow: http.HTTPFlow) -> http.Response:
    assert flow.response is not None
    return flow.response


# -- policy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detect", [[], ["email"]])
def test_patterns_are_compiled_where_a_policy_is_prepared_and_not_at_a_request(detect: list[str]) -> None:
    mask: dict[str, Any] = {"id": "m", "method": "redact"} | (
        {"detect": detect} if detect else {"columns": ["personal"]}
    )
    settings = Settings.model_validate({"identity": {"issuer": "https://idp.example"}, "masks": [mask]})
    loaded = Loaded(settings, "digest", Path("policy.toml"), {})
    with patch("sluicegate.masking.content.warm") as warm:
        stage = MaskingAddon(SETTINGS, b"k" * 32)
        assert warm.call_count == 0
        stage.adopt(stage.prepare(loaded))
        assert warm.call_count == len(detect)
        MaskingAddon(settings, b"k" * 32)
        assert warm.call_count == 2 * len(detect)


@pytest.mark.parametrize("kind", ["text/csv", "application/octet-stream", "application/vnd.apache.arrow.stream"])
@pytest.mark.parametrize("first", [b"{", b"[", b'"', b" ", b"\n"])
async def test_what_tables_need_is_not_loaded_on_the_event_loop(addon: MaskingAddon, kind: str, first: bytes) -> None:
    flow = flow_of(first + b"x,ssn\n1,2\n", headers=((b"content-type", kind.encode()),))
    with patch("sluicegate.masking.body.mask", side_effect=Refusal(502, "x", "x", "x")) as mask:
        later = addon.response(flow, exchange())
        assert later is not None and mask.call_count == 0
        with pytest.raises(Refusal):
            await later


@pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.arrow.stream"])
async def test_nor_where_a_table_begins_to_pass(addon: MaskingAddon, kind: str) -> None:
    flow, of = flow_of(headers=((b"content-type", kind.encode()),)), exchange()
    with patch("sluicegate.masking.addon.load_tables") as load:
        later = addon.response_begins(flow, of)
        assert later is not None and of.stream is None and load.call_count == 0
        await later
        assert load.call_count == 1 and of.stream is not None
        assert addon.response_begins(flow, of) is None


# -- request ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ((), "identity"),
        (((b"accept-encoding", b"deflate"),), "identity"),
        (((b"accept-encoding", b"gzip, deflate, br"),), "gzip, br"),
        (((b"accept-encoding", b"hex"), (b"Accept-Encoding", b"zstd")), "zstd"),
    ],
)
@pytest.mark.parametrize("owed", [OWED, ()])
def test_services_are_asked_for_what_both_can_read(addon: MaskingAddon, sent: Any, asked: str, owed: Any) -> None:
    flow = flow_of(request=sent)
    assert addon.request(flow, exchange(owed)) is None
    assert flow.request.headers.get_all("accept-encoding") == [asked]


PARTIAL = tuple(
    (name, b"x")
    for name in (b"Range", b"If-Range", b"If-None-Match", b"If-Modified-Since", b"TE", b"A-IM", b"Want-Digest")
)


def test_pieces_and_conditions_go_only_when_masks_are_owed(addon: MaskingAddon) -> None:
    names = {name.decode().lower() for name, _ in PARTIAL}
    owing, free = flow_of(request=(*PARTIAL, (b"If-Match", b"x"))), flow_of(request=PARTIAL)
    addon.request(owing, exchange())
    addon.request(free, exchange(()))
    assert not names & {name.lower() for name in owing.request.headers}
    assert "if-match" in owing.request.headers
    assert names <= {name.lower() for name in free.request.headers}


async def test_no_verdict_is_no_permission(addon: MaskingAddon) -> None:
    with pytest.raises(RuntimeError):
        addon.request(flow_of(), Exchange("id", 0.0))
    with pytest.raises(RuntimeError):
        addon.response(flow_of(), Exchange("id", 0.0))


def test_a_signed_piece_is_refused_before_it_is_asked_for(addon: MaskingAddon) -> None:
    flow = flow_of(request=((b"range", b"bytes=0-9"), (b"authorization", b"AWS4-X SignedHeaders=host;range, S")))
    assert addon.request(flow, exchange(())) is None
    with pytest.raises(Refusal) as caught:
        addon.request(flow, exchange())
    assert (caught.value.status, caught.value.code, caught.value.rules) == (403, "unmaskable", ("ids",))


@pytest.mark.parametrize("kind", ["application/vnd.apache.arrow.stream", "text/csv"])
async def test_other_formats_are_masked_in_a_thread(addon: MaskingAddon, kind: str) -> None:
    table = pa.table({"id": [1], "ssn": [SECRET]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    body = sink.getvalue().to_pybytes() if "arrow" in kind else f"id,ssn\n1,{SECRET}\n".encode()
    flow, of = flow_of(body, headers=((b"content-type", kind.encode()), (b"etag", b"x"))), exchange()
    result = addon.response(flow, of)
    assert inspect.isawaitable(result)
    await result
    assert SECRET.encode() not in (answer(flow).raw_content or b"")
    assert answer(flow).headers["content-length"] == str(len(answer(flow).raw_content or b""))
    assert "etag" not in answer(flow).headers
    assert of.exposure == Exposure({"id": "clear", "ssn": "masked"}, 1, {"ids": 1})


async def test_what_the_dialect_says_of_the_response_counts(addon: MaskingAddon) -> None:
    flow, of = flow_of(json.dumps({"data": [[1, SECRET]]}).encode()), exchange()
    columns = (Output("a"), Output("b", frozenset({("emp", "ssn")}), copied=True))
    of.delivery = Delivery((Rows(path="$.data", shape="arrays", columns=columns),))
    await respond(addon, flow, of)
    assert answer(flow).json() == {"data": [[1, "****6789"]]}
    of.delivery = Delivery(unreadable="it is spooled")
    with pytest.raises(Refusal):
        await respond(addon, flow, of)


# -- response -----------------------------------------------------------------------------------------------------


async def test_a_response_is_masked_in_place(addon: MaskingAddon) -> None:
    flow, of = flow_of(), exchange()
    answer(flow).trailers = http.Headers(((b"x-row", SECRET.encode()),))
    addon.request(flow, of)
    assert addon.response(flow, of) is None
    response = answer(flow)
    assert response.json() == {"rows": [{"id": 1, "ssn": "****6789"}]}
    assert response.headers["content-length"] == str(len(response.raw_content or b""))
    assert response.trailers is None
    assert of.exposure is not None
    assert of.exposure.masks == {"ids": 1}


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (201, "Created"), (404, "Not Found"), (500, "Internal Server Error"), (599, "")]
)
async def test_the_words_behind_a_status_are_not_the_services_own(
    addon: MaskingAddon, status: int, phrase: str
) -> None:
    whole, passing = flow_of(status=status), flow_of(status=status)
    answer(whole).reason = answer(passing).reason = f"no row with {SECRET}"
    await respond(addon, whole, exchange())
    assert answer(whole).reason == phrase
    begun = exchange()
    result = addon.response_begins(passing, begun)
    if result is not None:
        await result
    assert (begun.stream is not None) == (status == 200) and answer(passing).reason == phrase


async def test_nothing_is_touched_when_nothing_is_owed(addon: MaskingAddon) -> None:
    flow, of = flow_of(b"\x00\xff", headers=((b"etag", b"x"),)), exchange(())
    addon.request(flow, of)
    await respond(addon, flow, of)
    assert (answer(flow).raw_content, answer(flow).headers["etag"], of.exposure) == (b"\x00\xff", "x", None)


@pytest.mark.parametrize("known", [True, False])
async def test_the_coding_is_that_of_the_clients_own_wish(addon: MaskingAddon, known: bool) -> None:
    body = gzip.compress(BODY)
    flow, of = flow_of(body, request=((b"accept-encoding", b"gzip"),)), exchange()
    answer(flow).headers = http.Headers(content_type="application/json", content_encoding="gzip")
    if known:
        addon.request(flow, of)
    await respond(addon, flow, of)
    response = answer(flow)
    assert response.headers.get("content-encoding") == ("gzip" if known else None)
    assert SECRET.encode() not in (response.content or b"")


async def test_what_is_remembered_of_a_flow_goes_with_it(addon: MaskingAddon) -> None:
    for _ in range(20):
        addon.request(flow_of(), exchange())
    assert len(addon._accepts) <= 1


def large() -> bytes:
    rows = [{"id": i, "ssn": f"{i:03d}-45-6789", "notes": "x" * 50} for i in range(40_000)]
    return json.dumps({"rows": rows}).encode()


@pytest.mark.parametrize("coding", ["", "zstd"])
async def test_large_bodies_are_masked_while_the_loop_goes_on(addon: MaskingAddon, coding: str) -> None:
    body = zstandard.ZstdCompressor().compress(large()) if coding else large()
    fields = [(b"content-type", b"application/json")]
    if coding:
        fields.append((b"content-encoding", b"zstd"))
    flow, of = flow_of(body, headers=fields), exchange()
    began = time.monotonic()
    result = addon.response(flow, of)
    assert inspect.isawaitable(result)
    task = asyncio.ensure_future(result)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    assert turns > 1, f"the loop stood still for {time.monotonic() - began:.3f} s"
    assert b"-45-" not in (answer(flow).content or b"")
    assert of.exposure is not None
    assert of.exposure.rows == 40_000


async def test_a_small_body_that_grows_large_leaves_the_loop_alone(addon: MaskingAddon) -> None:
    bomb = gzip.compress(b'{"a":"' + b"0" * (32 << 20) + b'"}')
    assert len(bomb) < AT_ONCE
    flow = flow_of(bomb, headers=((b"content-type", b"application/json"), (b"content-encoding", b"gzip")))
    result = addon.response(flow, exchange())
    assert inspect.isawaitable(result)
    with pytest.raises(Refusal, match="too large"):
        await result


async def test_a_large_body_that_cannot_be_masked_is_refused(addon: MaskingAddon) -> None:
    flow = flow_of(large()[:-1])
    with pytest.raises(Refusal, match="not valid JSON"):
        await respond(addon, flow, exchange())
    assert answer(flow).raw_content == large()[:-1], "the answer is the pipeline's to set"


# -- the ways in which a masking addon fails open under mitmproxy ---------------------------------------------------

JSON = (b"content-type", b"application/json")


def coded(name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return (JSON, (b"content-encoding", name))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(gzip.compress(gzip.compress(gzip.compress(BODY))), coded(b"gzip, gzip, gzip"), id="triple gzip"),
        pytest.param(gzip.compress(BODY), coded(b"pack200-gzip"), id="unknown name of gzip"),
        pytest.param(gzip.compress(BODY)[:-4], coded(b"gzip"), id="truncated gzip"),
        pytest.param(gzip.compress(b"{}") + gzip.compress(BODY), coded(b"gzip"), id="second gzip member"),
        pytest.param(BODY, ((b"content-type", b"image/png"),), id="lying content type"),
        pytest.param(BODY.hex().encode(), coded(b"hex"), id="a Python codec as coding"),
        pytest.param(BODY.decode().encode("utf-16"), coded(b"utf-16"), id="a text codec as coding"),
    ],
)
async def test_what_leaks_elsewhere_is_refused_here(addon: MaskingAddon, body: bytes, headers: Any) -> None:
    with pytest.raises(Refusal) as caught:
        await respond(addon, flow_of(body, headers=headers), exchange())
    assert (caught.value.status, caught.value.code, caught.value.rules) == (502, "unmaskable", ("ids",))
    assert SECRET not in caught.value.detail


@pytest.mark.parametrize("coding", [b"gzip, gzip", b"x-gzip"])
async def test_other_names_and_layers_of_gzip_are_masked(addon: MaskingAddon, coding: bytes) -> None:
    body = gzip.compress(BODY)
    flow = flow_of(gzip.compress(body) if b"," in coding else body, headers=coded(coding))
    await respond(addon, flow, exchange())
    assert json.loads(answer(flow).raw_content or b"") == {"rows": [{"id": 1, "ssn": "****6789"}]}


async def test_a_streamed_body_is_refused(addon: MaskingAddon) -> None:
    flow = flow_of()
    answer(flow).stream = True
    with pytest.raises(Refusal):
        await respond(addon, flow, exchange())


async def test_a_body_that_is_not_there_is_refused(addon: MaskingAddon) -> None:
    flow = flow_of()
    answer(flow).raw_content = None
    with pytest.raises(Refusal):
        await respond(addon, flow, exchange())


async def test_trailers_never_leave(addon: MaskingAddon) -> None:
    flow = flow_of()
    answer(flow).trailers = http.Headers(((b"x", SECRET.encode()),))
    answer(flow).headers["trailer"] = "x"
    await respond(addon, flow, exchange())
    assert answer(flow).trailers is None
    assert "trailer" not in answer(flow).headers


async def test_an_upgrade_is_no_empty_response(addon: MaskingAddon) -> None:
    with pytest.raises(Refusal):
        await respond(addon, flow_of(b"", status=101), exchange())
