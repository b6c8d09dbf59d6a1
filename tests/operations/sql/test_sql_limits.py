"""Bounds: what is long or deep is read elsewhere, what takes too long is not read, what is remembered is bounded."""

import asyncio

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Operation, Principal
from sluicegate.operations import Reader
from sluicegate.operations.addon import OperationsAddon
from sluicegate.operations.dialect import Dialect
from sluicegate.operations.sql import Later, Worker, read_sql, waiting
from sluicegate.operations.sql import reader as reader_module
from sluicegate.operations.sql.cache import Cache
from sluicegate.operations.sql.reader import INLINE, MAX_CHARACTERS, Asked
from sluicegate.operations.sql.reading import Read, read_now
from sluicegate.operations.sql.worker import MAX_WAITING
from sluicegate.settings import Settings
from tests.operations.sql.tables import KNOWN

LONG = "select id from emp where id in (" + ", ".join(map(str, range(2000))) + ")"


def asked(text):
    return Asked(text, "trino", KNOWN, None, None, {})


def test_long_texts_are_never_read_on_the_event_loop():
    assert len(LONG) > INLINE

    async def here():
        with waiting(), pytest.raises(Later):
            read_sql(LONG + " -- 1", "trino", KNOWN)
        return read_sql(LONG + " -- 2", "trino", KNOWN)

    read = asyncio.run(here())
    assert read.operation.kind == "unknown" and read.operation.opaque and read.regenerated is None


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from emp" + " join emp" * 100,
        "select " + "(" * 40 + "1" + ")" * 40,
        "select cast(a as " + "tuple(" * 40 + "int" + ")" * 40 + ")",
    ],
)
def test_deep_texts_are_not_read_there_either(text):
    async def here():
        with waiting(), pytest.raises(Later):
            read_sql(text, "clickhouse", KNOWN)

    asyncio.run(here())


def test_what_is_too_long_is_not_read_at_all():
    read = read_sql("select '" + "x" * MAX_CHARACTERS + "'", "trino", KNOWN)
    assert read.operation.kind == "unknown" and "too long" in read.operation.opaque


DOUBLED = "with a0 as (select id, ssn from emp)" + "".join(
    f", a{n} as (select x.*, y.* from a{n - 1} x, a{n - 1} y)" for n in range(1, 25)
)


@pytest.mark.parametrize(
    "text",
    [
        f"{DOUBLED} select * from a24",
        "select " + "(select " * 300 + "1" + ")" * 300,
        "select " * 200,
        "with recursive r(" + ",".join(f"c{n}" for n in range(60)) + ") as (select " + ",".join(["id"] * 60) + " from emp union select " + ",".join(f"c{(n + 1) % 60}" for n in range(60)) + " from r) select c1 from r",
    ],
    ids=["doubling", "subqueries", "words", "rotation"],
)  # fmt: skip
def test_work_is_bounded(text):
    read = read_now(text, "postgres", KNOWN, None, None, {})
    assert (
        read.operation.opaque or read.operation.outputs is None or read.operation.outputs[0].origins == {("emp", "id")}
    )


async def test_a_worker_reads_what_is_long_and_remembers_it():
    worker = Worker(30)
    try:
        text = LONG + " -- a"
        with waiting(), pytest.raises(Later) as raised:
            read_sql(text, "trino", KNOWN)
        first = await _patiently(worker, raised.value.asked)
        with waiting():
            second = read_sql(text, "trino", KNOWN)
        assert first == second and second.operation.columns == ("id",) and second.operation.statement == text
        assert "--" not in second.regenerated
    finally:
        worker.stop()


async def _patiently(worker, question):
    for _ in range(20):  # a machine under load takes its time to start a process
        try:
            return await worker.read(question)
        except Refusal as refusal:
            assert refusal.status == 503
    raise AssertionError("the worker does not start")


async def test_a_worker_that_takes_too_long_is_killed_and_replaced():
    worker = Worker(0.5)
    try:
        slow = "select cast(a as " + "tuple(" * 60 + "int" + ")" * 60 + ") from emp"
        read = await _patiently(worker, Asked(slow, "clickhouse", KNOWN, None, None, {}))
        assert read.operation.kind == "unknown" and "too long" in read.operation.opaque
        worker._seconds = 30
        after = await _patiently(worker, asked(LONG + " -- b"))
        assert after.operation.kind == "read"
    finally:
        worker.stop()


async def test_only_so_many_wait():
    worker = Worker()
    worker._waiting = MAX_WAITING
    with pytest.raises(Refusal):
        await worker.read(asked(LONG + " -- c"))


