"""Setting and taking back variables in the words of a shell, for `eval`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Literal

Shell = Literal["sh", "fish", "powershell"]


def of(login_shell: str) -> Shell:
    """The shell that the environment names (SHELL); what is not known speaks like sh."""
    name = login_shell.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return "fish" if name == "fish" else "powershell" if name in ("pwsh", "powershell") else "sh"


def setting(shell: Shell, found: Mapping[str, str]) -> str:
    """Lines that set every variable. Nothing in a value is ever run."""
    match shell:
        case "sh":
            lines = [f"export {name}={shlex.quote(value)}" for name, value in found.items()]
        case "fish":
            lines = [f"set -gx {name} {_fish(value)}" for name, value in found.items()]
        case "powershell":
            lines = [f"$env:{name} = {_powershell(value)}" for name, value in found.items()]
    return "\n".join(lines) + "\n"


def unsetting(shell: Shell, names: Iterable[str]) -> str:
    """Lines that take every variable back."""
    match shell:
        case "sh":
            lines = [f"unset {name}" for name in names]
        case "fish":
            lines = [f"set -e {name}" for name in names]
        case "powershell":
            lines = [f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in names]
    return "\n".join(lines) + "\n"


def _fish(value: str) -> str:
    # In single quotes fish knows two escapes: \\ and \'.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(value: str) -> str:
    # In single quotes PowerShell takes four kinds of quotation marks for the end; each is doubled.
    for mark in "'\u2018\u2019\u201a\u201b":
        value = value.replace(mark, mark * 2)
    return "'" + value + "'"
