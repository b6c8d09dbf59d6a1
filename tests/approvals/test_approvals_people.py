"""Who may decide: exactly those named, and never who asked."""

import pytest

from sluicegate.approvals.people import may_decide
from sluicegate.exchange import Principal

LINUS = Principal("linus", "https://idp", groups=frozenset({"data-stewards", "x"}))


@pytest.mark.parametrize(
    ("approvers", "expected"),
    [
        (("group:data-stewards",), True),
        (("group:other", "group:x"), True),
        (("person:linus",), True),
        ((), False),
        (("group:linus",), False),
        (("person:data-stewards",), False),
        (("person:Linus",), False),
        (("linus",), False),
        (("data-stewards",), False),
        (("group:",), False),
        (("person:",), False),
        (("",), False),
        (("*",), False),
        (("group:*",), False),
        (("team:data-stewards",), False),
        (("Group:data-stewards",), False),
    ],
)
def test_named(approvers: tuple[str, ...], expected: bool) -> None:
    assert may_decide(LINUS, "ada", approvers) is expected


@pytest.mark.parametrize("approvers", [("group:data-stewards",), ("person:linus",), ("person:linus", "group:x")])
def test_never_who_asked(approvers: tuple[str, ...]) -> None:
    assert not may_decide(LINUS, "linus", approvers)


def test_an_empty_name_names_nobody() -> None:
    assert not may_decide(Principal("", "https://idp", groups=frozenset({""})), "ada", ("person:", "group:"))
