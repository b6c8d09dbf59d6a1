"""Data keys that are there, with what the ledger says of each: whose originals they are for, of which class, when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sluicegate.recording.keeping.holds import Hold
from sluicegate.recording.keeping.selection import Selection
from sluicegate.recording.ledger.scan import entries_with
from sluicegate.recording.sealing.keys import FOLDER

Who = Callable[[str, str], str]
"""The pseudonym of an issuer and a subject."""
SESSION = "session"
"""What stands in the place of the issuer in the pseudonym of a session."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A wrapped key whose file is there."""

    name: str
    who: str
    session: str
    cls: str
    hour: int

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.age"


def made(folder: Path) -> list[MadeKey]:
    """The keys below a folder of recordings. Raises OSError, NoteError. Reads the whole ledger."""
    there = {path.stem for path in (folder / FOLDER).glob("[0-9a-f]*.age")}
    found = []
    for _, fields in entries_with(folder, b'"type":"key.made"'):
        name = fields.get("key")
        if fields["type"] == "key.made" and name in there:
            hour = fields.get("hour")
            who, session, cls = (str(fields.get(part) or "") for part in ("who", "session", "class"))
            found.append(MadeKey(name, who, session, cls, hour if isinstance(hour, int) else 0))
    return found


def of_exchange(folder: Path, exchange: str) -> set[str]:
    """The names of the keys under which originals of an exchange are sealed."""
    found = entries_with(folder, exchange.encode("utf-8", "backslashreplace"))
    return {
        str(fields.get("key")) for _, fields in found if fields["type"] == "sealed" and fields.get("id") == exchange
    }


def meant(key: MadeKey, chosen: Selection, who: Who, of: Collection[str]) -> bool:
    """Whether a key is one of those that are chosen. `of` are the keys of the exchange that is named."""
    return (
        (not chosen.subject or key.who == who(chosen.issuer, chosen.subject))
        and (not chosen.session or key.session == who(SESSION, chosen.session))
        and (not chosen.exchange or key.name in of)
        and (not chosen.cls or key.cls == chosen.cls)
        and chosen.within_hour(key.hour)
    )


def held(folder: Path, keys: Iterable[MadeKey], holds: Iterable[Hold], who: Who) -> dict[str, Hold]:
    """Which keys are held, by name, and by what. Keys do not say which service they are for: a hold on a service holds
    all of its time. So does a hold on somebody whose issuer it does not name, and one on a session hold those keys that
    do not name theirs."""
    found: dict[str, Hold] = {}
    for hold in holds:
        chosen = hold.selection
        of = of_exchange(folder, chosen.exchange) if chosen.exchange else set()
        for key in keys:
            if (
                chosen.within_hour(key.hour)
                and (not chosen.cls or key.cls == chosen.cls)
                and (not chosen.exchange or key.name in of)
                and (not chosen.subject or not chosen.issuer or key.who == who(chosen.issuer, chosen.subject))
                and (not chosen.session or not key.session or key.session == who(SESSION, chosen.session))
            ):
                found.setdefault(key.name, hold)
    return found
