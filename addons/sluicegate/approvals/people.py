"""Who may decide, and who may see."""

from __future__ import annotations

from sluicegate.exchange import Principal


def may_decide(person: Principal, requester_subject: str, approvers: tuple[str, ...]) -> bool:
    """Whether the person may decide: named by `person:SUBJECT` or `group:NAME`, and not who asked, whatever their role.

    The issuer is not compared, so that the same subject of another provider is not somebody else either.
    """
    return person.subject != requester_subject and named(person, approvers)


def named(person: Principal, approvers: tuple[str, ...]) -> bool:
    """Whether a list of `person:SUBJECT` and `group:NAME` names the person. Anything else in it names nobody."""
    return any(
        (kind == "person" and name == person.subject) or (kind == "group" and name in person.groups)
        for kind, _, name in (who.partition(":") for who in approvers)
        if name
    )
