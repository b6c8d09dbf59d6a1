"""Whether rules cover another one: whatever it matches, they match. Sound, not complete: `no` may mean `not known`.

A rule is a box with a side for each key, so one covers another when it does so side by side. Where none does it
alone, the box is cut along the sides that are lists (kinds, services, people, datasets) and each piece is looked at.
The readings of match.py matter: an allow is strict, a deny and a hold are broad, and a side that is left out means
less in the strict reading.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from sluicegate.exchange import OTHERS, Kind
from sluicegate.policy.globs import STAR, Pattern, literal, pattern, within
from sluicegate.policy.hours import always_within
from sluicegate.policy.match import NAMED_KINDS, is_glob
from sluicegate.policy.people import STRENGTH
from sluicegate.policy.statement import fold
from sluicegate.settings import Settings, model

NOT_TESTED = frozenset({"id", "effect", "mode", "approvers", "hold_seconds", "approval", "reason", "next_step"})
"""Keys of a rule that do not choose what it matches. Any other key is a side of the box."""
TESTED = tuple(name for name in model.Rule.model_fields if name not in NOT_TESTED)
KINDS: frozenset[str] = frozenset(get_args(Kind))
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_WORDS = re.compile("[^0-9a-z]+")
_PIECES = 2000
"""How many pieces of a rule are looked at before it counts as not covered."""


class Cover:
    """Answers for one policy. `strict` says in which reading a rule is taken."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._left = 0

    def by_one(self, narrow: model.Rule, wide: model.Rule, *, strict: bool, wide_strict: bool) -> bool:
        """Whether `wide` matches whatever `narrow` does."""
        for key in TESTED:
            test = _SIDES.get(key, _same)
            if not test(_Side(self._settings, key, narrow, wide, strict, wide_strict)):
                return False
        return True

    def by_all(
        self, narrow: model.Rule, wides: Sequence[model.Rule], *, strict: bool, wide_strict: bool
    ) -> tuple[model.Rule, ...]:
        """Rules that together match whatever `narrow` does: as few as were found, none when they do not."""
        for wide in wides:
            if self.by_one(narrow, wide, strict=strict, wide_strict=wide_strict):
                return (wide,)
        self._left = _PIECES
        found = self._pieces(narrow, wides, strict, wide_strict)
        return tuple(found) if found is not None else ()

    def _pieces(
        self, narrow: model.Rule, wides: Sequence[model.Rule], strict: bool, wide_strict: bool
    ) -> list[model.Rule] | None:
        for wide in wides:
            if self.by_one(narrow, wide, strict=strict, wide_strict=wide_strict):
                return [wide]
        for key in ("service", "kind", "dataset", "who"):
            pieces = list(self._cut(narrow, key, strict))
            if len(pieces) < 2 or all(getattr(wide, key) is None for wide in wides):
                continue
            found: list[model.Rule] = []
            for piece in pieces:
                self._left -= 1
                below = self._pieces(piece, wides, strict, wide_strict) if self._left > 0 else None
                if below is None:
                    return None
                found += [rule for rule in below if rule not in found]
            return found
        return None

    def _cut(self, rule: model.Rule, key: str, strict: bool) -> Iterator[model.Rule]:
        entries = getattr(rule, key)
        if key == "kind":
            entries = sorted(_kinds(rule, strict))
        elif key == "service":
            entries = sorted(_services(self._settings, rule, strict))
        for entry in entries or ():
            yield rule.model_copy(update={key: [entry]})


class _Side:
    """One key of two rules, and how both are read."""

    def __init__(
        self, settings: Settings, key: str, narrow: model.Rule, wide: model.Rule, strict: bool, wide_strict: bool
    ) -> None:
        self.settings = settings
        self.key = key
        self.narrow, self.wide = narrow, wide
        self.strict, self.wide_strict = strict, wide_strict

    @property
    def values(self) -> tuple[Any, Any]:
        return getattr(self.narrow, self.key), getattr(self.wide, self.key)

    @property
    def wide_open(self) -> bool:
        """Whether the wide rule leaves the key out."""
        return bool(getattr(self.wide, self.key) == model.Rule.model_fields[self.key].get_default())


