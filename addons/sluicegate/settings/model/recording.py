"""[recording]: how exchanges are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sluicegate.settings.model.base import Seconds, Table, Text

Recipient = Annotated[str, Field(pattern=r"^age1[02-9ac-hj-np-z]{58}$")]


def _several(keys: list[str]) -> list[str]:
    if len(set(keys)) != len(keys) or len(keys) == 1:
        raise ValueError("must be at least two different keys, so that no single one can lose the evidence")
    return keys


Days = Annotated[int, Field(ge=1, le=36_600)]


class Keep(Table):
    """[recording.keep]: days, in the place of what `retention` says. A file is as old as its last record."""

    flows: Days | None = None
    """Exchanges as the client saw them."""
    intents: Days | None = None
    """What was about to go out."""
    events: Days | None = None
    """Decisions, sessions, what was held and shredded by whom."""
    originals: Days | None = None
    """Keys of unmasked originals: without its key nobody opens an original."""
    classes: dict[Text, Days] = {}
    """Keys of originals of one class (the names of the masks that were owed, such as `"emails+national-ids" = 3`)."""


class Recording(Table):
    """[recording]: how exchanges are kept."""

    durability: Literal["strict", "group"] = "strict"
    """`strict`: on the disk (fdatasync) before bytes move. `group`: written before, synced within `sync_seconds`."""
    sync_seconds: Seconds = 1.0
    """With `group`: how long a record may be written and not yet synced."""
    segment_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 32)] = 64 << 20
    """A new file is begun when one has grown to this size,"""
    segment_seconds: Seconds = 3600.0
    """or to this age."""
    reserve_bytes: Annotated[int, Field(ge=0, le=1 << 40)] = 64 << 20
    """While less than this is free on the disk, everything is refused (503). At a tenth of the disk it is logged."""
    log_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{0,200}$")] = ""
    """The name of the ledger in its signed heads, such as `gate.example.com/log`. Empty: made from its first key."""
    recipients: Annotated[list[Recipient], AfterValidator(_several)] = []
    """age recipients (`age1...`, at least two) to whom the unmasked originals of masked responses are sealed. Empty:
    no original is kept. The gateway cannot read back what it seals."""
    witness_url: Text | None = None
    """A witness (`sluicegate witness`) to which each new head of the ledger is sent,"""
    witness_key: Text | None = None
    """and its key, as it says at its start."""
    heads_folder: Text | None = None
    """A folder on another disk in which the newest head is kept as well."""
    retention: Literal["forever", "month", "pci", "hipaa"] = "forever"
    """How long recordings are kept. `month`: 31 days, events 366, keys of originals 7. `pci`: 366 days, keys of
    originals 31. `hipaa`: 2192 days, keys of originals 92. What is under a legal hold is kept in any case; so is the
    ledger."""
    keep: Keep = Keep()
    """Other times for single kinds."""
    never: list[Annotated[str, Field(pattern=r"^[^\s/:\[\]?#]+(/[^\s\[\]?#]*)?$", max_length=500)]] = []
    """Hosts, and paths of hosts, as globs (`private.example`, `chunks.internal/health*`), of which nothing is recorded
    but that somebody asked, when, of which service and with which verdict: no address, header or body. They are judged
    and masked like all others. Nothing of them is sealed."""
    secret_query: list[Text] = []
    """Further query parameters whose values are never recorded."""
