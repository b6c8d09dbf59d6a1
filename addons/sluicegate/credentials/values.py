"""The value of a service's credential: the policy's template, filled from the environment when the gateway starts."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_VALUE = 16_384
"""Longest header value that is put in, in characters."""

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
# What a field value may hold (RFC 9110 section 5.5), less the obsolete bytes above ASCII.
_FIELD = re.compile(r"[!-~]([\t -~]*[!-~])?", re.ASCII)


class ValueTrouble(Exception):
    """A value that cannot be made. The text never holds any part of a secret."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.suggestion = suggestion


def variables(template: str) -> list[str]:
    """The names of the environment variables in a template."""
    return _NAME.findall(template)


def filled(template: str, environ: Mapping[str, str]) -> str:
    """The template with each `${NAME}` replaced, once: what the environment holds is not expanded again.

    Raises ValueTrouble for a variable that is unset or empty, a `${` that names none, and a result that cannot stand
    in a header.
    """
    for name in _NAME.findall(template):
        if not environ.get(name):
            state = "empty" if name in environ else "not set"
            raise ValueTrouble(f"the environment variable {name} is {state}", f"export {name} before starting")
    if "${" in _NAME.sub("", template):
        raise ValueTrouble("has a `${` that does not name an environment variable", "write `${NAME}`")
    value = _NAME.sub(lambda match: environ[match[1]], template)
    return checked(value, ", ".join(_NAME.findall(template)) or "it")


def checked(value: str, named: str) -> str:
    """The value, if a header can carry it. Raises ValueTrouble, which says `named` to look at."""
    if _FIELD.fullmatch(value) is None or len(value) > MAX_VALUE:
        raise ValueTrouble(
            "cannot be sent in a header: a line end, space around it, a character outside ASCII, or too long",
            f"look at the value of {named}",
        )
    return value