def _same(side: _Side) -> bool:
    """For keys about which nothing more is known: the same value in the same reading means the same."""
    narrow, wide = side.values
    return side.wide_open or (narrow == wide and side.strict == side.wide_strict)


def _kinds(rule: model.Rule, strict: bool) -> frozenset[str]:
    if rule.kind is not None:
        return frozenset(rule.kind)
    return KINDS - NAMED_KINDS if strict else KINDS


def _kind(side: _Side) -> bool:
    return _kinds(side.narrow, side.strict) <= _kinds(side.wide, side.wide_strict)


def _services(settings: Settings, rule: model.Rule, strict: bool) -> frozenset[str]:
    if not strict and rule.dataset is not None:
        return frozenset(settings.services if rule.service is None else rule.service) - {OTHERS}
    if rule.service is not None:
        return frozenset(rule.service)
    return frozenset(settings.services) | (frozenset() if strict else {OTHERS})


def _service(side: _Side) -> bool:
    return _services(side.settings, side.narrow, side.strict) <= _services(side.settings, side.wide, side.wide_strict)


def _who(side: _Side) -> bool:
    narrow, wide = side.values
    return wide is None or (narrow is not None and set(narrow) <= set(wide))


def _dataset(side: _Side) -> bool:
    narrow, wide = side.values
    if wide is None:
        # Strictly, a rule without the key means declared datasets, and requests that concern none.
        return not side.wide_strict or all(
            not is_glob(name) and name in side.settings.datasets for name in narrow or ()
        )
    return narrow is not None and all(any(glob_within(one, other) for other in wide) for one in narrow)


def glob_within(narrow: str, wide: str) -> bool:
    """Whether a dataset glob means nothing that another does not, without regard to case; ASCII, else only itself."""
    if narrow == wide:
        return True
    inner, outer = pattern(fold(narrow)), pattern(fold(wide))
    if inner is None or outer is None or not (narrow + wide).isascii():
        return False
    return within(inner, outer)


def _columns(side: _Side) -> bool:
    narrow, wide = side.values
    if wide is None:
        return True
    if narrow is None:
        return False
    if set(narrow) <= set(wide):
        return True
    names = side.narrow.dataset
    if not side.strict or names is None or not all(name in side.settings.datasets for name in names):
        return False
    return all(_resolved(side.settings, narrow, name) <= _resolved(side.settings, wide, name) for name in names)


def _resolved(settings: Settings, words: Sequence[str], dataset: str) -> frozenset[str]:
    """The columns of one declared dataset that names and classes mean."""
    classes = {of for table in settings.datasets.values() for of in table.columns.values()}
    named = {column for table in settings.datasets.values() for column in table.columns}
    own = settings.datasets[dataset].columns
    chosen = {word for word in words if word in named or word not in classes}
    return frozenset(chosen | {column for column, of in own.items() if of in words})


def _destination(side: _Side) -> bool:
    narrow, wide = side.values
    if wide is None:
        return True
    if narrow is None or isinstance(narrow, str) != isinstance(wide, str):
        # Every side is a destination, so in the broad reading `*` means each; strictly it wants a normal form.
        return narrow is not None and not side.wide_strict and "*" in wide
    if isinstance(narrow, str):
        return bool(narrow == wide)
    test = _broad_globs if not side.wide_strict else _strict_globs
    return all(any(test(one, other, side.strict) for other in wide) for one in narrow)


def _strict_globs(narrow: str, wide: str, _: bool) -> bool:
    if wide in ("*", narrow):
        return True
    scheme, separator, rest = wide.partition("://")
    its_scheme, its_separator, its_rest = narrow.partition("://")
    if not separator or not its_separator or scheme != its_scheme:
        return False
    authority, slash, path = rest.partition("/")
    its_authority, its_slash, its_path = its_rest.partition("/")
    if not _plainly(its_authority, authority):
        return False
    return not slash or (bool(its_slash) and _plainly(its_path, path))


def _plainly(narrow: str, wide: str) -> bool:
    inner, outer = pattern(narrow), pattern(wide)
    return narrow == wide or (inner is not None and outer is not None and within(inner, outer))


