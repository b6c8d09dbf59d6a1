"""Rules that do nothing: what is named really does nothing, and the plain cases are all named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.policy import Policy, decide
from sluicegate.policy.dead import dead_masks, dead_rules, warnings
from sluicegate.policy.expect import owed
from sluicegate.settings import load
from tests.policy.generated import CONTEXTS, EVERY, MORE_KEYS, PEOPLE, PLAIN_KEYS, masks, rules, settings_of


def without(made, named):
    """The same policy without the rules and masks that are named."""
    rule_list = [rule for index, rule in enumerate(made.rules) if ("rules", index) not in named]
    mask_list = [mask for index, mask in enumerate(made.masks) if ("masks", index) not in named]
    return made.model_copy(update={"rules": rule_list, "masks": mask_list})


def same_everywhere(one, other, random, operations=60):
    """Effects, masks and approvers are the same for everything that can be asked (a part of it, chosen anew)."""
    before, after = Policy(one, ""), Policy(other, "")
    for operation in random.sample(EVERY, operations):
        for person in PEOPLE:
            for context in CONTEXTS:
                was, now = decide(before, person, operation, context), decide(after, person, operation, context)
                assert (was.effect, owed(was.obligations), set(was.approvers), was.hold_seconds) == (
                    now.effect,
                    owed(now.obligations),
                    set(now.approvers),
                    now.hold_seconds,
                ), (person, operation, context)


@settings(max_examples=40, deadline=None)
@given(st.lists(rules(PLAIN_KEYS), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_a_rule_that_is_named_changes_nothing(rule_list, random):
    made = settings_of(rule_list, [])
    named = {path for path, _, _ in dead_rules(made)}
    if named:
        same_everywhere(made, without(made, named), random)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(MORE_KEYS)).flatmap(
        lambda key: st.lists(rules({key: MORE_KEYS[key]}), min_size=2, max_size=4)
    ),
    st.randoms(use_true_random=False),
)
def test_so_for_each_key_by_itself(rule_list, random):
    made = settings_of(rule_list, [])
    named = {path for path, _, _ in dead_rules(made)}
    if named:
        same_everywhere(made, without(made, named), random)


@settings(max_examples=40, deadline=None)
@given(st.lists(masks, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_a_mask_that_is_named_masks_nothing(mask_list, random):
    open_rules = [
        {"effect": "allow", "service": ["chunks", "second", "others"], "kind": ["read", "export"], "dataset": ["*"]},
        {"effect": "allow", "service": ["others"]},
    ]
    made = settings_of(open_rules, mask_list)
    named = {path for path, _, _ in dead_masks(made)}
    if named:
        same_everywhere(made, without(made, named), random)


ALLOW = {"effect": "allow"}
DENY = {"effect": "deny"}
HOLD = {"effect": "hold", "approvers": ["group:x"]}


@pytest.mark.parametrize(
    ("rule_list", "said"),
    [
        ([ALLOW | {"dataset": ["customers"]}, DENY], {0: "never decides: `r1` denies all that would be allowed"}),
        ([DENY | {"kind": ["read"]}, DENY], {0: "`r1` denies all that it denies"}),
        ([DENY, DENY], {1: "`r0` denies all that it denies"}),
        ([ALLOW | {"dataset": ["pub*"]}, ALLOW | {"dataset": ["p*"]}], {0: "`r1` allows all that it allows"}),
        ([HOLD | {"kind": ["export"]}, DENY], {0: "`r1` denies all that would be held"}),
        ([ALLOW | {"kind": ["export"]}, HOLD], {0: "`r1` holds all that it allows"}),
        ([HOLD | {"kind": ["export"]}, HOLD], {0: "`r1` holds all that it holds"}),
        # Several together.
        (
            [
                ALLOW | {"who": ["group:a", "group:b"], "dataset": ["customers"], "kind": ["read", "export"]},
                DENY | {"who": ["group:a"]},
                DENY | {"kind": ["read"]},
                DENY | {"kind": ["export"], "who": ["group:b"]},
            ],
            {0: "together deny"},
        ),
        # What only looks like it.
        ([ALLOW | {"dataset": ["customers"]}, DENY | {"dataset": ["orders"]}], {}),
        ([ALLOW, DENY | {"kind": ["read", "export", "write", "script"]}], {}),
        ([ALLOW | {"dataset": ["*"]}, ALLOW], {}),  # without the key, only declared datasets are meant
        ([ALLOW | {"kind": ["unknown"]}, ALLOW], {}),
        ([ALLOW | {"service": ["others"]}, ALLOW], {}),
        ([DENY | {"who": ["group:a"]}, DENY | {"who": ["group:b"]}], {}),
        ([HOLD, HOLD | {"approvers": ["group:y"]}], {}),  # together nobody may approve
        ([ALLOW, DENY | {"mode": "report"}], {}),
        ([ALLOW | {"columns": ["ssn"]}, DENY | {"columns": ["email"]}], {}),
        # By class, hours, networks, limits.
        ([ALLOW | {"dataset": ["customers"], "columns": ["ssn"]}, DENY | {"columns": ["restricted"]}], {0: "denies"}),
        ([DENY | {"when": ["Mon 09:00-10:00 UTC"]}, DENY | {"when": ["Mon-Fri 08:00-18:00 UTC"]}], {0: "denies"}),
        ([DENY | {"when": ["Sun 22:00-02:00 UTC"]}, DENY | {"when": ["Mon UTC", "Sun UTC"]}], {0: "denies"}),
        ([DENY | {"when": ["Mon 09:00-10:00 UTC"]}, DENY | {"when": ["Mon Europe/Berlin"]}], {}),
        ([DENY | {"network": ["10.1.0.0/16"]}, DENY | {"network": ["10.0.0.0/8"]}], {0: "denies"}),
        ([DENY | {"rows_above": 100}, DENY | {"rows_above": 10}], {0: "denies"}),
        ([DENY | {"statements": ["create_udf"]}, DENY | {"statements": ["create_*"]}], {}),  # texts nobody parsed
        ([DENY | {"statements": ["create_udf"]}, DENY | {"statements": ["*"]}], {0: "denies"}),
        ([DENY | {"destination": ["s3://a/b"]}, DENY | {"destination": ["s3://a"]}], {0: "denies"}),
        ([DENY | {"job": ["night"], "dataset": ["orders"]}], {0: "nothing within the job `night`"}),
        ([DENY | {"job": ["night"], "when": ["Mon-Fri 09:00-17:00 UTC"]}], {0: "nothing within the job `night`"}),
    ],
)  # fmt: skip
def test_rules_by_hand(rule_list, said):
    found = {path[1]: message for path, message, _ in dead_rules(settings_of(rule_list, []))}
    assert found.keys() == said.keys(), found
    for index, text in said.items():
        assert text in found[index]


MASK = {"columns": ["ssn"], "method": "last4"}


@pytest.mark.parametrize(
    ("mask_list", "dead"),
    [
        ([MASK, MASK | {"method": "null"}], [0]),
        ([MASK, MASK], [1]),
        ([MASK, MASK | {"method": "null", "unless": ["group:a"]}], []),
        ([MASK, MASK | {"method": "null", "dataset": ["customers"]}], []),
        ([MASK | {"dataset": ["customers"]}, MASK | {"method": "null"}], [0]),
        ([MASK | {"columns": ["restricted"], "service": ["second"]}], [0]),  # nothing there is restricted
        ([MASK | {"columns": ["restricted"]}], []),
        ([MASK | {"predicates": "allow"}, MASK | {"method": "null"}], []),
    ],
)
def test_masks_by_hand(mask_list, dead):
    assert [path[1] for path, _, _ in dead_masks(settings_of([ALLOW], mask_list))] == dead


ROUTES = [
    {"request": "GET /d/{d}", "kind": "read", "dataset": "path:d"},
    {"request": "POST /x/{d}", "kind": "export", "dataset": "path:d", "columns": "$.c", "destination": "$.t"},
    {"request": "GET /me", "kind": "login"},
]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (ALLOW | {"kind": ["share"]}, "no route of `chunks` is of kind `share`"),
        (DENY | {"kind": ["script", "share"]}, "of kind `script` or `share`"),
        (ALLOW | {"kind": ["read"], "columns": ["ssn"]}, "says which columns"),
        (ALLOW | {"kind": ["login"], "dataset": ["customers"]}, "names one of its datasets"),
        (ALLOW | {"kind": ["read"], "destination": "external"}, "names such a destination"),
        (DENY | {"kind": ["login"], "columns": ["ssn"]}, "says which columns"),
        (ALLOW | {"service": ["others"], "dataset": ["x*"]}, "other hosts have none of our datasets"),
        (ALLOW | {"kind": ["export"], "columns": ["ssn"], "destination": "internal"}, ""),
        (DENY | {"destination": "external"}, ""),
        (ALLOW | {"kind": ["unknown"]}, ""),
        (DENY | {"kind": ["read"], "columns": ["ssn"]}, ""),
    ],
)
def test_what_no_route_can_produce(rule, said):
    made = settings_of(
        [rule], [], dialects={"d": {"routes": ROUTES}}, services={"chunks": {"hosts": ["c.test"], "dialect": "d"}},
        datasets={"customers": {"service": "chunks", "columns": {"ssn": "restricted"}}}, jobs={},
    )  # fmt: skip
    found = [message for _, message, _ in dead_rules(made)]
    assert bool(found) == bool(said) and said in "".join(found)


def test_classes_that_nothing_names_and_groups_that_look_misspelt(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(
        """[identity]
