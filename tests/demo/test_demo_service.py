"""The demo's chunk service, on a real socket, over TLS that is verified against its own authority."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from demo import customers, filters
from demo.answers import preferred
from demo.exports import DestinationError, Sink
from sluicegate import codings

TOKEN = "a-token-of-the-service-0001"
ROOT = Path(__file__).parents[2]
ROWS = [dict(zip(customers.COLUMNS, row, strict=True)) for row in customers.customers()]
few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@dataclass
class Service:
    port: int
    state: Path
    context: ssl.SSLContext
    process: subprocess.Popen[str]

    def connection(self, host: str = "localhost") -> HTTPSConnection:
        return HTTPSConnection(host, self.port, context=self.context, timeout=60)

    def raw(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        connection = self.connection()
        try:
            sent = {"Authorization": f"Bearer {TOKEN}"} if headers is None else headers
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, target, content, sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def ask(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        response, content = self.raw(method, target, body, headers)
        assert response.headers["content-type"] == "application/json"
        return response.status, json.loads(content)


def start(state: Path, **environment: str) -> subprocess.Popen[str]:
    """The service as a process; returns once it has printed its line."""
    command = [sys.executable, "-m", "demo.chunk_service", "--state", str(state), "--port-file", str(state / "port")]
    env = {**os.environ, "CHUNKS_TOKEN": TOKEN, **environment}
    return subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1
    )


def running(state: Path) -> Service:
    process = start(state)
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("chunk service: https://localhost:"), (line, process.stderr and process.stderr.read())
    context = ssl.create_default_context(cafile=state / "ca.pem")
    service = Service(int((state / "port").read_text()), state, context, process)
    assert line.strip().endswith(f":{service.port}")
    return service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    found = running(tmp_path_factory.mktemp("service"))
    yield found
    found.process.terminate()
    output, errors = found.process.communicate(timeout=60)
    assert (found.process.returncode, output, errors) == (0, "", ""), "it was not quiet, or did not end well"


# shapes


def test_describes_the_dataset(service: Service) -> None:
    expected = {"dataset": "customers", "rows": 10_000, "chunks": 100, "columns": list(customers.COLUMNS)}
    assert service.ask("GET", "/datasets/customers") == (200, expected)


def test_all_chunks_together_are_the_dataset(service: Service) -> None:
    connection = service.connection("127.0.0.1")
    rows: list[Any] = []
    for chunk in range(customers.CHUNKS):  # one connection for all: keep-alive
        connection.request("GET", f"/datasets/customers/chunks/{chunk}", headers={"Authorization": f"Bearer {TOKEN}"})
        body = json.loads(connection.getresponse().read())
        assert (body["dataset"], body["chunk"], body["columns"]) == ("customers", chunk, list(customers.COLUMNS))
        assert len(body["rows"]) == 100
        rows += body["rows"]
    connection.close()
    assert rows == ROWS


def test_picks_columns_in_the_order_asked_for(service: Service) -> None:
    status, body = service.ask("GET", "/datasets/customers/chunks/3?columns=ssn,id")
    assert (status, body["columns"]) == (200, ["ssn", "id"])
    assert body["rows"] == [{"ssn": row["ssn"], "id": row["id"]} for row in ROWS[300:400]]


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("GET", "/datasets/nothing", None, 404, "no-dataset"),
        ("GET", "/datasets/nothing/chunks/0", None, 404, "no-dataset"),
        ("DELETE", "/datasets/sqlite_master", None, 404, "no-dataset"),
        ("GET", "/datasets/customers/chunks/100", None, 404, "no-chunk"),
        ("GET", "/datasets/customers/chunks/-1", None, 404, "no-chunk"),
        ("GET", "/datasets/customers/chunks/00", None, 404, "no-chunk"),
        ("GET", "/datasets/customers/chunks/%EF%BC%91", None, 404, "no-chunk"),  # a digit, but a wide one
        ("GET", "/datasets/customers/chunks/" + "9" * 5000, None, 404, "no-chunk"),
        ("GET", "/datasets/customers/chunks/0?columns=", None, 400, "bad-columns"),
        ("GET", "/datasets/customers/chunks/0?columns=ssn,ssn", None, 400, "bad-columns"),
        ("GET", "/datasets/customers/chunks/0?columns=rowid", None, 400, "bad-columns"),
        ("GET", "/datasets/customers/chunks/0?columns=id&columns=ssn", None, 400, "bad-query"),
        ("GET", "/datasets/customers/chunks/0?column=id", None, 400, "bad-query"),
        ("POST", "/datasets/customers/query", b"{", 400, "bad-json"),
        ("POST", "/datasets/customers/query", [], 400, "bad-body"),
        ("POST", "/datasets/customers/query", {"where": "1"}, 400, "bad-body"),
        ("POST", "/datasets/customers/query", {"limit": 0}, 400, "bad-limit"),
        ("POST", "/datasets/customers/query", {"limit": True}, 400, "bad-limit"),
        ("POST", "/datasets/customers/query", {"columns": "id"}, 400, "bad-columns"),
        ("POST", "/datasets/customers/query", {"filter": 1}, 400, "bad-body"),
        ("POST", "/datasets/customers/query", b'"' + b"x" * (1 << 20) + b'"', 413, "too-large"),
        ("POST", "/datasets/customers/exports", {}, 400, "bad-body"),
        ("POST", "/datasets/nothing/exports", {"destination": "s3://bucket/key"}, 404, "no-dataset"),
        ("POST", "/datasets/customers/exports", {"destination": "s3://bucket/key", "chunks": [100]}, 400, "bad-chunks"),
        ("POST", "/datasets/customers/exports", {"destination": "s3://bucket/key", "chunks": []}, 400, "bad-chunks"),
        ("POST", "/scripts", {"dataset": "customers"}, 400, "bad-body"),
        ("GET", "/", None, 404, "no-route"),
        ("PUT", "/scripts", None, 405, "no-route"),
    ],
)
def test_says_what_is_wrong(service: Service, method: str, target: str, body: Any, status: int, code: str) -> None:
    found, answer = service.ask(method, target, body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert set(answer) == {"error"} and answer["error"]["message"]


# token


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Proxy-Authorization": f"Bearer {TOKEN}"},
    ],
)
def test_nothing_without_the_token(service: Service, headers: dict[str, str]) -> None:
    for target in ("/datasets/customers", "/datasets/customers/chunks/0", "/nowhere"):
        status, body = service.ask("GET", target, headers=headers)
        assert (status, body["error"]["code"]) == (401, "no-token")
    assert service.ask("DELETE", "/datasets/customers", headers=headers)[0] == 401
    assert service.ask("GET", "/datasets/customers")[1]["rows"] == 10_000


def test_two_tokens_are_none(service: Service) -> None:
    connection = service.connection()
    connection.putrequest("GET", "/datasets/customers")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Authorization", "Bearer another")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


# filter

TEXTS = st.sampled_from(sorted(set(customers.COLUMNS) - customers.NUMBERS - {"notes"}))
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, Any]:
    """A comparison, as text and as a function of a row."""
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    compare = OPERATORS[operator]
    literal: Any
    if draw(st.booleans()):
        column, literal = draw(TEXTS), draw(st.sampled_from(ROWS))
        value: Any = literal[column] if draw(st.booleans()) else draw(st.text("'\"%_;-aZ é", max_size=6))
        shown = "'" + value.replace("'", "''") + "'"
    else:
        column, value = draw(st.sampled_from(sorted(customers.NUMBERS))), draw(st.integers(-500, 12_000))
        shown = str(value)
    return f"{column} {operator} {shown}", lambda row: compare(row[column], value)


@few
@given(parts=st.lists(comparisons(), min_size=1, max_size=4), joints=st.lists(st.sampled_from(["and", "OR"])))
def test_a_filter_means_what_it_says(service: Service, parts: list[Any], joints: list[str]) -> None:
    joints = (joints + ["and"] * 4)[: len(parts) - 1]
    text = parts[0][0] + "".join(f" {joint} {part[0]}" for joint, part in zip(joints, parts[1:], strict=True))
    groups = [[parts[0][1]]]
    for joint, part in zip(joints, parts[1:], strict=True):
        if joint == "OR":
            groups.append([part[1]])
        else:
            groups[-1].append(part[1])
    expected = [row["id"] for row in ROWS if any(all(test(row) for test in group) for group in groups)]
    status, body = service.ask("POST", "/datasets/customers/query", {"filter": text, "columns": ["id"]})
    assert status == 200, body
    assert [row["id"] for row in body["rows"]] == expected


WORDS = (
    "country id ssn = <> < like and or not in is null 'DE' '' ' 1 -1 1.5 ; -- /* */ ( ) , || union select from "
    "customers sqlite_master drop table attach pragma 1=1 ? :a @a $a \" ` [ ] x'41' 0x1 1e9 rowid * glob regexp "
    "match escape collate load_extension('x') \x00 é"
)
INJECTIONS = st.lists(
    st.one_of(
        st.sampled_from(WORDS.split(" ")),
        st.text(max_size=4),
    ),
    max_size=12,
).map(" ".join)


@few
@given(text=INJECTIONS)
@example("country = 'DE' or 1=1")
@example("country = 'DE'; drop table customers")
@example("country = 'DE' -- and balance > 1000")
@example("country = 'DE\\' or country = 'FR'")
@example("country = 'x' union select ssn from customers where country = 'DE'")
@example("id = 1 or (select 1)")
@example("ssn = x'41'")
@example("id = 1e9")
@example("id = 99999999999999999999999")
@example("country='DE'or id=1")
@example(" or ".join(["id = 1"] * 51))
@example("id = 1" + " " * 3000)
def test_a_filter_is_read_whole_or_not_at_all(service: Service, text: str) -> None:
    condition: filters.Condition | None = None
    with contextlib.suppress(filters.FilterError):
        condition = filters.parse(text)
    if condition:  # whatever came in, only these words can come out as SQL
        assert set(condition.sql.split()) <= {*customers.COLUMNS, *OPERATORS, "LIKE", "AND", "OR", "?"}
        assert condition.sql.count("?") == len(condition.parameters)
    status, answer = service.ask("POST", "/datasets/customers/query", {"filter": text, "limit": 1})
    assert status == (200 if condition else 400), answer
    assert service.ask("GET", "/datasets/customers")[1]["rows"] == 10_000


def test_like_is_for_text(service: Service) -> None:
    body = {"filter": "name like 'A%' and country = 'SE'", "columns": ["name", "country"]}
    status, answer = service.ask("POST", "/datasets/customers/query", body)
    assert status == 200 and answer["rows"]
    assert all(row["name"].startswith("A") and row["country"] == "SE" for row in answer["rows"])
    assert service.ask("POST", "/datasets/customers/query", {"filter": "id like '1%'"})[0] == 400


# exports


def test_an_export_is_in_the_sink_and_can_be_read_back(service: Service) -> None:
    asked = {"destination": "s3://partner-drop/2026/q1.ndjson", "columns": ["id", "ssn"], "chunks": [5, 2]}
    status, body = service.ask("POST", "/datasets/customers/exports", asked)
    assert (status, body["rows"], body["columns"]) == (201, 200, ["id", "ssn"])
    assert body["destination"] == asked["destination"] and body["export"]
    written = (service.state / "sink/partner-drop/2026/q1.ndjson").read_text().splitlines()
    expected = ROWS[500:600] + ROWS[200:300]
    assert [json.loads(line) for line in written] == [{"id": row["id"], "ssn": row["ssn"]} for row in expected]


def test_an_export_of_everything(service: Service) -> None:
    status, body = service.ask("POST", "/datasets/customers/exports", {"destination": "s3://acme-lake/all"})
    assert (status, body["rows"], body["columns"]) == (201, 10_000, list(customers.COLUMNS))


TRAVERSALS = [
    "s3://bucket/../../outside",
    "s3://bucket/a/../../../outside",
    "s3://bucket/a/..",
    "s3://../outside",
    "s3://.../outside",
    "s3://a..b/outside",
    "s3://bucket//etc/passwd",
    "s3://bucket/",
    "s3://bucket",
    "s3:///key",
    "s3://bucket/.hidden",
    "s3://bucket/a\\..\\b",
    "s3://bucket/a\x00b",
    "s3://bucket/a\n",
    "s3://bucket/%2e%2e/.x",
    "s3://bucket/key?x=1",
    "s3://user@bucket/key",
    "s3://Bucket/key",
    "file:///etc/passwd",
    "/etc/passwd",
    "S3://bucket/key",
    "s3://bucket/" + "a/" * 500 + "b",
    "s3://bucket/" + "a" * 300,
]


@pytest.mark.parametrize("destination", TRAVERSALS)
def test_an_export_stays_in_the_sink(service: Service, destination: str) -> None:
    before = sorted(service.state.parent.rglob("*"))
    status, body = service.ask("POST", "/datasets/customers/exports", {"destination": destination, "chunks": [0]})
    assert (status, body["error"]["code"]) == (400, "bad-destination")
    assert sorted(service.state.parent.rglob("*")) == before


@given(rest=st.text("ab./\\%~\x00é-", max_size=30), bucket=st.text("ab.-/", max_size=8))
def test_no_destination_leads_out(rest: str, bucket: str) -> None:
    try:
        place = Sink(Path("/state")).place(f"s3://{bucket}/{rest}")
    except DestinationError:
        return
    assert Path(os.path.normpath(place)) == place and place.parts[:3] == ("/", "state", "sink") and len(place.parts) > 4


def test_a_link_in_the_sink_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "state/sink").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "state/sink/bucket").symlink_to(tmp_path / "outside")
    with pytest.raises(DestinationError):
        Sink(tmp_path / "state").write("s3://bucket/key", [{"id": 1}])
    assert not list((tmp_path / "outside").iterdir())


def test_a_key_below_another_key_is_told(service: Service) -> None:
    for key, status in (("one", 201), ("one/two", 400), ("three/four", 201), ("three", 400)):
        asked = {"destination": f"s3://nested/{key}", "chunks": [0]}
        assert service.ask("POST", "/datasets/customers/exports", asked)[0] == status
    assert not list((service.state / "sink-parts").iterdir())


# scripts


def test_a_script_selects(service: Service) -> None:
    code = "select country, count(*) as people from customers group by country order by people desc limit 2"
    status, body = service.ask("POST", "/scripts", {"dataset": "customers", "code": code})
    assert status == 200
    assert [set(row) for row in body["output"]] == [{"country", "people"}] * 2
    assert service.ask("POST", "/scripts", {"dataset": "nothing", "code": code})[0] == 404


@pytest.mark.parametrize(
    "code",
    [
        "",
        "-- nothing",
        "drop table customers",
        "delete from customers",
        "update customers set ssn = ''",
        "insert into customers (id) values (0)",
        "select 1; drop table customers",
        "attach ':memory:' as x",
        "attach '/etc/passwd' as x",
        "pragma journal_mode = wal",
        "vacuum into '/tmp/out.sqlite3'",
        "select * from sqlite_master",
        "select * from pragma_table_list",
        "select load_extension('x')",
        "select writefile('x', 'y')",
        "select zeroblob(1000000000)",
        "select x'00'",
        "select hex(zeroblob(500000000))",
        "select 1 as a, 2 as a",
        "select id from customers",  # more rows than a script may give
        "select (select group_concat(notes) from customers) as n, id from customers limit 900",
        "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
        "select count(*) from customers a, customers b, customers c, customers d",
        "select '\x00",
    ],
)
def test_a_script_only_reads_and_ends(service: Service, code: str) -> None:
    status, body = service.ask("POST", "/scripts", {"dataset": "customers", "code": code})
    assert (status, body["error"]["code"]) == (400, "bad-script")
    assert service.ask("GET", "/datasets/customers")[1]["rows"] == 10_000


# codings


@pytest.mark.parametrize("coding", codings.NAMES)
def test_answers_in_the_coding_asked_for(service: Service, coding: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": coding}
    response, body = service.raw("GET", "/datasets/customers/chunks/9", headers=headers)
    assert (response.status, response.headers["content-encoding"]) == (200, coding)
    assert (response.headers["vary"], int(response.headers["content-length"])) == ("Accept-Encoding", len(body))
    assert json.loads(codings.decode(body, coding, 1 << 20))["rows"] == ROWS[900:1000]


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZIP;Q=1", "gzip"),
        ("gzip, br, zstd", "zstd"),
        ("gzip, br;q=0.5, zstd;q=0", "gzip"),
        ("br;q=0.1", "br"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0, gzip;q=0", "br"),
        ("deflate, compress", None),
        ("gzip;q=0", None),
        ("gzip;q=x", None),
        ("identity;q=1, gzip;q=0.5", None),
    ],
)
def test_the_weights_decide(accept: str, coding: str | None) -> None:
    assert preferred(accept) == coding


# the process


def test_drops_for_who_may_and_comes_back_whole_with_its_certificates(tmp_path: Path) -> None:
    service = running(tmp_path)
    trusted = (tmp_path / "ca.pem").read_bytes()
    try:
        assert service.ask("DELETE", "/datasets/customers") == (200, {"dropped": "customers"})
        assert service.ask("GET", "/datasets/customers")[0] == 404
        assert service.ask("GET", "/datasets/customers/chunks/0")[0] == 404
        assert service.ask("DELETE", "/datasets/customers")[0] == 404
        assert service.ask("POST", "/datasets/customers/exports", {"destination": "s3://bucket/key"})[0] == 404
        assert not (tmp_path / "sink/bucket").exists()
        with socket.create_connection(("127.0.0.1", service.port)) as idle:  # must not hold up the end
            service.process.terminate()
            assert service.process.wait(timeout=60) == 0
            idle.close()
        again = running(tmp_path)
        try:
            assert again.ask("GET", "/datasets/customers")[1]["rows"] == 10_000
            assert (tmp_path / "ca.pem").read_bytes() == trusted
        finally:
            again.process.terminate()
            again.process.communicate(timeout=60)
    finally:
        service.process.kill()
        service.process.communicate()


def test_the_key_is_for_its_owner_alone(service: Service) -> None:
    assert (service.state / "service.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("token", ["", "short", "has a space in it, so no token"])
def test_no_token_no_service(tmp_path: Path, token: str) -> None:
    process = start(tmp_path, CHUNKS_TOKEN=token)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert errors.startswith("Set CHUNKS_TOKEN") and errors.count("\n") == 1
    assert not (tmp_path / "port").exists()


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = start(tmp_path / "file")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("The chunk service cannot start: ") and errors.count("\n") == 1
