"""What can be wrong with the services' credentials beyond their form. Secrets are never quoted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from sluicegate.credentials.headers import may_carry
from sluicegate.credentials.secret import made
from sluicegate.credentials.values import ValueTrouble
from sluicegate.settings import Loaded, Problem
from sluicegate.settings.positions import line_of


def problems(loaded: Loaded, environ: Mapping[str, str] | None = None) -> list[Problem]:
    """Variables that are unset, files that cannot be read, values and headers that cannot carry a credential."""
    environ = os.environ if environ is None else environ
    found = []
    for name, service in loaded.settings.services.items():
        credential = service.credential
        if credential is None:
            continue
        path = ("services", name, "credential")
        where = ".".join(path)
        if not may_carry(credential.header):
            line = line_of((*path, "header"), loaded.lines)
            found.append(Problem(line, f"{where}.header", f"{credential.header} cannot carry a credential"))
        if credential.on_behalf is not None:
            if loaded.settings.identity.token_exchange is None:
                line = line_of((*path, "on_behalf"), loaded.lines)
                message = "needs [identity.token_exchange], so that the provider knows the gateway"
                found.append(Problem(line, f"{where}.on_behalf", message))
            continue
        key = next(name for name in ("value", "file", "command") if getattr(credential, name) is not None)
        try:
            if credential.command is None:
                made(credential, environ)  # a command is run at the start, and not to look whether a policy is sound
            elif shutil.which(credential.command[0], path=environ.get("PATH")) is None:
                raise ValueTrouble(f"there is no command {credential.command[0]}")
        except ValueTrouble as trouble:
            line = line_of((*path, key), loaded.lines)
            found.append(Problem(line, f"{where}.{key}", str(trouble), trouble.suggestion))
    return found
