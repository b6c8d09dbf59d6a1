"""Results that services have handed out: later requests name only a handle, and this knows what stands behind it.

The first request is judged with everything that it says; what follows (a page, a partition, a poll, an external link)
carries no statement and no columns. So the operation is remembered by the handle that the service gave out, together
with who asked. A handle that is not known here leads nowhere; one that is somebody else's only where a rule says so.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import NamedTuple

from sluicegate.clock import Clock
from sluicegate.exchange import Operation
from sluicegate.operations.view import Unreadable

KEPT = 50_000
"""How many handles are remembered; the oldest go first."""
KEPT_PER_PERSON = 5_000
"""How many of one person, so that nobody can push out what others still need."""
SECONDS = 24 * 3600.0
"""How long one is remembered after its last use."""
MAX_HANDLE = 4096
_ABOUT = frozenset({"poll", "cancel"})

_Key = tuple[str, str]
"""Service (and what a policy declares of it), and the handle in it."""


class _Kept(NamedTuple):
    owner: str
    operation: Operation
    used: float


class Results:
    """What stands behind the handles of all services. Used on the event loop alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._of_person: dict[str, OrderedDict[_Key, None]] = {}

    def remember(self, service: str, handle: str, owner: str, operation: Operation) -> None:
        """Keep what a handle stands for. One that somebody else owns keeps its owner: services do not reuse them.

        A question about a result, or its end, never takes the place of what the result is.
        """
        if not handle or len(handle) > MAX_HANDLE:
            return
        key, now = (service, handle), self._clock.now()
        known = self._kept.get(key)
        if known is not None and known.owner != owner and now - known.used < SECONDS:
            return
        if known is not None and operation.kind in _ABOUT and known.operation.kind not in _ABOUT:
            return
        if known is not None:
            self._forget(key)
        mine = self._of_person.setdefault(owner, OrderedDict())
        if len(mine) >= KEPT_PER_PERSON:
            self._forget(next(iter(mine)))
        if len(self._kept) >= KEPT:
            self._forget(next(iter(self._kept)))
        self._kept[key] = _Kept(owner, operation, now)
        self._of_person.setdefault(owner, OrderedDict())[key] = None

    def find(self, service: str, handle: str, owner: str, *, others: bool = False) -> Operation:
        """What was asked when the handle was made. Raises Unreadable when nobody knows, or it is another person's.

        `others`: what is another person's is given as well, with its owner named in it. That is no use of it.
        """
        key, now = (service, handle), self._clock.now()
        known = self._kept.get(key)
        if known is None or now - known.used >= SECONDS:
            raise Unreadable("the result that it names is not known to the gateway: run the query again")
        if known.owner != owner:
            if others:
                return replace(known.operation, owner=known.owner)
            raise Unreadable("the result that it names belongs to somebody else")
        self._kept[key] = known._replace(used=now)
        self._kept.move_to_end(key)
        self._of_person[owner].move_to_end(key)
        return known.operation

    def free(self, service: str, handle: str, owner: str) -> bool:
        """Whether nobody else has the handle: names that people choose themselves may be taken."""
        known = self._kept.get((service, handle))
        return known is None or known.owner == owner or self._clock.now() - known.used >= SECONDS

    def _forget(self, key: _Key) -> None:
        known = self._kept.pop(key)
        mine = self._of_person[known.owner]
        del mine[key]
        if not mine:
            del self._of_person[known.owner]


@dataclass(frozen=True, slots=True)
class Session:
    """The results of one person at one service: what a dialect is given to look handles up and to keep them."""

    results: Results
    service: str
    owner: str
    """The principal's issuer and subject."""
    scope: str = ""
    """What tells results apart that were judged by what other policies declare of the service; nothing, or a mark."""

    @property
    def _place(self) -> str:
        return f"{self.service} {self.scope}" if self.scope else self.service

    def find(self, handle: str) -> Operation:
        """What was asked when the handle was made. Raises Unreadable."""
        return self.results.find(self._place, handle, self.owner)

    def follow(self, handle: str) -> Operation:
        """The same, also of what is somebody else's: it names its `owner`, and what is made of it has to keep that.

        Only rules that say so cover it then. Raises Unreadable where nobody knows the handle.
        """
        return self.results.find(self._place, handle, self.owner, others=True)

    def free(self, handle: str) -> bool:
        """Whether nobody else has the handle."""
        return self.results.free(self._place, handle, self.owner)

    def remember(self, handle: str, operation: Operation) -> None:
        """Keep what a handle stands for. What comes of somebody else's result is theirs as well."""
        if operation.owner:
            self.results.remember(self._place, handle, operation.owner, replace(operation, owner=""))
        else:
            self.results.remember(self._place, handle, self.owner, operation)

    def note(self, name: str, operation: Operation) -> None:
        """Keep what this person asked for under a name of their own choice, whosever result it names."""
        self.results.remember(self._place, name, self.owner, operation)
