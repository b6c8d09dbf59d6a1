"""Who may decide, and who may see."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from sluicegate.exchange import Principal


class Requester(NamedTuple):
    """Who asked, as they were known when they asked."""

    subject: str
    groups: frozenset[str] = frozenset()
    relations: frozenset[tuple[str, str]] = frozenset()


def may_decide(person: Principal, requester_subject: str, approvers: tuple[str, ...]) -> bool:
    """Whether the person may decide: named by `person:SUBJECT` or `group:NAME`, and not who asked, whatever their role.

    The issuer is not compared, so that the same subject of another provider is not somebody else either.
    """
    return person.subject != requester_subject and named(person, approvers)


def named(person: Principal, approvers: tuple[str, ...]) -> bool:
    """Whether a list of `person:SUBJECT` and `group:NAME` names the person. Anything else in it names nobody, and a
    machine is nobody: it cannot judge."""
    return person.kind == "person" and any(
        (kind == "person" and name == person.subject) or (kind == "group" and name in person.groups)
        for kind, _, name in (who.partition(":") for who in approvers)
        if name
    )


def conflict(requester: Requester, person: Principal, conflicts: tuple[str, ...]) -> str:
    """Why the person is too close to who asked, as a sentence; empty when they are not.

    Where it cannot be told, because a claim is missing on one side, it counts as a conflict.
    """
    for entry in conflicts:
        word, _, name = entry.partition(":")
        if word == "group":
            shared = sorted(g for g in requester.groups & person.groups if fnmatchcase(g, name))
            if shared:
                return f"You and who asked are both in {', '.join(shared)}."
            continue
        theirs, yours = _values(requester.relations, name), _values(person.relations, name)
        if word != "claim" or not theirs or not yours:
            return f"Whether you and who asked have the same {name} is not known, since a token does not say."
        if theirs & yours:
            return f"You and who asked have the same {name} ({', '.join(sorted(theirs & yours))})."
    return ""


def _values(relations: frozenset[tuple[str, str]], name: str) -> frozenset[str]:
    return frozenset(value for said, value in relations if said == name)
