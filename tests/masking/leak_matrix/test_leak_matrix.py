"""Format x coding x character set, without a network; and every position at which something can be cut in two."""

from __future__ import annotations

import gzip
import json
import os
from itertools import pairwise

import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.message import mask_message
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream
from tests.masking.leak_matrix.planted import CHARSETS, CODINGS, DOCUMENTS, LONG, MAIL, SSN, leaked

FULL = os.environ.get("LEAK_MATRIX") == "full"
METHODS = Methods(b"k" * 32)
BY_NAME = Plan(
    (Obligation("ids", "last4", frozenset({"ssn"})), Obligation("mail", "hmac", frozenset({"email"}))), METHODS
)
BY_PATH = Plan((Obligation("ids", "redact", path="$..ssn"), Obligation("mail", "drop", path="$..email")), METHODS)
BY_LOOKS = Plan((Obligation("all", "redact", detect=frozenset({"national-id", "email"})),), METHODS)
PLANS = {"names": BY_NAME, "paths": BY_PATH, "looks": BY_LOOKS}


def masked(media: str, body: bytes, plan: Plan, coding: str = "") -> Masked:
    headers = ((b"content-type", media.encode()), (b"content-encoding", coding.encode()))
    return mask(Reply("GET", 200, headers if coding else headers[:1], body), plan, (), 1 << 20)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_planted_value_leaves(name: str, coding: str, plan: str) -> None:
    if plan == "paths" and name == "json, columns beside rows":
        pytest.skip("a path means members, and there are none: docs/limits.md says so")
    document, (field, pack) = DOCUMENTS[name], CODINGS[coding]
    assert leaked(document.body)
    charsets = CHARSETS if document.text else CHARSETS[:1]
    for charset in charsets:
        body = document.body.decode().encode(charset) if document.text else document.body
        said = document.media if charset.startswith("utf-8") else f"{document.media}; charset={charset}"
        found = masked(said, pack(body), PLANS[plan], field)
        assert found.body and not leaked(found.body), charset
        assert found.exposure.masks, charset


@pytest.mark.parametrize("name", ["json", "ndjson", "csv", "events", "xml"])
def test_members_of_gzip_that_end_anywhere(name: str) -> None:
    document = DOCUMENTS[name]
    whole = masked(document.media, document.body, BY_NAME).body
    for place in range(len(document.body) + 1):
        cut = gzip.compress(document.body[:place]) + gzip.compress(document.body[place:])
        assert masked(document.media, cut, BY_NAME, "gzip").body == whole, place


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_body_that_is_cut_anywhere_is_refused_or_masked(name: str) -> None:
    document = DOCUMENTS[name]
    step = 1 if len(document.body) < 400 else 37
    for place in range(1, len(document.body), step):
        pieces = (document.body[:place], document.body[place:])
        for piece in pieces[:1] if name == "form" else pieces:  # the rest of a name is another name
            try:
                found = masked(document.media, piece, BY_NAME)
            except Refusal:
                continue
            # What is cut in the middle of a text that was read as a whole one is masked; a rest of CSV has no names.
            assert not leaked(found.body), (place, piece)


@pytest.mark.parametrize("value", [MAIL, SSN, "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 151 12345678"])
@pytest.mark.parametrize("shape", ["texts", "rows", "events", "lines"])
def test_a_value_that_is_cut_anywhere_by_the_border_of_two_chunks(value: str, shape: str) -> None:
    everything = frozenset(("email", "national-id", "card", "iban", "phone"))
    plan = Plan((Obligation("all", "redact", detect=everything),), METHODS)
    for place in range(1, len(value)):
        one, other = f"call or write to {value[:place]}", f"{value[place:]} today"
        rows = [{"text": one}, {"text": other}]
        media = "application/json"
        if shape == "texts":
            body = json.dumps({"chunks": [one, other]})
        elif shape == "rows":
            body = json.dumps({"chunks": rows})
        elif shape == "events":
            media, body = "text/event-stream", "".join(f"data: {json.dumps(row)}\n\n" for row in rows)
        else:
            media, body = "application/x-ndjson", "".join(f"{json.dumps(row)}\n" for row in rows)
        found = masked(media, body.encode(), plan).body.decode()
        assert "[redacted]" in found
        pieces = {value[start : start + 5] for start in range(len(value) - 4)}
        assert not [piece for piece in pieces if piece in found], place


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", LONG)
def test_no_planted_value_passes_in_pieces(name: str, coding: str, plan: str) -> None:
    if (plan == "paths" and name == "json columns") or (plan == "looks" and name == "tsv" and coding == "br"):
        pytest.skip("a path means members, and there are none; and one of many is enough of the slowest")
    document, (field, pack) = LONG[name], CODINGS[coding]
    body = pack(document.body)
    fields = ((b"content-type", document.media.encode()), *(((b"content-encoding", field.encode()),) if field else ()))
    size = max(1, len(body) // 5)
    shifts = range(0, size, max(1, size // 3))
    if field and not FULL:  # what is masked is cut by the decoder; one place for each coding, and without one all
        shifts = shifts[len(coding) % len(shifts) :][:1]
    for shift in shifts:
        stream = open_stream(fields, 200, PLANS[plan], (), None)
        assert stream is not None
        places = [0, *range(shift or size, len(body), size), len(body)]
        out = [data for one, other in pairwise(places) for data in stream.feed(body[one:other])]
        out += stream.end()
        assert len(out) > 1 or len(places) < 3 or field, "it did not pass in pieces"
        assert not leaked(b"".join(out)), shift
        assert stream.exposure.masks


def spaced(body: bytes) -> bytes:
    """Blanks between the parts of JSON are the only thing in which rows that were decoded differ from others."""
    return body.replace(b": ", b":").replace(b", ", b",")


@pytest.mark.parametrize("name", LONG)
def test_every_split_position_of_a_row_that_passes(name: str) -> None:
    document = LONG[name]
    fields = ((b"content-type", document.media.encode()),)
    whole = spaced(masked(document.media, document.body, BY_NAME).body)
    row = len(document.body) // 2
    for place in range(row, row + 170, 1 if name != "arrow stream" else 13):
        stream = open_stream(fields, 200, BY_NAME, (), None)
        assert stream is not None
        out = [*stream.feed(document.body[:place]), *stream.feed(document.body[place:]), *stream.end()]
        assert spaced(b"".join(out)) == whole, place


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("text", [True, False], ids=["text", "bytes"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_messages_of_a_websocket_have_no_type(name: str, text: bool, plan: str) -> None:
    if plan == "paths" and name == "json, columns beside rows":
        pytest.skip("a path means members, and there are none: docs/limits.md says so")
    document = DOCUMENTS[name]
    if text and not document.text:
        pytest.skip("text is UTF-8")
    step = 1 if len(document.body) < 400 else 37
    # A value that is cut by the end of what is sent looks like nothing.
    places = range(1, len(document.body), step) if plan != "looks" else ()
    for place in (*places, len(document.body)):
        try:
            found = mask_message(document.body[:place], PLANS[plan], 1 << 20, text=text)
        except Refusal:
            assert place < len(document.body) or name not in ("json", "ndjson") or not text
            continue
        assert not leaked(found.body), place
