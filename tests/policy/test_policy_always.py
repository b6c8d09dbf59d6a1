"""What always holds, whatever the rules: order is nothing, an allow never weakens, doubt never helps."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.exchange import Operation, Principal
from sluicegate.policy import Policy, decide
from sluicegate.settings import Settings

KINDS = ["read", "export", "script", "unknown"]
DATASETS = ["customers", "orders", "public", None]
COLUMNS = ["id", "ssn", "SSN", "email", "card"]

rules = st.fixed_dictionaries(
    {"effect": st.sampled_from(["allow", "allow", "deny", "hold"])},
    optional={
        "who": st.lists(st.sampled_from(["group:a", "group:b", "person:ada"]), min_size=1, max_size=2),
        "service": st.just(["chunks"]),
        "dataset": st.lists(st.sampled_from(["customers", "orders", "*", "pub*"]), min_size=1, max_size=2),
        "kind": st.lists(st.sampled_from(KINDS), min_size=1, max_size=2),
        "columns": st.lists(st.sampled_from(["ssn", "email", "restricted", "card"]), min_size=1, max_size=2),
        "destination": st.sampled_from(["internal", "external", ["s3://acme-*"], ["*"]]),
        "approvers": st.lists(st.sampled_from(["group:x", "group:y"]), min_size=1, max_size=2),
    },
)
masks = st.fixed_dictionaries(
    {
        "columns": st.lists(st.sampled_from(["ssn", "email", "restricted", "card"]), min_size=1, max_size=2),
        "method": st.sampled_from(["redact", "null", "hmac", "last4"]),
        "unless": st.lists(st.sampled_from(["group:a", "person:ada"]), max_size=1),
    },
    optional={"dataset": st.lists(st.sampled_from(["customers", "pub*"]), min_size=1, max_size=1)},
)
people = st.builds(
    Principal,
    st.sampled_from(["ada", "eve"]),
    st.just("i"),
    st.frozensets(st.sampled_from(["a", "b", "c"])),
)


@st.composite
def operations(draw):
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
        statement=draw(st.sampled_from([None, None, "a = 1", "ssn = 1", "select 1"])),
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
                "rules": list(rule_list),
                "masks": list(mask_list),
            }
        ),
        "",
    )


def named(entries, letter):
    return [{"id": f"{letter}{index}", **entry} for index, entry in enumerate(entries)]


ORDER = {"deny": 0, "hold": 1, "allow": 2}
rule_lists = st.lists(rules, max_size=6).map(lambda r: named(r, "r"))
mask_lists = st.lists(masks, max_size=4).map(lambda m: named(m, "m"))


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations(), st.randoms(use_true_random=False))
def test_order_is_nothing(rule_list, mask_list, principal, operation, random):
    before = decide(policy(rule_list, mask_list), principal, operation)
    random.shuffle(rule_list)
    random.shuffle(mask_list)
    assert decide(policy(rule_list, mask_list), principal, operation) == before


@settings(max_examples=100)
@given(rule_lists, rules, people, operations())
def test_another_allow_never_weakens(rule_list, rule, principal, operation):
    before = decide(policy(rule_list), principal, operation)
    after = decide(policy([*rule_list, {**rule, "effect": "allow", "id": "new"}]), principal, operation)
    if before.rules:
        # What a rule decided stays decided; only a default deny may become something else.
        assert (after.effect, set(before.rules) <= set(after.rules)) == (before.effect, True)


@settings(max_examples=100)
@given(rule_lists, rules, people, operations())
def test_another_deny_or_mask_never_helps(rule_list, rule, principal, operation):
    before = decide(policy(rule_list), principal, operation)
    after = decide(policy([*rule_list, {**rule, "effect": "deny", "id": "new"}]), principal, operation)
    assert ORDER[after.effect] <= ORDER[before.effect]


@settings(max_examples=100)
@given(rule_lists, rules, people, operations())
def test_another_hold_never_lets_pass_what_was_denied_by_a_rule(rule_list, rule, principal, operation):
    before = decide(policy(rule_list), principal, operation)
    hold = {**rule, "effect": "hold", "id": "new"}
    after = decide(policy([*rule_list, hold]), principal, operation)
    if before.effect == "hold" and after.effect == "hold":
        assert set(after.approvers) <= set(before.approvers)
    elif before.rules:
        assert ORDER[after.effect] <= ORDER[before.effect]


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations())
def test_what_must_be_named_is_named(rule_list, mask_list, principal, operation):
    verdict = decide(policy(rule_list, mask_list), principal, operation)
    if verdict.effect == "deny":
        assert verdict.obligations == () and verdict.reasons
        return
    keys = [rule for rule in rule_list if rule["effect"] != "deny"]
    if operation.kind == "unknown":
        assert any("unknown" in rule.get("kind", ()) for rule in keys)
    if operation.dataset is not None and not operation.declared:
        assert any("dataset" in rule for rule in keys)
    if verdict.effect == "hold":
        assert verdict.approvers
    else:
        effects = {rule["effect"] for rule in rule_list if rule["id"] in verdict.rules}
        assert effects == {"allow"}


@settings(max_examples=100)
@given(rule_lists, mask_lists, people, operations())
def test_asking_for_more_never_helps(rule_list, mask_list, principal, operation):
    made = policy(rule_list, mask_list)
    if operation.column_scope == "listed":
        more = replace(operation, columns=(), column_scope="all")
        if decide(made, principal, more).effect == "allow":
            assert decide(made, principal, operation).effect == "allow"


@settings(max_examples=60)
@given(rule_lists, mask_lists, st.lists(st.tuples(people, operations()), max_size=6))
def test_decisions_do_not_depend_on_those_before(rule_list, mask_list, questions):
    shared = policy(rule_list, mask_list)
    for principal, operation in questions:
        assert decide(shared, principal, operation) == decide(policy(rule_list, mask_list), principal, operation)
