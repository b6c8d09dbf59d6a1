"""What can be wrong with the services' credentials beyond their form. Secrets are never quoted."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sluicegate.credentials.headers import may_carry
from sluicegate.credentials.values import ValueTrouble, filled
from sluicegate.settings import Loaded, Problem
from sluicegate.settings.positions import line_of


def problems(loaded: Loaded, environ: Mapping[str, str] | None = None) -> list[Problem]:
    """Unset variables, values that no header can carry, headers that no credential may take the place of."""
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
        try:
            filled(credential.value, environ)
        except ValueTrouble as trouble:
            line = line_of((*path, "value"), loaded.lines)
            found.append(Problem(line, f"{where}.value", str(trouble), trouble.suggestion))
    return found