issuer = "https://idp.test"
[dialects.d]
routes = [{ request = "GET /{d}", kind = "read", dataset = "path:d" }]
[services.chunks]
hosts = ["c.test"]
dialect = "d"
[datasets.customers]
service = "chunks"
columns = { ssn = "restricted", email = "personal" }
[[rules]]
id = "a"
effect = "allow"
who = ["group:engineering", "group:tier-1", "group:team-a"]
[[rules]]
id = "b"
effect = "deny"
who = ["group:enginering", "group:tier-2", "group:team-b"]
[[masks]]
id = "c"
columns = ["ssn"]
method = "null"
unless = ["group:engineering"]
"""
    )
    found = [(w.line, w.where, w.suggestion) for w in warnings(load(path))]
    assert found == [
        (10, "datasets.customers.columns", "add a mask for it, or take the class out"),
        (18, "rules.1.who", "did you mean `group:engineering`?"),
    ]


def test_the_thousand_rules_of_a_large_policy_are_looked_at_in_bounded_steps():
    many = [
        {
            "effect": ("allow", "deny", "hold")[i % 3],
            "who": [f"group:g{i}"],
            "dataset": [f"d{i % 50}*"],
            "approvers": ["group:x"],
        }
        for i in range(300)
    ]
    assert list(dead_rules(settings_of(many, []))) == []