def _broad_globs(narrow: str, wide: str, strict: bool) -> bool:
    """The broad reading takes the text as a whole, and what is below it; the strict one leaves the query out."""
    if wide == "*" or (narrow == wide and not strict):
        return True
    if not (narrow + wide).isascii():
        return False
    inner, outer = pattern(narrow.lower()), pattern(wide.lower().rstrip("/"))
    whole = pattern(wide.lower())
    if inner is None or outer is None or whole is None:
        return False
    # What the narrow glob may match, as whole texts.
    if not strict:
        trimmed = pattern(narrow.lower().rstrip("/"))
        texts = [inner, (*(trimmed or ()), "/", STAR)]
    elif "/" in narrow.partition("://")[2]:
        texts = [inner, (*inner, *literal("?"), STAR)]
    else:
        texts = [inner, (*inner, "/", STAR)]
    wides: tuple[Pattern, ...] = (whole, (*outer, "/", STAR))
    return all(any(within(text, one) for one in wides) for text in texts)


def _subset(side: _Side) -> bool:
    """Lists of which one entry has to fit, in tests that are the same in both readings."""
    narrow, wide = side.values
    return side.wide_open or (narrow is not None and set(narrow) <= set(wide))


def _patterns(side: _Side) -> bool:
    # The strict reading wants the whole text, the broad one looks at it in other ways: they are not compared.
    return side.wide_open or (side.strict == side.wide_strict and _subset(side))


def _globs(side: _Side) -> bool:
    narrow, wide = side.values
    if side.wide_open:
        return True
    return narrow is not None and all(any(_plainly(one, other) for other in wide) for one in narrow)


def _statements(side: _Side) -> bool:
    narrow, wide = side.values
    if side.strict or side.wide_open or narrow is None:
        return _globs(side)
    # The broad reading takes a text that nobody parsed by the words in the globs.
    return all(any(_plainly(one, other) and _said(one, other) for other in wide) for one in narrow)


def _said(narrow: str, wide: str) -> bool:
    inner, outer = (frozenset(filter(None, _WORDS.split(glob.lower()))) for glob in (narrow, wide))
    return not outer or (bool(inner) and inner <= outer)


def _networks(side: _Side) -> bool:
    narrow, wide = side.values
    if side.wide_open:
        return True
    return narrow is not None and all(
        any(_inside(ipaddress.ip_network(one), ipaddress.ip_network(other)) for other in wide) for one in narrow
    )


def _inside(narrow: Network, wide: Network) -> bool:
    return narrow.version == wide.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


def _when(side: _Side) -> bool:
    narrow, wide = side.values
    return side.wide_open or (narrow is not None and always_within(narrow, wide))


def _above(side: _Side) -> bool:
    narrow, wide = side.values
    return wide is None or (narrow is not None and narrow >= wide)


def _at_least(side: _Side) -> bool:
    narrow, wide = side.values
    return wide is None or (narrow is not None and STRENGTH[narrow] >= STRENGTH[wide])


def _below(side: _Side) -> bool:
    narrow, wide = side.values
    return wide is None or (narrow is not None and STRENGTH[narrow] <= STRENGTH[wide])


def _budget(side: _Side) -> bool:
    narrow, wide = side.values
    return bool(wide is None or narrow == wide)


def _of_others(side: _Side) -> bool:
    """Broadly, a rule means everybody's results; strictly, only one that says so does."""
    narrow, wide = side.values
    return bool(not side.wide_strict or wide or (side.strict and not narrow))


_SIDES: dict[str, Callable[[_Side], bool]] = {
    "kind": _kind,
    "service": _service,
    "who": _who,
    "dataset": _dataset,
    "columns": _columns,
    "destination": _destination,
    "assurance": _at_least,
    "assurance_below": _below,
    "network": _networks,
    "statements": _statements,
    "commands": _patterns,
    "results_of_others": _of_others,
    "rows_above": _above,
    "job": _subset,
    "when": _when,
    "risk_above": _above,
    "finding": _globs,
    "sign_in_age_above": _above,
    "budget": _budget,
}
