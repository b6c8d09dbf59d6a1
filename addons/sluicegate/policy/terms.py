"""What it takes to approve a request that several rules hold: the strictest of each."""

from __future__ import annotations

from collections.abc import Sequence

from sluicegate.exchange import Terms
from sluicegate.settings import model

_NONE = Terms()
_PLAIN = model.Terms()


def terms_of(rules: Sequence[model.Rule]) -> Terms:
    """The terms of all the rules together. A rule that says nothing wants one yes, that is good once."""
    if all(rule.approval is None for rule in rules):
        return _NONE
    said = [rule.approval or _PLAIN for rule in rules]
    broken = frozenset.intersection(*(frozenset(terms.break_glass) for terms in said))
    return Terms(
        quorum=max(terms.quorum for terms in said),
        reason=any(terms.reason for terms in said),
        fresh_seconds=min((t.fresh_seconds for t in said if t.fresh_seconds is not None), default=None),
        conflicts=tuple(sorted({entry for terms in said for entry in terms.conflicts})),
        uses=min(terms.uses for terms in said),
        grant_seconds=min((t.grant_seconds for t in said if t.grant_seconds is not None), default=None),
        break_glass=tuple(sorted(broken)),
    )


def no_looser(one: Sequence[model.Rule], other: Sequence[model.Rule]) -> bool:
    """Whether the terms of the rules in `one` are at least as strict as if those in `other` held the request too."""
    return terms_of(one) == terms_of([*one, *other])
