"""Where a service's secret comes from: the environment, a file, or what a command prints. Nothing quotes it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from sluicegate.credentials.values import MAX_VALUE, ValueTrouble, filled, variables
from sluicegate.settings.model import Credential

COMMAND_SECONDS = 20.0


def read(credential: Credential, environ: Mapping[str, str]) -> str:
    """The secret. Runs the command, where it is one. Raises ValueTrouble."""
    if credential.value is not None:
        return filled(credential.value, environ)
    return _file(credential.file) if credential.file is not None else _command(credential.command or [], environ)


def parts(credential: Credential, secret: str, environ: Mapping[str, str]) -> set[str]:
    """What of a secret gives it away: for a template, what its variables stood for; else all of it."""
    return {secret, *(environ[name] for name in variables(credential.value or "") if name in environ)}


def changed(credential: Credential) -> object:
    """Something that is another one when the file has changed; None where it cannot be looked at, or is no file."""
    if credential.file is None:
        return None
    try:
        found = Path(credential.file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_VALUE + 2)
    except OSError as error:
        raise ValueTrouble(f"the file {path} cannot be read: {error.strerror}") from None
    return _text(content, f"the file {path}")


def _command(command: list[str], environ: Mapping[str, str]) -> str:
    named = f"the command {command[0]}"
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may hold what nobody should read in a log
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueTrouble(f"{named} has printed nothing for {COMMAND_SECONDS:.0f} seconds") from None
    except OSError as error:
        raise ValueTrouble(f"{named} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        raise ValueTrouble(f"{named} ended with status {done.returncode}", "run it by hand to see why")
    return _text(done.stdout, named)


def _text(content: bytes, named: str) -> str:
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise ValueTrouble(f"{named} gives no secret in plain ASCII")
    if len(text) > MAX_VALUE:
        raise ValueTrouble(f"{named} gives more than {MAX_VALUE} characters")
    return text