def test_what_is_remembered_is_bounded():
    cache = Cache(100_000)
    reads = {n: Read(Operation("wh", "read", statement=f"{n}" * 500)) for n in range(500)}
    for n, read in reads.items():
        cache.put((f"{n}" * 500, n), KNOWN, read)
        assert cache.bytes <= 100_000
    assert 0 < len(cache) < 500
    assert cache.get(("499" * 500, 499), KNOWN) is reads[499] and cache.get(("0" * 500, 0), KNOWN) is None


def test_a_new_policy_is_a_new_answer():
    cache = Cache()
    other = type(KNOWN)("wh", {}, {})
    cache.put(("x",), KNOWN, Read(Operation("wh", "read")))
    assert cache.get(("x",), other) is None


def test_the_same_text_is_read_once(monkeypatch):
    calls = []
    monkeypatch.setattr(reader_module, "read_now", lambda *given: calls.append(given) or read_now(*given))
    text = "select ssn from emp where id = 4711"
    assert read_sql(text, "trino", KNOWN) is read_sql(text, "trino", KNOWN)
    read_sql(text, "trino", KNOWN, schema="hr")
    read_sql(text, "postgres", KNOWN)
    assert len(calls) == 3


class LongDialect(Dialect):
    def match(self, view):
        return ""

    def read(self, view, known, session):
        return read_sql(view.body.decode(), "trino", known).operation


async def test_the_addon_waits_for_the_worker(monkeypatch):
    monkeypatch.setattr("sluicegate.operations.read.DIALECTS", {"long": LongDialect})
    monkeypatch.setattr("sluicegate.operations.sql.worker.SECONDS", 30)
    policy = {
        "identity": {"issuer": "https://idp.test"},
        "services": {"wh": {"hosts": ["wh.test"], "dialect": "long"}},
        "datasets": {"emp": {"service": "wh", "columns": {"ssn": "restricted"}}},
    }
    addon = OperationsAddon(Reader(Settings.model_validate(policy), SetClock()), 1 << 20)
    addon._worker = Worker(30)
    flow = tflow.tflow(req=http.Request.make("POST", "https://wh.test/", LONG + " -- d"))
    exchange = Exchange(
        "1", 0.0, service="wh", scheme="https", host="wh.test", port=443, principal=Principal("ada", "i")
    )
    try:
        for _ in range(20):
            later = addon.request(flow, exchange)
            assert later is not None and exchange.operation is None
            try:
                await later
            except Refusal as refusal:
                assert refusal.status == 503 and exchange.operation is None
            else:
                break
        assert exchange.operation.kind == "read" and exchange.operation.dataset == "emp"
    finally:
        await addon.close()


MONSTERS = {
    "a text of a million characters": "select id from emp where name in ('" + "', '".join(f"n{n:08}" for n in range(78_000)) + "')",
    "a hundred thousand numbers": "select id from emp where id in (" + ", ".join(["1"] * 100_000) + ")",
    "fifty thousand brackets": "select id from emp where id = " + "(" * 50_000 + "1" + ")" * 50_000,
    "fifty thousand nots": "select id from emp where " + "not " * 50_000 + "id = 1",
    "a union of three thousand": " union all ".join(["select id from emp"] * 3_000),
    "three thousand joins": "select a.id from emp a" + "".join(f" join emp b{n} on a.id = b{n}.id" for n in range(3_000)),
    "ten thousand columns": "select " + ", ".join(f"ssn as c{n}" for n in range(10_000)) + " from emp",
    "ten thousand additions": "select " + "+".join(["id"] * 10_000) + " from emp",
    "ten thousand statements": ";".join(["select id from emp"] * 10_000),
    "comments without an end": "select id from emp " + "/* " * 100_000,
    "a quote without an end": "select id from emp where name = '" + "x" * 100_000,
}  # fmt: skip


async def test_monsters_are_read_or_refused_within_the_limit_and_the_next_statement_is_read():
    """The time limit is the worker's own: what it does not read is opaque, and what it reads says what it touches."""
    worker, language = Worker(0.3), "snowflake"
    try:
        for name, text in MONSTERS.items():
            assert len(text) <= MAX_CHARACTERS, name
            read = await _patiently(worker, Asked(text, language, KNOWN, None, None, {}))
            operation = read.operation
            if operation.opaque:
                assert operation.kind == "unknown" and read.regenerated is None, name
            else:
                touched = {*operation.columns, *operation.predicates}
                touched |= {column for part in operation.parts for column in (*part.columns, *part.predicates)}
                assert ("ssn" if "columns" in name else "id") in touched or operation.column_scope != "listed", name
        worker._seconds = 30.0
        after = await _patiently(
            worker, Asked("select id from emp -- " + "x" * INLINE, language, KNOWN, None, None, {})
        )
        assert after.operation.kind == "read" and after.operation.columns == ("id",)
    finally:
        worker.stop()
