"""What a case expected, against what the policy said: one sentence for each difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation, Operation, Verdict
from sluicegate.policy.cases import Expect


def owed(obligations: Iterable[Obligation]) -> dict[str, str]:
    """Column or path to the method that masks it."""
    found: dict[str, str] = {}
    for obligation in obligations:
        names = sorted((*obligation.columns, *obligation.detect)) if obligation.path is None else [obligation.path]
        found |= dict.fromkeys(names, obligation.method)
    return found


def differences(
    expect: Expect, operation: Operation | None, verdict: Verdict | None, refusal: Refusal | None
) -> Iterator[str]:
    """Empty when everything is as it was expected. `verdict` is None where no rule was asked."""
    effect = verdict.effect if verdict is not None else "refused"
    rules = verdict.rules if verdict is not None else ()
    by = f" by {', '.join(rules)}" if rules else f" ({refusal.detail})" if refusal is not None else ""
    if effect != expect.effect:
        yield f"expected {expect.effect}, got {effect}{by}"
    if expect.rules is not None and sorted(expect.rules) != sorted(rules):
        yield f"expected the rules {_list(expect.rules)}, got {_list(rules)}"
    if expect.masks is not None:
        yield from _masks(expect.masks, owed(verdict.obligations) if verdict is not None else {})
    yield from _sets("lifted masks", expect.lifted, verdict.lifted if verdict is not None else ())
    yield from _sets("approvers", expect.approvers, verdict.approvers if verdict is not None else ())
    yield from _texts(expect, verdict, refusal)
    code = refusal.code if refusal is not None else None
    if expect.code is not None and expect.code != code:
        yield f"expected the code {expect.code}, got {code or 'no refusal'}"
    for key in ("kind", "dataset"):
        wanted, read = getattr(expect, key), getattr(operation, key, None)
        if wanted is not None and wanted != read:
            yield f"expected the {key} {wanted}, got {read or 'none'}"


def _masks(wanted: Mapping[str, str], got: dict[str, str]) -> Iterator[str]:
    if not wanted and got:
        yield f"expected no masks, got {', '.join(f'{name}: {method}' for name, method in sorted(got.items()))}"
    for name, method in wanted.items():
        is_now = got.get(name, "clear")
        if is_now != method:
            yield f"expected {name} {_method(method)}, got it {_method(is_now)}"


def _method(method: str) -> str:
    return "in the clear" if method == "clear" else f"masked by {method}"


def _sets(what: str, wanted: list[str] | None, got: Iterable[str]) -> Iterator[str]:
    found = list(got)
    if wanted is not None and sorted(wanted) != sorted(found):
        yield f"expected the {what} {_list(wanted)}, got {_list(found)}"


def _texts(expect: Expect, verdict: Verdict | None, refusal: Refusal | None) -> Iterator[str]:
    wanted = [expect.reasons] if isinstance(expect.reasons, str) else expect.reasons or []
    said = [*(verdict.reasons if verdict else ()), verdict.next_step if verdict else ""]
    if refusal is not None:
        said += [refusal.title, refusal.detail, refusal.next_step]
    told = " ".join(filter(None, said))
    for text in wanted:
        if text.casefold() not in told.casefold():
            yield f"expected {text!r} among the reasons, got {told!r}"


def _list(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found) if found else "none"
