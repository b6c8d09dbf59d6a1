"""Google's spellings of a bucket: `gs://BUCKET/OBJECT`, whether by XML address, JSON API or resource name."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from sluicegate.operations.destination.place import Place, bucket, checked, decode, joined

_REGIONAL = r"storage\.[a-z]+-[a-z]+\d{1,2}\.rep\.googleapis\.com"
_HOST = re.compile(
    rf"(?:(?P<name>.+)\.)?(?:storage(?:\.mtls)?\.googleapis\.com|{_REGIONAL}|commondatastorage\.googleapis\.com)"
)
_JSON = (("storage", "v1"), ("upload", "storage", "v1"), ("download", "storage", "v1"),
         ("resumable", "upload", "storage", "v1"))  # fmt: skip


def from_host(host: str, path: str) -> Place | None:
    """The place behind an address at one of Google's storage hosts; None where it is no such host.

    `path` is as sent: in the JSON API an object's name is one segment, whose slashes are escaped. Raises ValueError.
    """
    found = _HOST.fullmatch(host)
    pieces = path[1:].split("/") if path else []
    for front in _JSON:
        if (found or host == "www.googleapis.com") and tuple(pieces[: len(front)]) == front:
            return _json(pieces[len(front) :])
    if found and found["name"] is not None:
        return of_bucket(found["name"], checked([decode(piece) for piece in pieces]))
    if (found or host == "storage.cloud.google.com") and pieces and pieces[0]:
        return of_bucket(decode(pieces[0]), checked([decode(piece) for piece in pieces[1:]]))
    return None


def from_resource(text: str) -> Place:
    """`//storage.googleapis.com/projects/_/buckets/NAME[/objects/OBJECT]`. Raises ValueError."""
    pieces = text.removeprefix("//").split("/")
    if pieces[:4] != ["storage.googleapis.com", "projects", "_", "buckets"] or len(pieces) < 5:
        raise ValueError("the destination has no scheme")
    rest = pieces[5:]
    if rest and rest[0] != "objects":
        raise ValueError("the destination is no bucket")
    return of_bucket(decode(pieces[4]), checked([decode(piece) for piece in rest[1:]]))


def of_bucket(name: str, key: list[str]) -> Place:
    """The place of a bucket and the decoded segments of an object's name. Raises ValueError."""
    return Place("gs", bucket(name), joined(key))


def _json(pieces: list[str]) -> Place:
    if len(pieces) < 2 or pieces[0] != "b" or (len(pieces) > 2 and pieces[2] != "o") or len(pieces) > 4:
        raise ValueError("the destination is no bucket")
    key: list[str] = []
    if len(pieces) == 4:
        name = unquote_to_bytes(pieces[3]).decode()
        if any(c in "%\\?#" for c in name) or not name.isprintable():
            raise ValueError("the destination hides characters in escapes")
        key = checked(name.split("/"))
    return of_bucket(decode(pieces[1]), key)
