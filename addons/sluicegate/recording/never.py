"""What is never recorded: that something passed is in the ledger, and nothing of what it was."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import translate
from re import compile as compiled

_ODD = ("..", "//", "\\", "%2e", "%2f", "%5c")
"""A path with one of these may be another one to the service, so it is never taken for one that is not recorded."""


class Never:
    """Hosts and paths, as `host` or `host/path`, both globs in which `*` is any text. Raises ValueError."""

    def __init__(self, entries: Sequence[str]) -> None:
        parts = [entry.partition("/") for entry in entries]
        for entry, (host, _, _) in zip(entries, parts, strict=True):
            if not host or ":" in host or "[" in entry or "?" in entry:
                raise ValueError(f"{entry!r} is no host, or host and path, as `private.example` or `host/private/*`")
        texts = [f"{host.lower()}/{path if slash else '*'}" for host, slash, path in parts]
        self._matches = compiled("|".join(map(translate, texts))).match if texts else None

    def __bool__(self) -> bool:
        return self._matches is not None

    def covers(self, host: str, target: str) -> bool:
        """Whether a request to that host and target (path and query as sent) is not to be recorded."""
        if self._matches is None:
            return False
        path = target.partition("?")[0].partition("#")[0].lstrip("/")
        if any(odd in path.lower() for odd in _ODD) or target.startswith("//"):
            return False
        return self._matches(f"{host.lower().removesuffix('.')}/{path}") is not None
