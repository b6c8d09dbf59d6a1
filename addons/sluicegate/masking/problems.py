"""What is wrong with the masks of a policy beyond what its model can see."""

from __future__ import annotations

from collections.abc import Iterator

from sluicegate.jsonpath import parse
from sluicegate.mask_method import PLACEHOLDER, Method
from sluicegate.settings import Loaded, Problem, model
from sluicegate.settings.positions import line_of

_SETTINGS: dict[str, tuple[Method, ...]] = {
    "keep": ("first", "last"),
    "grain": ("date",),
    "step": ("number",),
    "text": ("template",),
    "alphabet": ("fpe",),
    "domain": ("hmac", "fpe", "template"),
}
"""Keys of a mask, and the methods to which they mean something."""

_NEEDED: dict[Method, tuple[str, str]] = {
    "date": ("grain", 'grain = "month"'),
    "number": ("step", "step = 100"),
    "template": ("text", 'text = "{first:1}***"'),
}

_Found = tuple[str, str, str]


def problems(loaded: Loaded) -> list[Problem]:
    """Masks that cannot be compiled. A path or a setting that we do not understand wholly is never ignored."""
    found = []
    for index, rule in enumerate(loaded.settings.masks):
        for key, message, suggestion in (*_path(rule), *_settings(rule)):
            line = line_of(("masks", index, key), loaded.lines)
            found.append(Problem(line, f"masks.{rule.id}.{key}", message, suggestion))
    return found


def _path(rule: model.MaskRule) -> Iterator[_Found]:
    if rule.path is not None:
        try:
            parse(rule.path)
        except ValueError as error:
            yield "path", str(error), "write it like `$.rows[*].ssn` or `$..ssn`"
        if rule.aliases:
            yield "aliases", "are other names of columns, and this mask has a path", "take them out, or give columns"


def _settings(rule: model.MaskRule) -> Iterator[_Found]:
    for key, methods in _SETTINGS.items():
        if getattr(rule, key) is not None and rule.method not in methods:
            yield key, f"means nothing to the method `{rule.method}`", f"take it out; it is for {' and '.join(methods)}"
    key, example = _NEEDED.get(rule.method, ("", ""))
    if key and getattr(rule, key) is None:
        yield "method", f"`{rule.method}` needs `{key}`", f"write for example {example}"
    if rule.typed and rule.method in ("drop", "null"):
        yield "typed", f"means nothing to the method `{rule.method}`", "take it out"
    if rule.text is not None:
        rest = PLACEHOLDER.sub("", rule.text)
        if "{" in rest or "}" in rest:
            yield "text", "has a placeholder that is not known", "write `{first:2}`, `{last:4}` or `{hmac}`"
