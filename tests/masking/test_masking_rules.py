"""The compiled walk against a naive one, on documents and rules that nobody chose."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate import jsonpath
from sluicegate.exchange import Method, Obligation
from sluicegate.jsonpath import Below, Elements, Names
from sluicegate.mask_method import strictness
from sluicegate.masking.json_body import parse, serialise
from sluicegate.masking.methods import Methods
from sluicegate.masking.names import normal
from sluicegate.masking.rules import Plan, Plans
from sluicegate.masking.walk import mask_document

METHODS = Methods(b"k" * 32)


def owe(method: Method = "redact", *columns: str, path: str | None = None, mask: str = "m") -> Obligation:
    return Obligation(mask, method, frozenset(columns), path)


def masked(document: Any, *obligations: Obligation) -> Any:
    data = json.dumps(document).encode()
    result, _ = mask_document(parse(data), Plan(obligations, METHODS), data)
    return json.loads(serialise(result))


# -- the naive walker: knows columns and paths, and nothing of states --------------------------------------------


def located(node: Any, steps: tuple[Any, ...], at: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """Where a path leads, as (key or index, ...) from the root."""
    if not steps:
        return {at}
    step, rest = steps[0], steps[1:]
    members = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    found: set[tuple[Any, ...]] = set()
    match step:
        case Below():
            found |= located(node, rest, at)
            for key, child in members:
                found |= located(child, steps, (*at, key))
        case Names(names):
            for key, child in members:
                if not names or (isinstance(node, dict) and key in names):
                    found |= located(child, rest, (*at, key))
        case Elements(start, stop, stride):
            if isinstance(node, list):
                for key, child in members[start:stop:stride]:
                    found |= located(child, rest, (*at, key))
    return found


DROPPED = object()


def naive(document: Any, obligations: tuple[Obligation, ...]) -> Any:
    """The masked document, by asking each node anew whether anything wants it."""
    places = [(owed, located(document, jsonpath.parse(owed.path))) for owed in obligations if owed.path is not None]

    def visit(node: Any, at: tuple[Any, ...], name: str) -> Any:
        wanting = [owed for owed, found in places if at in found]
        if at and isinstance(at[-1], str):
            name = at[-1]
            wanting += [owed for owed in obligations if normal(name) in set(map(normal, owed.columns))]
        if wanting:
            strictest = min(wanting, key=lambda owed: (strictness(owed.method), owed.mask))
            if strictest.method == "drop" and at and isinstance(at[-1], str):
                return DROPPED
            return METHODS.masker(strictest.method, normal(name))([node])[0]
        if isinstance(node, dict):
            members = {key: visit(child, (*at, key), name) for key, child in node.items()}
            return {key: child for key, child in members.items() if child is not DROPPED}
        if isinstance(node, list):
            return [visit(child, (*at, index), name) for index, child in enumerate(node)]
        return node

    return visit(document, (), "")


METHODS_HERE = ["drop", "null", "redact", "template", "hmac", "number", "date", "first", "last", "last4"]
NAMES = ["ssn", "SSN", "email", "rows", "a", "ｓｓｎ", "e\u200bmail"]
# Texts that begin like JSON, and arrays of arrays, have tests of their own.
leaves = st.none() | st.booleans() | st.integers() | st.text(alphabet="abc-1234é", max_size=12)
objects = st.deferred(lambda: st.dictionaries(st.sampled_from(NAMES), nodes, max_size=4))
nodes: st.SearchStrategy[Any] = st.deferred(lambda: leaves | objects | st.lists(leaves | objects, max_size=4))
steps = st.sampled_from(["." + n for n in ("ssn", "rows", "a", "*")] + ["..ssn", "..*", "[*]", "[0]", "[1:]", "[:2]"])
paths = st.lists(steps, max_size=4).map(lambda parts: "$" + "".join(parts))
obligations_of = st.lists(
    st.builds(
        lambda mask, method, columns, path: Obligation(mask, method, frozenset(columns), path if path else None),
        st.sampled_from(["m1", "m2", "m3"]),
        st.sampled_from(METHODS_HERE),
        st.lists(st.sampled_from(["ssn", "Email", "a"]), min_size=1, max_size=2),
        st.none() | paths,
    )
    | st.builds(lambda m, p: Obligation("p", m, frozenset(), p), st.sampled_from(METHODS_HERE), paths),
    min_size=1,
    max_size=3,
).map(tuple)


@settings(max_examples=400)
@given(nodes, obligations_of)
def test_the_walk_masks_what_the_naive_one_masks_and_nothing_else(
    document: Any, obligations: tuple[Obligation, ...]
) -> None:
    wanted = json.loads(serialise(naive(copy.deepcopy(document), obligations)))
    assert masked(document, *obligations) == wanted
    assert list(json.dumps(masked(document, *obligations))) == list(json.dumps(wanted)), "key order"


@settings(max_examples=200)
@given(nodes, st.sampled_from(["redact", "null", "hmac"]))
def test_no_value_planted_under_a_masked_name_comes_out(document: Any, method: Method) -> None:
    planted = []

    def plant(node: Any) -> Any:
        if isinstance(node, dict):
            out = {}
            for key, child in node.items():
                if normal(key) == "ssn":
                    planted.append(secret := f"PLANTED-{len(planted)}-{'x' * (len(planted) % 5)}")
                    out[key] = [secret, {"deep": secret}] if len(planted) % 2 else secret
                else:
                    out[key] = plant(child)
            return out
        return [plant(child) for child in node] if isinstance(node, list) else node

    out = json.dumps(masked({"top": plant(document), "ssn": plant("x") and "PLANTED"}, owe(method, "ssn")))
    assert "PLANTED" not in out


def test_order_of_obligations_does_not_matter() -> None:
    many = [owe("last4", "ssn", mask="b"), owe("null", path="$..ssn", mask="c"), owe("hmac", "ssn", mask="a")]
    document = {"rows": [{"ssn": "123-45-6789"}]}
    assert masked(document, *many) == masked(document, *reversed(many)) == {"rows": [{"ssn": None}]}


@pytest.mark.parametrize(
    ("weak", "strict", "left"),
    [("last4", "hmac", "h1."), ("last4", "redact", "[redacted]"), ("hmac", "redact", "[redacted]")],
)
def test_the_strictest_method_wins(weak: Method, strict: Method, left: str) -> None:
    out = masked({"ssn": "123-45-6789"}, owe(weak, "ssn"), owe(strict, path="$.ssn"))
    assert out["ssn"].startswith(left)


def test_a_path_and_a_column_give_one_person_one_pseudonym() -> None:
    by_path = masked({"rows": [{"Email": "a@b.c"}]}, owe("hmac", path="$.rows[*].Email"))
    by_column = masked({"rows": [{"email": "a@b.c"}]}, owe("hmac", "EMAIL"))
    by_position = masked({"columns": ["id", "email"], "rows": [[1, "a@b.c"]]}, owe("hmac", "email"))
    token = by_column["rows"][0]["email"]
    assert by_path["rows"][0]["Email"] == by_position["rows"][0][1] == token


def test_paths_look_at_the_document_as_it_came() -> None:
    # The first mask must not hide from the second what it wants.
    document = {"a": {"b": "secret"}, "c": "secret"}
    assert masked(document, owe("null", path="$.a"), owe("redact", path="$..b")) == {"a": None, "c": "secret"}


def test_the_root_can_be_masked() -> None:
    assert masked({"a": 1}, owe("redact", path="$")) == "[redacted]"


def test_whole_subtrees_are_masked() -> None:
    out = masked({"ssn": {"parts": ["123", "45"], "n": 6789}, "b": 1}, owe("redact", "ssn"))
    assert out == {"ssn": "[redacted]", "b": 1}


@pytest.mark.parametrize(
    "text",
    ["123456789012345678901234567890", "-9223372036854775809", "1.10", "1E5", "1e999", "0.1000000000000000055511151"],
)
def test_numbers_keep_their_digits(text: str) -> None:
    data = f'{{"n":{text},"ssn":"x"}}'.encode()
    document, _ = mask_document(parse(data), Plan((owe("null", "ssn"),), METHODS), data)
    assert serialise(document) == f'{{"n":{text},"ssn":null}}'.encode()


def test_numbers_are_masked_by_their_digits() -> None:
    data = b'{"ssn":123456789.5000}'
    document, _ = mask_document(parse(data), Plan((owe("last4", "ssn"),), METHODS), data)
    assert serialise(document) == b'{"ssn":"****5000"}'


def test_duplicate_keys_leave_one_masked_value() -> None:
    data = b'{"ssn":"123-45-6789","ssn":"987-65-4321"}'
    document, _ = mask_document(parse(data), Plan((owe("redact", "ssn"),), METHODS), data)
    assert serialise(document) == b'{"ssn":"[redacted]"}'


def test_what_is_remembered_is_bounded() -> None:
    plan = Plan((owe("redact", "ssn"), owe("redact", path="$..a.*..b[1:3]")), METHODS)
    for n in range(30):
        data = json.dumps(
            {f"key{n}-{i}" + "x" * (i % 300): {"a": {f"k{n}{i}": {"b": [1]}}} for i in range(200)}
        ).encode()
        mask_document(parse(data), plan, data)
    assert all(len(state.moves) <= 2048 for state in plan._states.values())
    assert len(plan._states) <= 256


def test_plans_are_kept_by_obligations_and_the_oldest_go() -> None:
    plans = Plans(METHODS, size=2)
    first = plans.of((owe("redact", "a"),))
    assert plans.of((owe("redact", "a"),)) is first
    plans.of((owe("redact", "b"),))
    plans.of((owe("redact", "c"),))
    assert plans.of((owe("redact", "a"),)) is not first


def test_an_obligation_without_a_target_is_an_error_and_not_nothing() -> None:
    with pytest.raises(ValueError, match="names neither"):
        Plan((Obligation("m", "redact"),), METHODS)


def test_a_path_that_cannot_be_compiled_is_an_error_and_not_nothing() -> None:
    with pytest.raises(ValueError):
        Plan((owe("redact", path="$.a[?(@.b)]"),), METHODS)


def test_raw_numbers_survive_where_no_mask_is() -> None:
    assert msgspec.json.decode(serialise(parse(b"[1.5,2,-0.0]"))) == [1.5, 2, -0.0]
