"""Rules and masks that can never match or change nothing, and which others make them so. Warnings, not errors.

A rule is named here only where that is certain; `cover.py` and `shapes.py` say how it is known. Of two rules that
cover each other the later one in the file is named, so that taking out everything that is named changes no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sluicegate.exchange import OTHERS
from sluicegate.mask_method import strictness
from sluicegate.policy.compile import Compiler
from sluicegate.policy.cover import Cover, glob_within
from sluicegate.policy.shapes import Shape, impossible, shapes
from sluicegate.policy.terms import no_looser
from sluicegate.policy.typos import typos
from sluicegate.settings import Loaded, Problem, Settings, model
from sluicegate.settings.positions import Path, line_of

_Found = tuple[Path, str, str]


def warnings(loaded: Loaded) -> list[Problem]:
    """Everything that does nothing, and names that look like slips, in the order of the file."""
    settings = loaded.settings
    found = [*dead_rules(settings), *dead_masks(settings), *_idle_classes(settings), *typos(settings)]
    return sorted(
        Problem(line_of(path, loaded.lines), ".".join(map(str, path)), message, suggestion)
        for path, message, suggestion in found
    )


def dead_rules(settings: Settings) -> Iterator[_Found]:
    """Rules that can go without any effect of a verdict changing."""
    cover, forms = Cover(settings), shapes(settings)
    live: list[tuple[int, model.Rule]] = []
    for index, rule in enumerate(settings.rules):
        why = _never(rule, forms, settings)
        if why:
            step = (
                "take it out, or keep it as a precaution" if rule.effect == "deny" else "take it out, or mend that key"
            )
            yield ("rules", index), f"`{rule.id}` can never match: {why}", step
        elif enforced(rule):
            live.append((index, rule))
    gone: set[int] = set()
    # From the end, so that of two that are alike the later one goes; what is gone covers nothing any more.
    for index, rule in reversed(live):
        others = [(at, other) for at, other in live if at != index and at not in gone]
        message = _shadowed(cover, rule, [other for _, other in others])
        if message:
            gone.add(index)
            yield ("rules", index), f"`{rule.id}` {message}", "take it out, or make one of them narrower"


def enforced(rule: model.Rule) -> bool:
    """Whether a rule is applied, and not only reported."""
    return rule.mode == "enforce"


def _never(rule: model.Rule, forms: Sequence[Shape], settings: Settings) -> str:
    strict = rule.effect == "allow"
    reasons = [impossible(rule, shape, settings, strict=strict) for shape in forms]
    if not all(reasons) or not reasons:
        return ""
    # The form that came furthest says best what is in the way.
    order = ("service", "job", "kind", "dataset", "columns", "destination")
    key = max(reasons, key=order.index)
    services = ", ".join(f"`{name}`" for name in rule.service or sorted(settings.services))
    match key:
        case "service":
            return "no host of its services is judged"
        case "job":
            jobs = " or ".join(f"`{name}`" for name in rule.job or ())
            return f"nothing within the job {jobs} is of its datasets and hours"
        case "kind":
            kinds = " or ".join(f"`{kind}`" for kind in rule.kind or ())
            return f"no route of {services} is of kind {kinds}"
        case "dataset" if rule.service == [OTHERS]:
            return "other hosts have none of our datasets"
        case "dataset":
            return f"no route of {services} that it could match names one of its datasets"
        case "columns":
            return f"no route of {services} that it could match says which columns it wants"
        case _:
            return f"no route of {services} that it could match names such a destination"


def _shadowed(cover: Cover, rule: model.Rule, others: Sequence[model.Rule]) -> str:
    """Why the rule changes no effect beside the others; empty where it may."""
    strict = rule.effect == "allow"
    denies = [other for other in others if other.effect == "deny"]
    if found := cover.by_all(rule, denies, strict=strict, wide_strict=False):
        if rule.effect == "deny":
            return f"changes nothing: {_named(found)} {_verb(found, 'denies', 'deny')} all that it denies"
        done = "allowed" if rule.effect == "allow" else "held"
        return f"never decides: {_named(found)} {_verb(found, 'denies', 'deny')} all that would be {done}"
    if rule.seal:
        return ""  # whatever else allows it, what it seals is its own
    if rule.effect == "allow":
        return _idle_allow(cover, rule, others)
    if rule.effect == "hold":
        return _idle_hold(cover, rule, others)
    return ""


def _idle_allow(cover: Cover, rule: model.Rule, others: Sequence[model.Rule]) -> str:
    allows = [other for other in others if other.effect == "allow"]
    if found := cover.by_all(rule, allows, strict=True, wide_strict=True):
        return f"changes nothing: {_named(found)} {_verb(found, 'allows', 'allow')} all that it allows"
    for hold in (other for other in others if other.effect == "hold"):
        # A hold lets pass by itself what it covers in the strict reading too.
        if all(cover.by_one(rule, hold, strict=True, wide_strict=strict) for strict in (True, False)):
            return f"changes nothing: `{hold.id}` holds all that it allows"
    return ""


def _idle_hold(cover: Cover, rule: model.Rule, others: Sequence[model.Rule]) -> str:
    for hold in (other for other in others if other.effect == "hold"):
        alike = all(cover.by_one(rule, hold, strict=strict, wide_strict=strict) for strict in (True, False))
        waits = rule.hold_seconds is None or (hold.hold_seconds is not None and hold.hold_seconds <= rule.hold_seconds)
        if alike and waits and no_looser([hold], [rule]) and set(hold.approvers) <= set(rule.approvers):
            return f"changes nothing: `{hold.id}` holds all that it holds, for no more approvers"
    return ""


def _named(rules: Sequence[model.Rule]) -> str:
    return " and ".join(f"`{rule.id}`" for rule in rules)


def _verb(rules: Sequence[model.Rule], one: str, many: str) -> str:
    return one if len(rules) == 1 else f"together {many}"


def dead_masks(settings: Settings) -> Iterator[_Found]:
    """Masks that mask nothing, or whose values a stricter one always masks."""
    compiler = Compiler(settings)
    gone: set[int] = set()
    for index, mask in enumerate(settings.masks):
        if not _somewhere(compiler, settings, mask):
            gone.add(index)
            message = f"`{mask.id}` masks nothing: no dataset that it applies to has such a column or class"
            yield ("masks", index), message, "take it out, or mend its service or dataset"
    for index in range(len(settings.masks) - 1, -1, -1):
        mask = settings.masks[index]
        for at, other in enumerate(settings.masks):
            if index not in gone and at not in gone and at != index and _beats(settings, other, mask):
                gone.add(index)
                message = f"`{mask.id}` changes nothing: `{other.id}` masks the same values at least as strictly"
                yield ("masks", index), message, "take it out, or make one of them narrower"


def _somewhere(compiler: Compiler, settings: Settings, mask: model.MaskRule) -> bool:
    places = [(name, None, "read") for name in (*settings.services, OTHERS)]
    declared = [(table.service, key, "read") for key, table in settings.datasets.items()]
    return any(
        any(found.id == mask.id for found in compiler.place(place).masks)
        for place in (*places, *declared)
        if place[0] in settings.services or place[0] == OTHERS
    )


_MASK_SIDES = frozenset(
    (
        *("id", "method", "columns", "aliases", "path", "service", "dataset", "unless"),
        *("keep", "grain", "step", "text", "alphabet", "typed", "domain", "on_match"),
    )
)


def _beats(settings: Settings, other: model.MaskRule, mask: model.MaskRule) -> bool:
    """Whether `other` masks whatever `mask` does, for whomever it does, and has the say."""
    for key in model.MaskRule.model_fields:
        if key not in _MASK_SIDES and getattr(other, key) != getattr(mask, key):
            return False
    if (strictness(other.method, other.manner), other.id) > (strictness(mask.method, mask.manner), mask.id):
        return False
    risky = mask.risk_above is not None or mask.finding is not None
    if risky and bool(mask.unless) != bool(other.unless):
        return False  # with `unless`, circumstances are the end of it; without, they are the beginning of the mask
    if mask.path != other.path or (mask.columns is None) != (other.columns is None):
        return False
    wider = set(_in_services(settings, mask)) <= set(_in_services(settings, other))
    datasets = other.dataset is None or (
        mask.dataset is not None and all(any(glob_within(n, w) for w in other.dataset) for n in mask.dataset)
    )
    columns = set(mask.words) <= set(other.words)
    return wider and datasets and columns and set(other.unless) <= set(mask.unless)


def _in_services(settings: Settings, mask: model.MaskRule) -> Sequence[str]:
    return tuple(settings.services) if mask.service is None else mask.service


def _idle_classes(settings: Settings) -> Iterator[_Found]:
    """Columns that are declared sensitive while nothing is said about them."""
    words = {word for rule in settings.rules for word in rule.columns or ()}
    words |= {word for mask in settings.masks for word in mask.words}
    words |= {mask.path.rpartition(".")[2] for mask in settings.masks if mask.path is not None}
    if "*" in words:
        return  # a path that ends so may mean any of them
    for key, table in settings.datasets.items():
        idle = sorted({of for column, of in table.columns.items() if of not in words and column not in words})
        for name in idle:
            columns = ", ".join(c for c, of in table.columns.items() if of == name and c not in words)
            message = f"no mask and no rule names the class `{name}` ({columns}), so it leaves as it is"
            yield ("datasets", key, "columns"), message, "add a mask for it, or take the class out"
