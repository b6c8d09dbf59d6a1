"""The keys that look at more than who asks for what: a table of cases for each, in both readings."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sluicegate.exchange import Operation, Output, Principal
from sluicegate.policy import Context, Use, decide
from sluicegate.policy.commands import MAX_LENGTH
from sluicegate.policy.context import kept_name

ALLOW = {"effect": "allow"}
ALL = {"effect": "allow", "id": "all"}
ANY = {"effect": "allow", "id": "any", "kind": ["read", "export", "script", "write", "unknown", "admin"]}
WHO = Principal("ada", "https://idp.test", frozenset({"eng"}))


def both(bench, keys, operation, context=None, principal=WHO):
    """Whether an allow and whether a deny with the keys matches."""
    context = context or Context()
    allowed = decide(bench({**ALLOW, **keys}).policy, principal, operation, context)
    denied = decide(bench(ALL, ANY, {"effect": "deny", "id": "it", **keys}).policy, principal, operation, context)
    held = decide(
        bench(ALL, ANY, {"effect": "hold", "id": "it", "approvers": ["group:x"], **keys}).policy,
        principal,
        operation,
        context,
    )
    assert ("it" in denied.rules) == ("it" in held.rules) == (denied.effect == "deny") == (held.effect == "hold")
    return allowed.effect == "allow", denied.effect == "deny"


@pytest.mark.parametrize(
    ("who", "principal", "match"),
    [
        (["machine:bot"], Principal("bot", "i", kind="machine"), (True, True)),
        (["machine:bot"], Principal("bot", "i"), (False, True)),
        (["person:bot"], Principal("bot", "i", kind="machine"), (False, True)),
        (["person:bot"], Principal("bot", "i"), (True, True)),
        (["kind:machine"], Principal("bot", "i", kind="machine"), (True, True)),
        (["kind:machine"], WHO, (False, False)),
        (["kind:person"], WHO, (True, True)),
        (["kind:robot", "eng"], WHO, (False, False)),
    ],
)
def test_machines_and_kinds(bench, ask, who, principal, match):
    assert both(bench, {"who": who}, ask(), principal=principal) == match


def test_one_name_for_a_person_and_a_machine_is_not_remembered_for_both(bench, ask):
    policy = bench({**ALLOW, "who": ["machine:x"]}).policy
    person, machine = Principal("x", "i"), Principal("x", "i", kind="machine")
    effects = [decide(policy, who, ask()).effect for who in (person, machine, person)]
    assert effects == ["deny", "allow", "deny"]


@pytest.mark.parametrize(
    ("keys", "strength", "match"),
    [
        ({"assurance": "bearer"}, "account", False),
        ({"assurance": "bearer"}, "bearer", True),
        ({"assurance": "bearer"}, "bound", True),
        ({"assurance": "network"}, "network", True),
        ({"assurance_below": "bearer"}, "account", True),
        ({"assurance_below": "bearer"}, "bearer", False),
    ],
)
def test_assurance(bench, ask, keys, strength, match):
    policy_order = [Principal("ada", "i", assurance=s) for s in ("network", "bound", strength)]
    policy = bench({**ALLOW, **keys}).policy
    assert [decide(policy, who, ask()).effect for who in policy_order][-1] == ("allow" if match else "deny")


@pytest.mark.parametrize(
    ("client", "match"),
    [
        ("10.1.2.3", (True, True)),
        ("::ffff:10.1.2.3", (True, True)),
        ("11.1.2.3", (False, False)),
        ("fd00::1", (True, True)),
        ("fe80::1%eth0", (False, False)),
        ("", (False, True)),
        ("010.1.2.3", (False, True)),
        ("nonsense", (False, True)),
    ],
)
def test_network(bench, ask, client, match):
    assert both(bench, {"network": ["10.0.0.0/8", "fd00::/8"]}, ask(), Context(client=client)) == match


BERLIN = ZoneInfo("Europe/Berlin")


def at(*moment, fold=0):
    return Context(now=datetime(*moment, tzinfo=BERLIN, fold=fold).timestamp())


@pytest.mark.parametrize(
    ("when", "context", "match"),
    [
        ("Mon-Fri 08:00-18:00 Europe/Berlin", at(2026, 11, 26, 8, 0), True),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", at(2026, 11, 26, 7, 59), False),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", at(2026, 11, 26, 18, 0), False),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", at(2026, 11, 28, 12, 0), False),
        ("08:00-18:00 UTC", at(2026, 11, 26, 8, 30), False),  # 07:30 in UTC
        ("08:00-18:00 UTC", at(2026, 7, 1, 10, 30), True),
        ("Fri 22:00-06:00 Europe/Berlin", at(2026, 11, 28, 5, 59), True),  # Saturday, of Friday's night
        ("Fri 22:00-06:00 Europe/Berlin", at(2026, 11, 27, 5, 59), False),  # Friday, of Thursday's night
        ("Fri 22:00-06:00 Europe/Berlin", at(2026, 11, 28, 23, 0), False),
        ("Sat,Sun Europe/Berlin", at(2026, 11, 29, 23, 59), True),
        ("Sat-Mon Europe/Berlin", at(2026, 11, 30, 0, 0), True),
        # Summer time begins on 2026-03-29 (02:00 becomes 03:00) and ends on 2026-10-25 (03:00 becomes 02:00 again).
        ("03:00-04:00 Europe/Berlin", Context(now=datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp()), True),
        ("02:00-03:00 Europe/Berlin", Context(now=datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp()), False),
        ("02:00-03:00 Europe/Berlin", at(2026, 10, 25, 2, 30, fold=0), True),
        ("02:00-03:00 Europe/Berlin", at(2026, 10, 25, 2, 30, fold=1), True),
        ("00:00-24:00 UTC", Context(now=0.0), True),
    ],
)
def test_when(bench, ask, when, context, match):
    assert both(bench, {"when": [when]}, ask(), context) == (match, match)


@pytest.mark.parametrize("now", [float("nan"), float("inf"), 1e300, -1e300])
def test_moments_that_are_none_allow_nothing(bench, ask, now):
    assert both(bench, {"when": ["Mon-Fri UTC"]}, ask(), Context(now=now)) == (False, True)


def sql(*kinds, **more):
    return Operation("chunks", **{"kind": "read", "dataset": "customers", "declared": True, "statements": kinds,
                                  "columns": ("id",), "column_scope": "listed", "statement": "x", **more})  # fmt: skip


@pytest.mark.parametrize(
    ("globs", "operation", "match"),
    [
        (["drop"], sql("drop"), (True, True)),
        (["drop"], sql("select"), (False, False)),
        (["drop"], sql("select", "drop"), (False, True)),
        (["create_*"], sql("create_udf"), (True, True)),
        (["DROP"], sql("drop"), (True, True)),
        (["drop"], sql("opaque", opaque="nobody knows", kind="unknown"), (False, True)),
        (["opaque"], sql("opaque", opaque="nobody knows"), (False, True)),
        (["drop"], sql("select", opaque="a part of it"), (False, True)),
        (["drop"], sql(statement=None), (False, False)),
        (["drop"], sql(statement="country = 'DE'"), (False, False)),
        (["drop"], sql(statement="1; DROP TABLE x"), (False, True)),
        (["create_udf"], sql(statement="1; create function x"), (False, True)),
        (["drop"], sql(statement="dr\\x6fp"), (False, True)),
        (["drop"], sql(statement=None, kind="script"), (False, True)),
    ],
)
def test_statements(bench, globs, operation, match):
    assert both(bench, {"statements": globs}, operation) == match


def script(text, digest="ab"):
    return Operation("chunks", "script", dataset="customers", declared=True, column_scope="unknown", script=text,
                     script_digest=digest)  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "operation", "match"),
    [
        (["drop\\s+table"], sql("drop", statement="DROP  TABLE x"), (False, True)),
        (["drop\\s+table .*"], sql("drop", statement="drop table x"), (True, True)),
        (["drop\\s+table"], sql("drop", statement="drop/**/table x"), (False, True)),
        (["drop\\s+table"], sql("drop", statement="drop -- x\n table y"), (False, True)),
        (["drop\\s+table"], sql("select", statement="select 1"), (False, False)),
        (["a.c"], sql("select", statement="xa\nc"), (False, True)),
        (["nothing"], sql("select", statement="x" * (MAX_LENGTH + 1)), (False, True)),
        ([".*"], sql("select", statement="x" * (MAX_LENGTH + 1)), (False, True)),
        ([".*"], sql("select", statement="\ud800"), (False, True)),
        (["drop"], sql("select", statement="\ud800 drop"), (False, True)),
        ([".*"], sql("select", statement=None), (False, False)),
        (["os\\.system"], script("import os; os.system('x')"), (False, True)),
        (["print\\(1\\)"], script("print(1)"), (True, True)),
        (["os"], script("print(1)"), (False, False)),
        ([".*"], script(None), (False, True)),
        (["os"], script("x" * (MAX_LENGTH + 1)), (False, True)),
        (["x"], Operation("chunks", "unknown", column_scope="unknown"), (False, True)),
    ],
)
def test_commands(bench, patterns, operation, match):
    keys = {"commands": patterns, "kind": [operation.kind], "dataset": ["*"]} if operation.dataset else {"commands": patterns, "kind": [operation.kind]}  # fmt: skip
    assert both(bench, keys, operation) == match


def test_each_rule_has_its_own_commands(bench):
    rules = [{"effect": "deny", "id": f"d{n}", "commands": [f"word{n}\\b", f"other{n}\\b"]} for n in range(40)]
    made = bench(ALL, *rules)
    assert made.verdict(sql("select", statement="a word7 and an OTHER31 b")).rules == ("d31", "d7")
    assert made.effect(sql("select", statement="a word77")) == "allow"


def test_an_automaton_without_memory_denies(bench, monkeypatch):
    from sluicegate.policy import commands

    made = bench(ALL, {"effect": "deny", "id": "it", "commands": ["drop"]})
    found = commands._Patterns(["drop"], broad=True)
    monkeypatch.setattr(found, "_match", lambda data: None)
    made.policy._compiler._commands._broad = found
    assert made.effect(sql("select", statement="select 1")) == "deny"


@pytest.mark.parametrize(
    ("operation", "match"),
    [
        (sql(rows=101), (True, True)),
        (sql(rows=100), (False, False)),
        (sql(rows=None), (False, True)),
        (sql(rows=None, kind="login", column_scope="none", columns=()), (False, False)),
    ],
)
def test_rows_above(bench, operation, match):
    assert both(bench, {"rows_above": 100}, operation) == match


def test_risk_and_findings(bench, ask):
    assert both(bench, {"risk_above": 50}, ask(), Context(risk=50.5)) == (True, True)
    assert both(bench, {"risk_above": 50}, ask(), Context(risk=50)) == (False, False)
    assert both(bench, {"risk_above": 50}, ask(), Context(risk=float("nan"))) == (False, True)
    assert both(bench, {"finding": ["night-*"]}, ask(), Context(findings=frozenset({"night-export"}))) == (True, True)
    assert both(bench, {"finding": ["night-*"]}, ask(), Context()) == (False, False)
    # Where the risk is not known, it is not known what was found either.
    assert both(bench, {"finding": ["night-*"]}, ask(), Context(risk=float("nan"))) == (False, True)


@pytest.mark.parametrize(("signed_in", "above"), [(940.0, False), (939.0, True), (None, True), (float("nan"), True)])
def test_how_long_ago_somebody_signed_in(bench, ask, signed_in, above):
    context = Context(now=1000.0, signed_in=signed_in)
    made = bench(ALL, {"effect": "allow", "dataset": ["*"]}, {"effect": "deny", "sign_in_age_above": 60})
    verdict = made.verdict(ask(), context=context)
    assert (verdict.effect == "deny") is above
    if above:
        assert "sluicegate login --fresh" in verdict.next_step


def used(**keys):
    return Context(use={("customers", "UTC"): Use(**keys)})


@pytest.mark.parametrize(
    ("budget", "operation", "context", "above"),
    [
        ({"rows": 100}, {"rows": 10}, used(rows=90), False),
        ({"rows": 100}, {"rows": 11}, used(rows=90), True),
        ({"rows": 100}, {}, used(rows=99), False),
        ({"rows": 100}, {}, used(rows=100), True),
        ({"rows": 0}, {}, Context(), True),
        ({"bytes": 10}, {}, used(bytes=9), False),
        ({"bytes": 10}, {}, used(bytes=10), True),
        ({"chunks": 3}, {"chunks": ("a", "b")}, used(chunks=1), False),
        ({"chunks": 3}, {"chunks": ("a", "b")}, used(chunks=2), True),
        ({"chunks": 3}, {}, used(chunks=3), True),
        ({"distinct_chunks": 2}, {"chunks": ("a", "b")}, used(distinct=frozenset({"a"})), False),
        ({"distinct_chunks": 2}, {"chunks": ("a", "c")}, used(distinct=frozenset({"a", "b"})), True),
        ({"distinct_chunks": 2}, {"chunks": ("a",)}, used(distinct=frozenset({"a"}), unnamed=2), True),
        ({"distinct_chunks": 1}, {"chunks": ("x" * 99,)}, used(distinct=frozenset({kept_name("x" * 99)})), False),
        ({"rows": 100, "chunks": 1}, {"chunks": ("a", "b")}, Context(), True),
        ({"rows": 100, "zone": "Europe/Berlin"}, {}, used(rows=100), False),
        ({"rows": 100}, {"kind": "login", "column_scope": "none"}, used(rows=100), False),
    ],
)
def test_budget(bench, ask, budget, operation, context, above):
    assert both(bench, {"budget": budget}, ask(**operation), context)[1] == above


def test_report_changes_nothing_and_is_shown(bench, ask):
    report = {"mode": "report", "id": "trial"}
    made = bench(ALL, {**report, "effect": "deny", "columns": ["ssn"]})
    assert made.verdict(ask("id")).reported == ()
    verdict = made.verdict(ask("ssn"))
    assert (verdict.effect, verdict.rules, verdict.reported) == ("allow", ("all",), ("trial",))
    alone = bench({**report, "effect": "allow"}).verdict(ask())
    assert (alone.effect, alone.rules, alone.reported) == ("deny", (), ("trial",))
    denied = bench({"effect": "deny", "id": "no"}, {**report, "effect": "hold", "approvers": ["group:x"]})
    assert denied.verdict(ask()).reported == ("trial",)


def test_circumstances_are_looked_at_anew_each_time(bench, ask):
    made = bench(ALL, {"effect": "deny", "id": "late", "when": ["22:00-06:00 Europe/Berlin"]})
    contexts = [at(2026, 11, 26, 12), at(2026, 11, 26, 23), at(2026, 11, 26, 12)]
    for operation in (ask(), sql("select", outputs=(Output("id"),))):
        assert [decide(made.policy, WHO, operation, c).effect for c in contexts] == ["allow", "deny", "allow"]
