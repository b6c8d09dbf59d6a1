"""Rules and masks as plain sentences, for people who do not want to read TOML."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sluicegate.exchange import OTHERS
from sluicegate.policy.cover import TESTED
from sluicegate.policy.explain import VERBS
from sluicegate.settings import Settings, model

_METHODS = {
    "null": "are emptied (null)",
    "redact": "are blanked out (redact)",
    "hmac": "are replaced by stable pseudonyms (hmac)",
    "last4": "are cut to their last four characters (last4)",
    "drop": "are taken out (drop)",
    "template": "are replaced by a text (template)",
    "fpe": "are encrypted in their own form (fpe)",
    "number": "are rounded down (number)",
    "date": "are cut to a period (date)",
    "first": "are cut to their first characters (first)",
    "last": "are cut to their last characters (last)",
}


def rule_sentence(rule: model.Rule) -> str:
    """What a rule says, in one sentence."""
    what = f"{_does(rule)} {_where(rule)}{_rest(rule)}"
    people = _start(people_in_words(rule.who)) if rule.who is not None else ""
    if rule.effect == "hold":
        return f"{people or 'Everybody'} may {what}, once {people_in_words(rule.approvers)} approved it."
    if rule.effect == "deny":
        return f"{people} may not {what}." if people else f"Nobody may {what}."
    return f"{people or 'Everybody'} may {what}."


def people_in_words(who: Iterable[str]) -> str:
    """`group:` and `person:` entries as people say them."""
    found: dict[str, list[str]] = {}
    for text in who:
        word, _, name = text.partition(":")
        found.setdefault(word, []).append(name)
    parts = []
    for word, names in found.items():
        match word:
            case "group":
                parts.append(f"members of {_or(names)}")
            case "machine":
                parts.append(f"the machine{'s' if len(names) > 1 else ''} {_or(names, 'and')}")
            case "kind":
                parts += [{"person": "people", "machine": "machines"}.get(name, name) for name in names]
            case _:
                parts += names
    return _or(parts)


def _start(text: str) -> str:
    return text[0].upper() + text[1:]


def _does(rule: model.Rule) -> str:
    if rule.kind is None:
        return "do anything with" if rule.effect != "allow" else "do anything that is understood with"
    return _or(VERBS[kind] for kind in rule.kind)


def _where(rule: model.Rule) -> str:
    columns = f"{_or(rule.columns)} of " if rule.columns is not None else ""
    if rule.columns is not None and rule.effect == "allow":
        columns = f"nothing but {_or(rule.columns, 'and')} of "
    # What nobody declared is allowed, or held, by a rule that names it alone; a deny without a name means that as well.
    every = "any dataset" if rule.effect == "deny" else "any declared dataset"
    target = _or(rule.dataset) if rule.dataset is not None else every
    if rule.service is None:
        place = ""
    elif rule.service == [OTHERS]:
        return f"{columns}other hosts"
    else:
        place = f" at {_or('other hosts' if name == OTHERS else name for name in rule.service)}"
    return f"{columns}{target}{place}"


def _rest(rule: model.Rule) -> str:
    parts = [_clause(rule, key) for key in TESTED if key not in ("who", "kind", "service", "dataset", "columns")]
    return "".join(f", {part}" if index else f" {part}" for index, part in enumerate(filter(None, parts)))


def _clause(rule: model.Rule, key: str) -> str:
    value: Any = getattr(rule, key)
    if value is None or value == model.Rule.model_fields[key].get_default():
        return ""
    if key == "destination":
        outside = {"external": "to a destination that is not ours", "internal": "to a destination of ours"}
        return outside[value] if isinstance(value, str) else f"to {_or(value)}"
    words = _CLAUSES.get(key)
    return words(value) if words is not None else f"where {key} is {value}"


_CLAUSES: dict[str, Callable[[Any], str]] = {
    "assurance": lambda v: f"with an identity that is at least `{v}`",
    "assurance_below": lambda v: f"with an identity weaker than `{v}`",
    "network": lambda v: f"from {_or(v)}",
    "statements": lambda v: f"by {_or(v)} statements",
    "commands": lambda v: f"with text like {_or(v)}",
    "results_of_others": lambda v: "results of others included",
    "rows_above": lambda v: f"more than {v} rows at once",
    "job": lambda v: f"within the job {_or(v)}",
    "when": lambda v: f"during {_or(v)}",
    "risk_above": lambda v: f"at a risk over {v:g}",
    "finding": lambda v: f"once there is a finding {_or(v)}",
    "sign_in_age_above": lambda v: f"after a sign-in more than {v:g} seconds ago",
    "budget": lambda v: f"over the budget of {_budget(v)}",
}


def _budget(budget: Any) -> str:
    said = budget.model_dump()
    measures = [f"{said[name]} {name.replace('_', ' ')}" for name in said if name not in ("per", "zone")]
    return f"{_or(m for m in measures if not m.startswith('None'))} a {said['per']} ({said['zone']})"


def mask_sentence(mask: model.MaskRule, settings: Settings) -> str:
    """What a mask says, in one sentence."""
    if mask.detect is not None:
        what = f"Whatever looks like {_or(mask.detect)}{', or like a part of it where a text was cut,' * mask.borders}"
    elif mask.path is not None:
        what = f"Values at {mask.path}"
    else:
        what = f"Values of {_or(_columns(mask, settings), 'and')}"
    if mask.dataset is not None:
        what += f" of {_or(mask.dataset)}"
    if mask.service is not None:
        what += f" at {_or(mask.service)}"
    how = _METHODS.get(mask.method, f"are masked ({mask.method})")
    if mask.on_match != "mask":
        how = "are refused" if mask.on_match == "refuse" else "leave as they are, and are reported"
    said = f"{what} {how}"
    wanted = {"risk_above": mask.risk_above, "finding": mask.finding}
    at = " and ".join(_CLAUSES[key](value) for key, value in wanted.items() if value is not None)
    if mask.unless:
        said += f", except for {people_in_words(mask.unless)}{f', who owe it {at}' if at else ''}"
    elif at:
        said += f" {at}"
    return f"{said}."


def _columns(mask: model.MaskRule, settings: Settings) -> list[str]:
    """The words of a mask, each class with the columns that it means."""
    shown = []
    for word in mask.words:
        members = [
            f"{key}.{column}" for key, table in settings.datasets.items() for column, of in table.columns.items()
            if of == word
        ]  # fmt: skip
        shown.append(f"{word} ({', '.join(members)})" if members else word)
    return shown


def _or(names: Iterable[str], word: str = "or") -> str:
    found = list(names)
    return f" {word} ".join((", ".join(found[:-1]), found[-1])) if len(found) > 1 else "".join(found)
