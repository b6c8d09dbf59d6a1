"""Which bucket and key a request to S3 is about, and which datasets of the policy those are.

A dataset of an S3 service is named by `name = "s3://BUCKET/KEY"`, where stars stand for any part of the key, slashes
included: `s3://hr-data/emp/*`. Access points are `s3-accesspoint://ACCOUNT/REGION/NAME/KEY`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote

from sluicegate.operations.destination import Place, amazon
from sluicegate.operations.destination.place import bucket
from sluicegate.operations.dialect import Known
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import RequestView, Unreadable


class Object(NamedTuple):
    """A bucket (or access point) and a key in it; the key is empty where the bucket itself is meant."""

    place: str
    """`s3://BUCKET`, or that of an access point: without a slash at its end."""
    key: str

    @property
    def name(self) -> str:
        """As datasets are named."""
        return f"{self.place}/{self.key}" if self.key else self.place


def object_of(view: RequestView, known: Known) -> Object | None:
    """What a request is about; None for the service itself (the list of buckets). Raises Unreadable."""
    path = _segments(view.path)
    front = next((view.host.removesuffix(f".{d}") for d in known.below if view.host.endswith(f".{d}")), None)
    try:
        found = amazon.from_host(view.host, [])
        if found is not None:
            return Object(_bare(found), "/".join(path))
        if amazon.from_host(view.host, ["bucket"]) is None and front is not None:
            return Object(f"s3://{bucket(front)}", "/".join(path))
        if not path:
            return None
        return Object(f"s3://{bucket(path[0])}", "/".join(path[1:]))
    except ValueError as error:
        raise Unreadable(str(error)) from None


def source_of(value: str) -> Object:
    """The object that `x-amz-copy-source` names. Raises Unreadable."""
    path, mark, query = value.partition("?")
    if mark and not query.startswith("versionId="):
        raise Unreadable("x-amz-copy-source has a query that is not known")
    if path[:4].lower() == "arn:" or unquote(path)[:4].lower() == "arn:":
        raise Unreadable("x-amz-copy-source is an ARN")
    segments = _segments(path if path.startswith("/") else f"/{path}")
    if len(segments) < 2:
        raise Unreadable("x-amz-copy-source names no object")
    try:
        return Object(f"s3://{bucket(segments[0])}", "/".join(segments[1:]))
    except ValueError as error:
        raise Unreadable(str(error)) from None


def datasets_of(name: str, known: Known, *, prefix: bool = False) -> Sequence[tuple[str, bool]]:
    """The datasets that an object belongs to, the most closely named first, and whether they are declared.

    `prefix`: `name` is the beginning of names, as in a listing; then datasets are meant that hold all that begin so.
    Where datasets overlap all of them are meant, since each of them says something of the object.
    """
    probe = (name if name.count("/") > 2 else f"{name}/") + "\x00" if prefix else name
    found = [(len(wire.partition("*")[0]), key) for wire, key in known.datasets.items() if _covers(wire, probe)]
    if not found:
        return ((name, False),)
    return tuple((key, True) for _, key in sorted(found, key=lambda one: (-one[0], one[1])))


def _covers(wire: str, name: str) -> bool:
    wire = wire if "://" in wire else f"s3://{wire}"
    glob = wire.replace("[", "[[]")
    if wire.count("/") == 2:
        return fnmatchcase(name, glob) or fnmatchcase(name, f"{glob}/*")
    return fnmatchcase(name, glob) or (name.count("/") == 2 and fnmatchcase(f"{name}/", glob))


def _bare(place: Place) -> str:
    return str(place).rstrip("/")


def _segments(path: str) -> tuple[str, ...]:
    folder = len(path) > 1 and path.endswith("/")  # a key may end with a slash, as folders in consoles do
    segments = segments_of(path[:-1] if folder else path)
    if segments is None:
        raise Unreadable("the key can be read in more than one way")
    return (*segments, "") if folder and len(segments) > 0 else segments
