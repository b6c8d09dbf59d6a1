"""Exports and uploads to places outside that this person, their group, or anybody never used before."""

from __future__ import annotations

from urllib.parse import urlsplit

from sluicegate.detection.event import Event, key
from sluicegate.detection.habit import PLACES
from sluicegate.detection.indicators.columns import CLASSES
from sluicegate.detection.look import Look
from sluicegate.detection.recent import EXPORTED, KEPT, PLACED
from sluicegate.detection.surprise import once

EXPORTS = frozenset({"export", "share", "script"})
NEW_TO_ALL, NEW_TO_GROUP, NEW_TO_PERSON = 13.0, 9.0, 6.0
"""Bits; how often a new place is met is not learned, since whoever exports often would make new places usual."""
HELD = 2.0
UPLOAD = 10 << 10
"""Bytes to another host, from which an upload is worth a word."""
DROPS = (
    *("transfer.sh", "file.io", "0x0.st", "gofile.io", "wetransfer.com", "mega.nz", "mega.co.nz", "anonfiles.com"),
    *("pastebin.com", "paste.ee", "hastebin.com", "ghostbin.com", "rentry.co", "dpaste.com", "controlc.com"),
    *("webhook.site", "requestbin.com", "pipedream.net", "ngrok.io", "ngrok-free.app", "trycloudflare.com"),
    *("api.telegram.org", "discord.com", "discordapp.com", "hooks.slack.com", "hooks.zapier.com", "hook.eu1.make.com"),
    *("dropbox.com", "dropboxapi.com", "drive.google.com", "content.googleapis.com", "box.com", "mediafire.com"),
    *("gist.github.com", "api.github.com", "bashupload.com", "temp.sh", "catbox.moe", "uguu.se", "filebin.net"),
)
"""Hosts where anybody can put anything for anybody: pastes, drops, tunnels, webhooks, chats."""


def look(look: Look) -> None:
    """Whether data goes to a new place outside."""
    event, place = look.event, look.place
    if place is None:
        return
    if event.kind in EXPORTS:
        # That this person exports at all says half of what it would alone: the place is new because they never did.
        never = once(look.usual_days(EXPORTED)) / 2 if look.met(EXPORTED) else 0.0
        _new(look, "new-destination", place, never + (2.0 if event.kind == "share" else 0.0))
        if never:
            _often(look, "often-outside", "", EXPORTED, "exports to places outside")
    elif event.elsewhere and event.sent >= UPLOAD:
        more = (4.0 if is_drop(place) else 0.0) + 3.0 * event.packed
        _new(look, "copy-out", place, more)


def _new(look: Look, indicator: str, destination: str, more: float) -> None:
    place = place_key(destination)
    habit = look.habit
    if not habit.seen.add(place):
        if look.day - habit.placed.get(place, -KEPT - 1) <= KEPT and look.met(PLACED):
            _often(look, indicator, destination[:200], PLACED, "sends to a place that was new two weeks ago")
        return
    drop = is_drop(destination)
    if place not in look.everybody.places or drop:
        if len(habit.placed) >= PLACES:
            del habit.placed[next(iter(habit.placed))]
        habit.placed[place] = look.day
        look.met(PLACED)
    if place not in look.everybody.places:
        new, to = NEW_TO_ALL, "that nobody used before"
    elif place not in look.group.places:
        new, to = NEW_TO_GROUP, "that nobody in the group used before"
    else:
        new, to = NEW_TO_PERSON, "that others used before, and this person not"
    event = look.event
    if drop:  # what others put there, others can fetch: it is no place that is known to anybody
        new = max(new, NEW_TO_GROUP)
    # An export is made by the service, of whatever the dataset has.
    strange = new > NEW_TO_PERSON and event.kind in EXPORTS
    whole = max(look.weights.values(), default=1.0) if strange else 1.0
    look.say(
        indicator,
        destination[:200],
        new + more,
        lambda: f"sent data to {destination[:200]}, {to}",
        lambda: {
            "destination": destination[:200],
            "kind": event.kind,
            "dataset": event.dataset or "",
            "bytes": str(event.sent or event.size),
            "packed": "yes" if event.packed else "no",
        },
        weight=max(look.weight, held(look), whole),
    )


def _often(look: Look, indicator: str, about: str, sign: int, words: str) -> None:
    bits, count, days = look.recurring(sign)
    event = look.event
    look.say(
        indicator,
        about,
        bits,
        lambda: f"{words}, on more days than is usual",
        lambda: {
            "on so many days": f"{count} of the last {days} days of work",
            "own days like it before": f"{look.habit.recent.known[sign]:.0f} of {look.habit.recent.days:.0f}",
            "destination": str(where(event))[:200],
            "dataset": event.dataset or "",
        },
        recurs=True,
        weight=max(look.weight, held(look), max(look.weights.values(), default=1.0) if bits > 2 * NEW_TO_PERSON else 1),
    )


def held(look: Look) -> float:
    """What the person holds of today weighs: what goes out may be that."""
    today = look.habit.day
    return HELD if today.steps[0] or today.columns.get(CLASSES) else 1.0


def place_key(destination: str) -> int:
    """The key of the account, bucket or host of a destination: what is behind it is the same place."""
    scheme, _, rest = destination.partition("://")
    return key("place", scheme, rest.partition("/")[0].lower() if rest else destination[:300])


def is_drop(destination: str) -> bool:
    """Whether it is a host where anybody can put anything."""
    host = urlsplit(destination).hostname or ""
    return any(host == drop or host.endswith("." + drop) for drop in DROPS)


def where(event: Event) -> str | None:
    """The place outside that an event is about. Who opens something to others names no place: it is what is opened."""
    if event.refused:
        return None
    if event.kind == "share" and event.destination is None:
        return f"whoever may read {event.dataset or event.service}" if event.taken else None
    return event.destination or None if event.external else None


def sends(event: Event) -> bool:
    """Whether data goes outside."""
    if where(event) is None:
        return False
    return event.kind in EXPORTS or (event.elsewhere and event.sent >= UPLOAD)
