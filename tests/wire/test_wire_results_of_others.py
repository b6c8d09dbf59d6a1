"""A handle that a service gave to one person is of no use to another: for every dialect that hands something out.

Three people: ada runs it, grace may read as much as she but has no business with what others ran, and linus has a rule
for that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.investigating import listed, replay
from tests.origin import Origin
from tests.running import Running, Wire
from tests.wire.handed_out import CASES, SSN, Asked, Case

PEOPLE = ("ada", "grace", "linus")
SENTENCE = "The result that it names was handed to somebody else, and no rule lets this person have it."
POLICY = """
[gateway]
listen = "127.0.0.1:@PORT@"
trusted_ca = "@CA@"
internal_destinations = ["s3://acme-*"]
drain_seconds = 5

[identity]
issuer = "@ISSUER@"

[console]
listen = "127.0.0.1:@CONSOLE@"

[[rules]]
id = "everybody"
effect = "allow"
who = ["group:engineering", "group:fraud", "group:data-stewards"]
kind = ["read", "poll", "cancel", "upload", "script"]

[[rules]]
id = "stewards-follow-others"
effect = "allow"
who = ["group:data-stewards"]
results_of_others = true

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
"""
SERVICE = """
[services.@NAME@]
hosts = ["@HOST@"]
dialect = "@DIALECT@"
connect = "http://127.0.0.1:@ORIGIN@"
addresses = ["127.0.0.0/8"]
"""
DATASET = """
[datasets.@NAME@]
service = "@NAME@"
name = "@DATASET@"
columns = { ssn = "restricted" }
all_columns = ["id", "ssn"]
"""
OBJECTS = """
[datasets.out]
service = "s3"
name = "s3://acme-lake/out/*"
"""


@dataclass
class Services:
    """All of them behind one address. They answer whoever asks: `asked` says who reached them for what."""

    asked: list[tuple[str, tuple[str, str]]] = field(default_factory=list)

    def respond(self, request: bytes) -> bytes:
        line, _, rest = re.sub(rb"(requestId=)\w+-", rb"\1", request).decode().partition(" HTTP/1.1\r\n")
        headers = dict(pair.split(": ", 1) for pair in rest.partition("\r\n\r\n")[0].split("\r\n"))
        named = {name.lower(): value for name, value in headers.items()}
        key = (line, named.get("x-amz-target", ""))
        host = named["host"].partition(":")[0]
        self.asked.append((host, key))
        case = next(case for case in CASES if case.host == host)
        # The same address may be asked first and again (a cursor in the body): the body tells which of them it is.
        found = [one for one in (case.first, *case.then) if one.key == key]
        body = request.partition(b"\r\n\r\n")[2]
        same = [one for one in found if one.content == body]
        return (same or found)[0].answered()

    def count(self, case: Case) -> int:
        return sum(host == case.host for host, _ in self.asked)


@dataclass
class Gate(Running):
    origin: int = 0

    def write_policy(self):
        def filled(text: str, **values: Any) -> str:
            for name, value in values.items():
                text = text.replace(f"@{name}@", str(value))
            return text

        text = filled(POLICY, PORT=self.port, CA=self.ca, ISSUER=self.issuer, CONSOLE=self.console)
        for case in CASES:
            values = {"NAME": case.name, "HOST": case.host, "DIALECT": case.dialect, "ORIGIN": self.origin}
            text += filled(SERVICE, **values) + case.more
            if case.dataset is not None:
                text += filled(DATASET, DATASET=case.dataset, **values)
        text += OBJECTS
        path = self.folder / "policy.toml"
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def gate(provider, certs, tmp_path_factory):
    services = Services()
    origin = Origin(None, services.respond)
    running = Gate(tmp_path_factory.mktemp("others"), provider.issuer, certs.ca, [], origin=origin.port)
    running.services = services
    running.tokens = {name: provider.token(name) for name in PEOPLE}
    with running:
        yield running
    origin.close()


def ask(gate, person: str, case: Case, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    line = asked.line.replace("requestId=", f"requestId={person}-")  # whoever asks chooses one of their own
    wire = Wire(gate.port)
    assert wire.connect(case.host, 443, gate.tokens[person]).startswith(b"HTTP/1.1 200")
    wire.tls(gate.gateway_ca, case.host)
    fields = {"Host": case.host, "Content-Length": str(len(asked.content)), **asked.headers}
    if not isinstance(asked.body, str):
        fields.setdefault("Content-Type", "application/json")
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    answer = wire.ask(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + asked.content)
    wire.close()
    return answer


def sentence_in(body: bytes, place: str) -> str:
    """What stands where the service's clients look for an error."""
    if place in ("", "<Message>"):
        return body.decode().partition(place)[2] if place else body.decode()
    found: Any = json.loads(body)
    for name in place.split("."):
        found = found[name]
    return str(found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_one_person_was_given_is_of_no_use_to_another(gate, case):
    services = gate.services
    status, _, body = ask(gate, "ada", case, case.first)
    assert status == 200, body
    before = services.count(case)
    for number, asked in enumerate(case.then):
        status, headers, body = ask(gate, "grace", case, asked)
        assert services.count(case) == before + number, "it reached the service"
        assert "http_request_denied" in headers["proxy-status"] and SSN.encode() not in body
        assert SENTENCE in body.decode(), body
        if asked is case.then[0]:
            assert status == case.said[0] and SENTENCE in sentence_in(body, case.said[1])
        # It is refused to her for being another's, and to nobody else: the one who ran it goes on.
        status, headers, body = ask(gate, "ada", case, asked)
        assert status == 200 and services.count(case) == before + number + 1, body
        assert SSN.encode() not in body
    for asked in case.then:
        status, _, body = ask(gate, "linus", case, asked)
        assert status == 200 and SSN.encode() not in body, body
    assert services.count(case) == before + 2 * len(case.then)


def test_a_handle_that_nobody_was_given_is_refused_to_whoever_has_the_rule(gate):
    case = next(case for case in CASES if case.name == "queries")
    before = gate.services.count(case)
    for person in PEOPLE:
        status, _, body = ask(gate, person, case, Asked("GET /queries/never/rows"))
        assert status == 403 and b"not known to the gateway" in body
    assert gate.services.count(case) == before


def test_what_comes_of_anothers_result_stays_with_who_ran_it(gate):
    case = next(case for case in CASES if case.name == "pages")
    assert ask(gate, "ada", case, case.first)[0] == 200
    assert ask(gate, "linus", case, case.then[0])[0] == 200  # its answer hands out the same page again
    assert ask(gate, "ada", case, case.then[0])[0] == 200
    assert ask(gate, "grace", case, case.then[0])[0] == 403


def test_it_is_on_the_record_and_found(gate):
    """Behind the tests above, by the order of the file; alone it does for one service what they do for all."""
    case = next(case for case in CASES if case.name == "trino")
    ask(gate, "ada", case, case.first)
    ask(gate, "grace", case, case.then[0])
    gate.stop()
    told = [one for one in listed(gate).exchanges if one["url"].endswith(case.then[0].line.partition(" ")[2])]
    refused = [one for one in told if one["verdict"].startswith("refused")]
    assert refused and {one["subject"] for one in refused} == {"grace"}, told
    assert any("others-result" in one["findings"] for one in refused), "once a day for each service"
    said = json.loads(replay(gate, "findings", "--json").stdout)
    found = [one for one in said["findings"] if one["indicator"] == "others-result"]
    assert found and {one["who"] for one in found} == {"Grace Hopper"}, said
    assert "trino" in {one["evidence"]["service"] for one in found}
