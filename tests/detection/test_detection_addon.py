"""Detection as stages: risk before the verdict, findings before the response leaves, and nothing where it is off."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.test import tflow, tutils
from sqlalchemy import select

from sluicegate.clock import SetClock
from sluicegate.database import events
from sluicegate.database.tables import findings
from sluicegate.detection import problems
from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.exposing import ExposureAddon
from sluicegate.detection.holdings import HoldingsAddon
from sluicegate.detection.kept import LATE
from sluicegate.detection.look import Signal
from sluicegate.detection.taint import worker
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Exposure, Finding, Operation, Principal
from sluicegate.policy import Policy, decide
from sluicegate.policy.addon import AfterwardsAddon, PolicyAddon
from sluicegate.settings import Loaded, Settings, State
from tests.databases import with_tables
from tests.detection.organisation import MONDAY, settings

ADA = Principal("ada", "https://idp.test", frozenset({"eng"}), name="Ada")
ROWS = json.dumps({"rows": [{"id": number, "ssn": f"{number:09}"} for number in range(5)]}).encode()


def loaded(rules=(), masks=(), **detection) -> Loaded:
    made = settings(**detection)
    made = Settings.model_validate({**made.model_dump(), "rules": list(rules), "masks": list(masks)})
    return Loaded(made, "d" * 64, Path("policy.toml"), {})


class Gate:
    """The stages of detection and policy around one exchange after the other."""

    def __init__(self, database, rules=(), masks=(), **detection):
        read = [{"id": "read", "effect": "allow", "kind": ["read"]}, {"id": "all", "effect": "allow", "dataset": ["*"]}]
        told = loaded([*read[: 1 + bool(masks)], *rules], masks, **detection)
        self.database = database
        self.state = State(Path(str(database.url.database)).parent).open()
        self.risk = RiskAddon(told, self.state, database, SetClock(MONDAY))
        self.policy = PolicyAddon(told)
        self.exposure = ExposureAddon(told.settings, self.risk)
        self.afterwards = AfterwardsAddon(self.policy, self.risk.again)
        self.holdings = HoldingsAddon(self.risk)
        self.number = 0

    async def send(self, body=ROWS, job="letters", **changes):
        """Raises Refusal as a hook would. Gives the exchange."""
        return await (await self.asked(body, job, **changes))()

    async def asked(self, body=ROWS, job="letters", **changes):
        """A request that was let through; what is given back has it answered."""
        self.number += 1
        exchange = Exchange(
            f"x{self.number}", MONDAY + self.number, method="GET", service="chunks", principal=ADA, job=job
        )
        exchange.operation = Operation(
            "chunks", "read", dataset="customers", declared=True, columns=("id",), column_scope="listed"
        )
        for name, value in changes.items():
            setattr(exchange, name, value)
        self.exchange = exchange
        flow = tflow.tflow(resp=tutils.tresp(content=body, headers=[(b"content-type", b"application/json")]))
        flow.request.raw_content = b""
        result = self.risk.request(flow, exchange)
        if inspect.isawaitable(result):
            await result
        self.policy.request(flow, exchange)

        async def answered():
            for stage in (self.exposure, self.afterwards, self.holdings):
                result = stage.response(flow, exchange)
                if inspect.isawaitable(result):
                    await result
            return exchange

        return answered

    async def stored(self):
        return await self.database.read(lambda c: c.execute(select(findings)).all())


@pytest.fixture
async def database(tmp_path):
    made = with_tables(tmp_path / "d.sqlite3")
    await made.open()
    yield made
    await made.close()


async def test_a_finding_is_written_before_the_response_leaves_and_the_next_request_is_judged_with_it(database):
    gate = Gate(database, [{"id": "risky", "effect": "deny", "finding": ["beyond-*"], "reason": "Look at this first."}])
    with pytest.raises(Refusal, match="Look at this first"):
        await gate.send()  # nobody had been pointed to: the response itself is what is refused
    exchange = gate.exchange
    (row,) = await gate.stored()
    assert (row.indicator, row.exchange, row.person, row.certain) == ("beyond-job", "x1", "https://idp.test ada", True)
    assert exchange.findings[0].indicator == "beyond-job" and exchange.risk > 30
    assert exchange.verdict.effect == "deny" and exchange.verdict.rules == ("risky",)
    (told,) = await database.read(events.waiting)
    assert told.kind == "finding.raised" and told.body["id"] == row.id and told.body["evidence"]["columns"] == "ssn"
    with pytest.raises(Refusal) as refused:
        await gate.send(job=None)
    assert refused.value.code == "policy-denied" and gate.exchange.exposure is None  # before anything was fetched


@pytest.mark.parametrize("rule", [{"finding": ["beyond-*"]}, {"risk_above": 20.0}])
async def test_what_was_asked_for_at_once_is_kept_back_as_well(database, rule):
    gate = Gate(database, [{"id": "risky", "effect": "deny", **rule}])
    several = [await gate.asked() for _ in range(4)] + [await gate.asked(b'{"rows":[{"id":1}]}')]
    refused = []
    for answered in several:  # all were judged before anything was found, and the finding is said once
        with pytest.raises(Refusal) as why:
            await answered()
        refused.append(why.value.code)
    assert refused == ["policy-denied"] * 5 and len(await gate.stored()) == 1
    assert "beyond-job" in gate.exchange.known and gate.exchange.verdict.rules == ("risky",)


async def test_what_was_asked_for_at_once_is_held_back_where_a_rule_would_hold_it_now(database):
    rule = {"id": "risky", "effect": "hold", "finding": ["beyond-*"], "approvers": ["group:security"]}
    gate = Gate(database, [rule])
    first, second = await gate.asked(), await gate.asked(b'{"rows":[{"id":1}]}')
    for answered in (first, second):
        with pytest.raises(Refusal) as why:
            await answered()
        assert why.value.code == "found-meanwhile"


async def test_what_was_found_while_a_request_was_held_stops_it_before_it_goes(database):
    rules = [
        {"id": "ask", "effect": "hold", "columns": ["id"], "approvers": ["group:security"]},
        {"id": "risky", "effect": "deny", "finding": ["beyond-*"]},
    ]
    gate = Gate(database, rules)
    await gate.asked()
    held = gate.exchange
    assert held.verdict.effect == "hold"
    held.approval = "a-1"  # somebody says yes
    assert gate.afterwards.request(None, held) is None
    other = await gate.asked()
    with pytest.raises(Refusal):
        await other()
    with pytest.raises(Refusal) as refused:
        gate.afterwards.request(None, held)
    assert refused.value.code == "policy-denied" and held.verdict.rules == ("risky",)
    held.approval, held.meanwhile = None, False
    assert gate.afterwards.request(None, held) is None  # it was not held, so it was judged just now


async def test_what_is_no_longer_known_meanwhile_counts_as_above(database):
    gate = Gate(database, [{"id": "risky", "effect": "deny", "risk_above": 90.0}])
    answered = await gate.asked(b'{"rows":[{"id":1}]}')
    gate.risk.kept._lacking["write"] = MONDAY - LATE - 1
    with pytest.raises(Refusal):
        await answered()


@pytest.mark.parametrize("mode", ["enforce", "report"])
async def test_in_report_mode_what_is_found_in_a_request_stops_it_not(database, monkeypatch, mode):
    gate = Gate(database, [{"id": "leak", "effect": "deny", "finding": ["taint"]}], mode=mode)

    async def look(*_):
        return (Signal("taint", "chunks", 20.0, 3.0, "3 rows of customers", {"rows": "3"}, certain=True),)

    monkeypatch.setattr(gate.risk.taints, "look", look)
    monkeypatch.setattr(gate.risk.taints.zones, "looks", lambda service: True)
    if mode == "enforce":
        with pytest.raises(Refusal):
            await gate.send(job=None)
    else:
        await gate.send(job=None)
        assert [row.indicator for row in await gate.stored()] == ["taint"]
    assert [one.indicator for one in gate.exchange.findings] == ["taint"]


async def test_in_report_mode_nothing_that_was_asked_for_at_once_is_kept_back(database):
    gate = Gate(database, [{"id": "risky", "effect": "deny", "finding": ["beyond-*"]}], mode="report")
    for answered in [await gate.asked() for _ in range(3)]:
        await answered()
    assert len(await gate.stored()) == 1


async def test_what_a_finding_kept_back_nobody_holds(database, monkeypatch):
    gate = Gate(database, [{"id": "risky", "effect": "deny", "finding": ["beyond-*"]}])
    held = []
    monkeypatch.setattr(gate.risk.taints, "learn", lambda handed: held.append(handed.exchange))
    with pytest.raises(Refusal):
        await gate.send()
    assert gate.exchange.findings and held == []  # it was never handed over
    gate = Gate(database)
    monkeypatch.setattr(gate.risk.taints, "learn", lambda handed: held.append(handed.exchange))
    await gate.send()
    assert held == ["x1"]


@pytest.mark.parametrize(
    ("exposed", "masked"),
    [
        (Exposure(), ()),  # a format that nobody reads here: which columns left is not known, so all of them may have
        (Exposure({"id": "clear", "ssn": "masked"}), ("ssn",)),
        (Exposure({"ssn": "masked"}), ("ssn",)),  # there may be more than was told
    ],
)
async def test_what_is_held_is_what_left_in_clear(database, monkeypatch, exposed, masked):
    gate, held = Gate(database), []
    monkeypatch.setattr(gate.risk.taints, "learn", lambda handed: held.append(handed.masked))
    await gate.send(exposure=exposed, job=None)
    assert held == [masked]


async def test_risk_alone_changes_the_answer_too(database):
    gate = Gate(database, [{"id": "risky", "effect": "deny", "risk_above": 20.0}])
    assert (await gate.send(body=b'{"rows":[{"id":1}]}')).risk == 0
    with pytest.raises(Refusal):
        await gate.send()
    with pytest.raises(Refusal):
        await gate.send(body=b'{"rows":[{"id":1}]}')


@pytest.mark.parametrize("rule", [{"risk_above": 90.0}, {"finding": ["taint"]}])
async def test_a_risk_that_is_not_known_counts_as_above(database, rule):
    gate = Gate(database, [{"id": "risky", "effect": "deny", **rule}])
    assert (await gate.send(body=b'{"rows":[{"id":1}]}')).verdict.effect == "allow"
    gate.risk.kept._lacking["write"] = MONDAY - LATE - 1  # nothing can be written since
    with pytest.raises(Refusal) as refused:
        await gate.send(body=b'{"rows":[{"id":1}]}')
    assert refused.value.rules == ("risky",) and math.isnan(gate.exchange.risk)


async def test_a_learner_that_fails_lets_nothing_through(database, monkeypatch):
    gate = Gate(database)

    def broken(*_, **__):
        raise ArithmeticError("a habit that cannot be")

    for name in ("before", "after"):  # the pipeline makes a refusal of it
        with monkeypatch.context() as failing:
            failing.setattr(gate.risk.watching, name, broken)
            with pytest.raises(ArithmeticError):
                await gate.send()


async def test_masks_are_harder_for_this_request(database):
    masks = [
        {"id": "usual", "columns": ["ssn"], "method": "last4"},
        {"id": "at-risk", "columns": ["ssn"], "method": "null", "risk_above": 20.0},
    ]
    gate = Gate(database, masks=masks)
    assert [o.method for o in (await gate.send(body=b'{"rows":[{"id":1}]}')).verdict.obligations] == ["last4"]
    with pytest.raises(Refusal) as refused:  # what led to the finding does not leave masked too little
        await gate.send()
    assert refused.value.code == "found-meanwhile"
    exchange = await gate.send(body=b'{"rows":[{"id":1}]}')
    assert [(o.mask, o.method) for o in exchange.verdict.obligations] == [("at-risk", "null")]


async def test_a_fresh_sign_in_is_asked_for_at_a_risk(database):
    rule = {"id": "who-is-it", "effect": "deny", "risk_above": 20.0, "sign_in_age_above": 300.0}
    gate = Gate(database, [rule])
    plain = b'{"rows":[{"id":1}]}'
    since = replace(ADA, authenticated=MONDAY - 3600)
    assert (await gate.send(body=plain, principal=since)).verdict.effect == "allow"
    with pytest.raises(Refusal):
        await gate.send(principal=since)
    with pytest.raises(Refusal) as refused:
        await gate.send(body=plain, principal=since)
    assert refused.value.rules == ("who-is-it",) and "sluicegate login --fresh" in refused.value.next_step
    fresh = replace(ADA, authenticated=MONDAY)
    assert (await gate.send(body=plain, principal=fresh)).verdict.effect == "allow"


async def test_a_rule_that_holds_keeps_the_response_back_and_holds_the_next_request(database):
    hold = {"id": "ask", "effect": "hold", "finding": ["beyond-job"], "approvers": ["group:x"]}
    gate = Gate(database, [hold])
    with pytest.raises(Refusal) as refused:
        await gate.send()
    assert (refused.value.code, refused.value.status, refused.value.rules) == ("found-meanwhile", 403, ("ask",))
    assert (await gate.send(job=None)).verdict.effect == "hold"


async def test_without_rules_about_risk_nothing_is_refused(database):
    gate = Gate(database)
    exchange = await gate.send()
    assert exchange.verdict.effect == "allow" and exchange.findings and len(await gate.stored()) == 1


async def test_report_changes_no_answer_and_writes_all_the_same(database):
    gate = Gate(database, [{"id": "risky", "effect": "deny", "risk_above": 1.0}], mode="report")
    for _ in range(2):
        exchange = await gate.send()
        assert exchange.risk == 0 and exchange.known == frozenset()
    assert len(await gate.stored()) == 1


async def test_off_counts_nothing(database):
    gate = Gate(database, mode="off")
    exchange = await gate.send()
    assert exchange.exposure.rows == 5 and not exchange.findings and not gate.risk.watching.people


async def test_a_finding_that_cannot_be_written_lets_nothing_through(database, monkeypatch):
    async def broken(work, **_):
        raise OSError

    monkeypatch.setattr(database, "run", broken)
    with pytest.raises(Refusal) as refused:
        await Gate(database).send()
    assert refused.value.code == "finding-not-written" and refused.value.status == 503
    exchange = await Gate(database, mode="report").send()
    assert exchange.findings


@pytest.mark.parametrize("mode", ["enforce", "report"])
async def test_who_tries_again_after_a_finding_could_not_be_written_waits_for_it(database, monkeypatch, mode):
    gate = Gate(database, mode=mode)
    refusals = []

    async def broken(work, **_):
        raise OSError

    with monkeypatch.context() as failing:
        failing.setattr(database, "run", broken)
        for _ in range(2):  # the same again says nothing new, and yet what was found has to be written first
            try:
                await gate.send()
            except Refusal as refused:
                refusals.append(refused.code)
    assert refusals == ["finding-not-written"] * (2 if mode == "enforce" else 0)
    await gate.send()
    (row,) = await gate.stored()
    assert row.indicator == "beyond-job" and row.exchange == "x1"
    await gate.send()
    assert len(await gate.stored()) == 1


async def test_a_finding_that_could_not_be_written_is_written_behind_requests(database, monkeypatch):
    gate = Gate(database, mode="report")

    async def broken(work, **_):
        raise OSError

    with monkeypatch.context() as failing:
        failing.setattr(database, "run", broken)
        await gate.send()
        await gate.risk.kept.write()
    await gate.risk.kept.write()
    assert [row.indicator for row in await gate.stored()] == ["beyond-job"]


async def test_refusals_are_learned_from_and_stay_refusals(database):
    gate = Gate(database)
    refusal = Refusal(403, "policy-denied", "no", "no")
    for number in range(3):
        exchange = Exchange(f"r{number}", MONDAY + number, service="chunks", principal=ADA, refusal=refusal)
        assert gate.exposure.response(tflow.tflow(resp=True), exchange) is None
        assert exchange.refusal is refusal and exchange.exposure is None
    assert gate.risk.watching.people["https://idp.test ada"].day.refusals == 3
    nobody = Exchange("n", MONDAY, refusal=refusal)
    assert gate.exposure.response(tflow.tflow(resp=True), nobody) is None


async def test_findings_of_other_rooms_are_written_as_they_are(database):
    gate = Gate(database)
    await gate.send(job=None, findings=[Finding("session-shared", "two machines")])
    (row,) = await gate.stored()
    assert (row.indicator, row.detail) == ("session-shared", "two machines")
    assert "session-shared" in (await gate.send(job=None)).known


async def test_names_with_anything_in_them_can_be_written(database):
    gate = Gate(database)
    await gate.send(findings=[Finding("session-shared", "\0 \ud800 \N{SNOWMAN}")], job=None)
    assert (await gate.stored())[0].detail == "\\0 \\ud800 \N{SNOWMAN}"


async def test_a_policy_that_changes_is_followed(database):
    gate = Gate(database)
    gate.risk.adopt(gate.risk.prepare(loaded(off=["beyond-job"])))
    assert not (await gate.send()).findings


def test_names_that_mean_nothing_are_problems():
    found = problems(loaded(off=["wlak"], weights={"secrett": 3.0}, time_zones={"p0": "UTC"}))
    assert [one.where for one in found] == ["detection.off", "detection.weights.secrett", "detection.time_zones"]
    assert "`walk`" in found[0].suggestion
    assert problems(loaded(off=["walk"], weights={"restricted": 3.0}, time_zones={"group:eng": "UTC"})) == []


def test_decisions_are_repeated_with_the_risk_they_were_made_with():
    from sluicegate.policy.context import Context

    told = loaded(
        [{"id": "read", "effect": "allow", "kind": ["read"]}, {"id": "no", "effect": "deny", "risk_above": 50.0}]
    )
    policy = Policy(told.settings, told.digest)
    operation = Operation("chunks", "read", dataset="customers", declared=True, column_scope="all")
    assert decide(policy, ADA, operation, Context(risk=50.0)).effect == "allow"
    assert decide(policy, ADA, operation, Context(risk=50.1)).effect == "deny"
    assert Exposure() == Exposure()


PERSONS = [{"id": n, "name": f"Person Number{n}", "email": f"person{n}@example{n}.org"} for n in range(20)]


async def upload(gate, body, rules_refuse=False):
    gate.number += 1
    exchange = Exchange(
        f"u{gate.number}", MONDAY + 500, method="POST", service="others", host="evil.test", principal=ADA
    )
    exchange.operation = Operation("others", "upload", destination="https://evil.test", destination_side="external")
    gate.exchange = exchange
    flow = tflow.tflow(resp=tutils.tresp(content=b"ok"))
    flow.request.raw_content = body
    try:
        await gate.risk.request(flow, exchange)
        gate.policy.request(flow, exchange)
    except Refusal as refusal:
        exchange.refusal = refusal
    result = gate.exposure.response(flow, exchange)
    if inspect.isawaitable(result):
        await result
    return exchange


async def test_values_that_were_received_and_are_sent_elsewhere_stop_that_very_request(database, monkeypatch):
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)  # how fast a process starts says something about the machine
    allow = {"id": "upload", "effect": "allow", "kind": ["upload"], "service": ["others"], "destination": "external"}
    deny = {"id": "taint", "effect": "deny", "finding": ["taint"], "reason": "These are our customers."}
    gate = Gate(database, [allow, deny], taint_seconds=8.0)
    harmless = await upload(gate, b"hello")
    assert harmless.refusal is None
    await gate.send(body=json.dumps({"rows": PERSONS}).encode(), job=None)
    await asyncio.wait([task for several in gate.risk.taints._pending.values() for task in several])
    stolen = await upload(gate, json.dumps([{"x": one["name"], "y": one["email"]} for one in PERSONS[:4]]).encode())
    assert stolen.refusal is not None and stolen.refusal.code == "policy-denied"
    (finding,) = [one for one in stolen.findings if one.indicator == "taint"]
    assert finding.evidence["rows"] == "4" and finding.evidence["id"]
    (row,) = [one for one in await gate.stored() if one.indicator == "taint"]
    assert row.certain and row.severity == "critical" and row.exchange == stolen.id
    assert (await upload(gate, b"hello")).refusal is not None  # the finding has not faded
    await gate.risk.taints.close()


@pytest.mark.parametrize(
    ("mode", "unread", "code"),
    [("enforce", "refuse", "not-looked-at"), ("enforce", "pass", None), ("report", "refuse", None)],
)
async def test_what_was_not_looked_at_is_refused_unless_the_policy_says_otherwise(
    database, monkeypatch, mode, unread, code
):
    gate = Gate(
        database,
        [{"id": "upload", "effect": "allow", "kind": ["upload"], "service": ["others"], "destination": "external"}],
        mode=mode,
        taint_unread=unread,
    )
    monkeypatch.setattr(database, "read", None)
    refusal = (await upload(gate, b"hello")).refusal
    assert (refusal.code if refusal else None) == code


async def test_findings_go_out_once_each_whatever_fails(database, tmp_path, monkeypatch, caplog):
    from sluicegate.detection.out import sending as out
    from sluicegate.detection.out.sending import Sending, ToFile

    target = tmp_path / "out" / "findings.jsonl"
    gate = Gate(database, ocsf_file=str(target))
    await gate.send()
    sending = Sending(database, ToFile(target))
    assert await sending.send() == 0 and await sending.send() == 0  # the folder is not there: it waits
    assert caplog.text.count("they wait") == 1
    target.parent.mkdir()
    target.write_bytes(b'{"cut off')

    def killed(*_, **__):
        raise RuntimeError("killed before the row was taken out")

    with monkeypatch.context() as kill:
        kill.setattr(out, "_sent", killed)
        assert await sending.send() == 0
    assert await sending.send() == 1 and await sending.send() == 0
    cut, line = target.read_bytes().splitlines()
    assert cut == b'{"cut off' and target.stat().st_mode & 0o077 in (0, 0o044)
    event = json.loads(line)
    (row,) = await gate.stored()
    assert (event["class_uid"], event["type_uid"], event["time"]) == (2006, 200601, int(row.at * 1000))
    assert event["finding_info"]["uid"] == row.id and event["actor"]["user"]["uid"] == "ada"
    assert event["severity_id"] in (2, 3, 4, 5) and event["unmapped"]["evidence"]["columns"] == "ssn"
    await gate.send(job=None, findings=[Finding("session-shared", "two machines")])
    await sending.send()
    assert json.loads(target.read_bytes().splitlines()[-1])["class_uid"] == 2004
