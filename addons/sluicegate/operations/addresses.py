"""Places that a request names for the service to send to or fetch from: one destination, or several as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sluicegate.exchange import Side
from sluicegate.operations.destination import SEVERAL, judge
from sluicegate.operations.dialect import Known

_ADDRESS = re.compile(r"://|\b(?:https?|wss?|ftps?|s3|s3a|gs|gcs|abfss?|wasbs?|file|sftp|ssh)\s*:", re.IGNORECASE)
_KEY = re.compile(r"ur[il]|endpoint|host|webhook|callback|bucket|account|address|image", re.IGNORECASE)


def judged(texts: Iterable[str], known: Known) -> tuple[str | None, Side | None]:
    """All of them in one: internal when every one is. None without any."""
    found = dict.fromkeys(judge(text, known.ours) for text in texts)
    if len(found) < 2:
        return next(iter(found), (None, None))
    shown = ", ".join(destination for destination, _ in found)
    return SEVERAL + shown, "internal" if all(side == "internal" for _, side in found) else "external"


def addresses(document: Any, key: str = "") -> Iterator[str]:
    """Every text in a JSON document that is an address, or that stands under a key that says so."""
    if isinstance(document, dict):
        for name, inner in document.items():
            yield from addresses(inner, name)
    elif isinstance(document, list):
        for inner in document:
            yield from addresses(inner, key)
    elif isinstance(document, str) and document and (_ADDRESS.search(document) or _KEY.search(key)):
        yield document
