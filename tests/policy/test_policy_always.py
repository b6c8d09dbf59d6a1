"""What always holds, whatever the rules: order is nothing, an allow never weakens, doubt never helps."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.exchange import Operation, Output, Principal
from sluicegate.policy import Context, Policy, Use, decide
from sluicegate.settings import Settings

KINDS = ["read", "export", "script", "unknown"]
DATASETS = ["customers", "orders", "public", None]
COLUMNS = ["id", "ssn", "SSN", "email", "card"]

KEYS = {
    "who": st.lists(st.sampled_from(["group:a", "group:b", "person:ada"]), min_size=1, max_size=2),
    "service": st.just(["chunks"]),
    "dataset": st.lists(st.sampled_from(["customers", "orders", "*", "pub*"]), min_size=1, max_size=2),
    "kind": st.lists(st.sampled_from(KINDS), min_size=1, max_size=2),
    "columns": st.lists(st.sampled_from(["ssn", "email", "restricted", "card"]), min_size=1, max_size=2),
    "destination": st.sampled_from(["internal", "external", ["s3://acme-*"], ["*"]]),
    "approvers": st.lists(st.sampled_from(["group:x", "group:y"]), min_size=1, max_size=2),
    "assurance": st.sampled_from(["network", "bound"]),
    "assurance_below": st.sampled_from(["account", "bound"]),
    "network": st.just(["10.0.0.0/8"]),
    "statements": st.lists(st.sampled_from(["select", "drop", "cre*"]), min_size=1, max_size=2),
    "commands": st.lists(st.sampled_from(["drop", "select .*", "(?i)ssn"]), min_size=1, max_size=2),
    "rows_above": st.sampled_from([0, 10]),
    "job": st.lists(st.sampled_from(["night", "day"]), min_size=1, max_size=2),
    "when": st.sampled_from([["Mon-Fri 08:00-18:00 Europe/Berlin"], ["22:00-06:00 UTC", "Sat UTC"]]),
    "risk_above": st.sampled_from([0, 50]),
    "finding": st.just(["night-*"]),
    "budget": st.sampled_from([{"rows": 10}, {"chunks": 1, "zone": "Asia/Kathmandu"}, {"distinct_chunks": 1}]),
}


@st.composite
def _rules(draw):
    """With few keys each: rules with many hardly ever match."""
    keys = draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=3, unique=True))
    rule = {
        "effect": draw(st.sampled_from(["allow", "deny", "hold", "hold"])),
        **{key: draw(KEYS[key]) for key in keys},
    }
    if rule["effect"] == "hold":
        rule.setdefault("approvers", ["group:x"])
    return rule


rules = _rules()
OPEN = {"effect": "allow", "kind": KINDS}
BASES = [[], [OPEN], [OPEN, {**OPEN, "dataset": ["*"]}], [OPEN, {**OPEN, "dataset": ["*"]}]]
masks = st.fixed_dictionaries(
    {
        "columns": st.lists(st.sampled_from(["ssn", "email", "restricted", "card"]), min_size=1, max_size=2),
        "method": st.sampled_from(["redact", "null", "hmac", "last4"]),
        "unless": st.lists(st.sampled_from(["group:a", "person:ada"]), max_size=1),
    },
    optional={
        "dataset": st.lists(st.sampled_from(["customers", "pub*"]), min_size=1, max_size=1),
        "predicates": st.sampled_from(["refuse", "allow"]),
        "risk_above": st.sampled_from([0, 50]),
        "finding": st.sampled_from([["walk"], ["*"]]),
    },
)
people = st.builds(
    Principal,
    st.sampled_from(["ada", "eve"]),
    st.just("i"),
    st.frozensets(st.sampled_from(["a", "b", "c"])),
    st.sampled_from(["person", "machine"]),
    st.sampled_from(["network", "account", "bearer", "bound"]),
)
numbers = st.floats() | st.sampled_from([0.0, 1_750_000_000.0, 1_750_080_000.0])
contexts = st.builds(
    Context,
    now=numbers,
    client=st.sampled_from(["10.0.0.1", "::1", "", "x%y"]),
    job=st.sampled_from([None, None, None, None, "night", "day", "nowhere"]),
    risk=st.floats() | st.just(0.0),
    findings=st.frozensets(st.sampled_from(["night-export", "walk"])),
    use=st.just({}) | st.just({("customers", "UTC"): Use(3, 10, 99, frozenset({"1"}))}),
)


@st.composite
def operations(draw, parts=True):
    dataset = draw(st.sampled_from(DATASETS))
    columns = tuple(draw(st.lists(st.sampled_from(COLUMNS), max_size=3, unique=True)))
    side = draw(st.sampled_from([None, "internal", "external"]))
    return Operation(
        "chunks",
        draw(st.sampled_from(KINDS)),
        dataset=dataset,
        declared=dataset in ("customers", "orders"),
        columns=columns,
        column_scope="listed" if columns else draw(st.sampled_from(["all", "none", "unknown"])),
        destination=None if side is None else draw(st.sampled_from(["s3://acme-x", "unreadable: s3://acme-x@e", None])),
        destination_side=side,
        statement=draw(st.sampled_from([None, None, "a = 1", "ssn = 1", "select 1", "\ud800", "drop /* */ x"])),
        statements=draw(st.sampled_from([(), (), ("select",), ("drop", "select"), ("opaque",)])),
        opaque=draw(st.sampled_from(["", "", "why"])),
        predicates=tuple(draw(st.lists(st.sampled_from(COLUMNS), max_size=1))),
        outputs=draw(
            st.sampled_from([None, None, (), (Output("x", frozenset({("customers", "ssn")})),), (Output("x", None),)])
        ),
        rows=draw(st.sampled_from([None, 0, 10, 1000])),
        chunks=draw(st.sampled_from([(), ("1",), ("1", "2")])),
        parts=tuple(draw(st.lists(operations(parts=False), max_size=2))) if parts else (),
    )


def policy(rule_list, mask_list=()):
    return Policy(
        Settings.model_validate(
            {
                "identity": {"issuer": "https://idp.test"},
                "dialects": {"d": {"routes": [{"request": "GET /", "kind": "read"}]}},
                "services": {"chunks": {"hosts": ["c.test"], "dialect": "d"}},
                "datasets": {
                    "customers": {"service": "chunks", "columns": {"ssn": "restricted", "email": "personal"}},
                    "orders": {"service": "chunks", "columns": {"card": "restricted"}},
                },
                "jobs": {
                    "night": {
                        "dataset": "customers",
                        "columns": ["id", "personal"],
                        "who": ["group:a"],
                        "hours": "Mon-Fri UTC",
                    },
                    "day": {"dataset": "orders", "who": ["kind:person"], "bound": ["machine:eve"], "chunks": ["0..1"]},
                },
                "rules": list(rule_list),
                "masks": list(mask_list),
            }
        ),
        "",
    )


def named(entries, letter):
    return [{"id": f"{letter}{index}", **entry} for index, entry in enumerate(entries)]


ORDER = {"deny": 0, "hold": 1, "allow": 2}
rule_lists = st.tuples(st.sampled_from(BASES), st.lists(rules, max_size=4)).map(lambda two: named(two[0] + two[1], "r"))
mask_lists = st.lists(masks, max_size=4).map(lambda m: named(m, "m"))


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), contexts, st.randoms(use_true_random=False))
def test_order_is_nothing(rule_list, mask_list, principal, operation, context, random):
    before = decide(policy(rule_list, mask_list), principal, operation, context)
    random.shuffle(rule_list)
    random.shuffle(mask_list)
    assert decide(policy(rule_list, mask_list), principal, operation, context) == before


@settings(max_examples=100)
@given(rule_lists, rules, people, operations(), contexts)
def test_another_allow_never_weakens(rule_list, rule, principal, operation, context):
    before = decide(policy(rule_list), principal, operation, context)
    after = decide(policy([*rule_list, {**rule, "effect": "allow", "id": "new"}]), principal, operation, context)
    if before.rules:
        # What a rule decided stays decided; only a default deny may become something else.
        assert (after.effect, set(before.rules) <= set(after.rules)) == (before.effect, True)


@settings(max_examples=100)
@given(rule_lists, rules, people, operations(), contexts)
def test_another_deny_or_mask_never_helps(rule_list, rule, principal, operation, context):
    before = decide(policy(rule_list), principal, operation, context)
    after = decide(policy([*rule_list, {**rule, "effect": "deny", "id": "new"}]), principal, operation, context)
    assert ORDER[after.effect] <= ORDER[before.effect]


@settings(max_examples=100)
@given(rule_lists, rules, people, operations(), contexts)
def test_another_hold_never_lets_pass_what_was_denied_by_a_rule(rule_list, rule, principal, operation, context):
    before = decide(policy(rule_list), principal, operation, context)
    hold = {**rule, "effect": "hold", "id": "new"}
    after = decide(policy([*rule_list, hold]), principal, operation, context)
    if before.effect == "hold" and after.effect == "hold":
        assert set(after.approvers) <= set(before.approvers)
    elif before.rules:
        assert ORDER[after.effect] <= ORDER[before.effect]


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), contexts)
def test_what_must_be_named_is_named(rule_list, mask_list, principal, operation, context):
    verdict = decide(policy(rule_list, mask_list), principal, operation, context)
    if verdict.effect == "deny":
        assert verdict.obligations == () and verdict.reasons
        return
    keys = [rule for rule in rule_list if rule["effect"] != "deny"]
    for one in (operation, *operation.parts):
        if one.kind == "unknown":
            assert any("unknown" in rule.get("kind", ()) for rule in keys)
        if one.dataset is not None and not one.declared:
            assert any("dataset" in rule for rule in keys)
    if verdict.effect == "hold":
        assert verdict.approvers
    else:
        effects = {rule["effect"] for rule in rule_list if rule["id"] in verdict.rules}
        assert effects == {"allow"}


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), contexts)
def test_asking_for_more_never_helps(rule_list, mask_list, principal, operation, context):
    made = policy(rule_list, mask_list)
    if operation.column_scope == "listed" and operation.outputs is None:
        more = replace(operation, columns=(), column_scope="all")
        if decide(made, principal, more, context).effect == "allow":
            assert decide(made, principal, operation, context).effect == "allow"


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), contexts, st.floats(min_value=0))
def test_more_risk_never_helps(rule_list, mask_list, principal, operation, context, more):
    made = policy(rule_list, mask_list)
    risk = context.risk if context.risk != context.risk else max(context.risk, more)
    before = decide(made, principal, operation, context)
    for worse in (replace(context, risk=risk), replace(context, risk=float("nan"))):
        after = decide(made, principal, operation, worse)
        assert ORDER[after.effect] <= ORDER[before.effect]
        if after.effect != "deny":
            assert set(after.lifted) <= set(before.lifted)
            masked = {column for one in after.obligations for column in one.columns}
            assert {column for one in before.obligations for column in one.columns} <= masked


@settings(max_examples=60)
@given(rule_lists, mask_lists, st.lists(st.tuples(people, operations(), contexts), max_size=6))
def test_decisions_do_not_depend_on_those_before(rule_list, mask_list, questions):
    shared = policy(rule_list, mask_list)
    for principal, operation, context in questions:
        assert decide(shared, principal, operation, context) == decide(
            policy(rule_list, mask_list), principal, operation, context
        )


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), operations(parts=False), contexts)
def test_another_part_never_allows_more(rule_list, mask_list, principal, operation, part, context):
    made = policy(rule_list, mask_list)
    more = replace(operation, parts=(*operation.parts, part))
    before, after = decide(made, principal, operation, context), decide(made, principal, more, context)
    assert ORDER[after.effect] <= ORDER[before.effect]
    if after.effect != "deny":
        # Nothing that was owed is owed less: the same obligations, or a stricter one on the same path.
        assert {o for o in before.obligations if o.path is None} <= set(after.obligations)
        assert set(before.lifted) <= set(after.lifted)


@settings(max_examples=100)
@given(rule_lists, mask_lists, rules, people, operations(), contexts)
def test_a_rule_that_only_reports_changes_nothing(rule_list, mask_list, rule, principal, operation, context):
    before = decide(policy(rule_list, mask_list), principal, operation, context)
    trial = {**rule, "id": "trial", "mode": "report"}
    after = decide(policy([*rule_list, trial], mask_list), principal, operation, context)
    assert replace(after, reported=()) == before
    assert after.reported in ((), ("trial",))


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), contexts)
def test_every_id_in_a_verdict_is_one_of_the_policy(rule_list, mask_list, principal, operation, context):
    verdict = decide(policy(rule_list, mask_list), principal, operation, context)
    rule_ids, mask_ids = {rule["id"] for rule in rule_list}, {mask["id"] for mask in mask_list}
    assert set(verdict.rules) <= rule_ids | mask_ids | {"night", "day"}
    assert set(verdict.lifted) <= mask_ids and {o.mask for o in verdict.obligations} <= mask_ids
    assert verdict.rules == tuple(sorted(set(verdict.rules)))
