"""The policy file, watched: a sound change is put in force as a whole, any other changes nothing and is said loudly.

An exchange is judged to its end by the policy that it began with. What is listened on, who vouches for people, where
recordings are kept and the like is built into a running gateway; a change of those needs a restart, and is said to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sluicegate.clock import Clock
from sluicegate.errors import Fault
from sluicegate.pipeline.check import load_checked
from sluicegate.settings import Loaded, PolicyFault, Problem, Settings, State
from sluicegate.settings.positions import line_of

logger = logging.getLogger("sluicegate")

SECONDS = 1.0
"""How often the file is looked at. A change is taken up when it has been the same twice: files are written in steps."""

FOLLOWED = frozenset({"services", "dialects", "datasets", "jobs", "rules", "masks"})
"""Tables that a running gateway follows,"""
FOLLOWED_KEYS = {
    "gateway": frozenset({"others", "tunnel_hosts", "internal_destinations"}),
    "detection": frozenset(
        (
            *("off", "alerts_per_thousand", "half_life_days", "observe_days", "time_zone", "time_zones", "weights"),
            *("taint", "taint_seconds", "taint_unread", "zones", "canaries"),
        )
    ),
}
"""and keys of others. Whatever is not named here needs a restart."""


class Follower(Protocol):
    """A room that follows the policy file."""

    def prepare(self, loaded: Loaded) -> Any:
        """What it makes of a policy. Runs on a thread and changes nothing."""

    def adopt(self, part: Any) -> None:
        """Put that in force for what begins from now on."""


PutInForce = Callable[[Loaded, Mapping[str, Any]], None]


class _Signature(NamedTuple):
    modified: int
    changed: int
    size: int
    node: int


class Watch:
    """Looks at the file while the gateway is open. Nothing that goes wrong here touches the policy in force."""

    name = "sluicegate.watch"

    def __init__(
        self,
        loaded: Loaded,
        state: State,
        followers: Mapping[str, Follower],
        put_in_force: PutInForce,
        clock: Clock,
        *,
        tells: bool = True,
    ) -> None:
        """`tells`: writes down what is in force, for `doctor`; of several workers one does."""
        self.loaded = loaded
        """The policy in force."""
        self._tells = tells
        self._state = state
        self._followers = followers
        self._put = put_in_force
        self._clock = clock
        self._seen: _Signature | None = None
        self._judged: _Signature | None = None
        """The file that was last loaded, whatever came of it: each problem is said once."""
        self._missing = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to watch, and write down what is in force."""
        await asyncio.to_thread(self._write_down, self.loaded, [])
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="policy watch")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def wake(self) -> None:
        """Look now (SIGHUP)."""
        self._wake.set()

    async def look(self) -> None:
        """Look once. Call it twice for a change to be taken up. Raises nothing."""
        try:
            found = await asyncio.to_thread(_signature, self.loaded.path)
            if found is None:
                if not self._missing:
                    logger.error("the policy %s is gone; the one that was loaded stays in force", self.loaded.path)
                self._missing = True
                return
            self._missing = False
            settled, self._seen = found == self._seen, found
            if settled and found != self._judged:
                await self._take(found)
        except Exception:
            logger.exception("the policy could not be looked at; the one that was loaded stays in force")

    async def _take(self, signature: _Signature) -> None:
        self._judged = signature
        try:
            prepared = await asyncio.to_thread(self._prepare, signature)
        except PolicyFault as fault:
            await self._stays(fault.problems)
        except Fault as fault:
            await self._stays([Problem(1, "policy", str(fault))])
        except (ValueError, KeyError, TypeError, OSError) as error:
            await self._stays([Problem(1, "policy", f"cannot be put in force: {error}")])
        else:
            if prepared is None:
                self._judged = None  # it changed while it was read; the next looks see it
                return
            loaded, parts = prepared
            if loaded.digest != self.loaded.digest:
                self._put(loaded, parts)
                self.loaded = loaded
                logger.warning("the policy %s is in force, digest %s", loaded.path, loaded.digest[:16])
            await asyncio.to_thread(self._write_down, self.loaded, [])

    async def _stays(self, problems: list[Problem]) -> None:
        listed = "".join(f"\n  {self.loaded.path}:{str(problem).removeprefix('line ')}" for problem in problems)
        logger.error(
            "the policy %s was changed and cannot be put in force; the old one (digest %s) stays:%s",
            self.loaded.path,
            self.loaded.digest[:16],
            listed,
        )
        await asyncio.to_thread(self._write_down, self.loaded, problems)

    def _prepare(self, signature: _Signature) -> tuple[Loaded, dict[str, Any]] | None:
        loaded = load_checked(self.loaded.path)
        if _signature(self.loaded.path) != signature:
            return None
        fixed = needs_restart(self.loaded.settings, loaded)
        if fixed:
            raise PolicyFault(self.loaded.path, fixed)
        return loaded, {name: room.prepare(loaded) for name, room in self._followers.items()}

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    await self._wake.wait()
            woken = self._wake.is_set()
            self._wake.clear()
            await self.look()
            if woken:
                await self.look()

    def _write_down(self, loaded: Loaded, problems: list[Problem]) -> None:
        """For `doctor` and people: what is in force, and why the file is not, where it is not."""
        if not self._tells:
            return
        document = {
            "policy": str(loaded.path),
            "digest": loaded.digest,
            "looked_at": self._clock.now(),
            "problems": [asdict(problem) for problem in problems],
        }
        target = self._state.root / "policy.json"
        new = target.with_suffix(".new")
        try:
            new.touch(0o600)
            new.write_text(json.dumps(document, indent=2) + "\n")
            new.replace(target)
        except OSError as error:
            logger.error("%s cannot be written: %s", target, error)


def needs_restart(old: Settings, new: Loaded) -> list[Problem]:
    """What differs between two policies that a running gateway cannot change."""
    found = []
    for table in type(old).model_fields:
        before, after = getattr(old, table), getattr(new.settings, table)
        if table in FOLLOWED or before == after:
            continue
        keys = [
            key
            for key in type(before).model_fields
            if key not in FOLLOWED_KEYS.get(table, ()) and getattr(before, key) != getattr(after, key)
        ]
        message = "cannot change while the gateway runs"
        for key in keys:
            line = line_of((table, key), new.lines)
            found.append(Problem(line, f"{table}.{key}", message, "restart the gateway, or put it back"))
    return sorted(found)


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Signature(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
