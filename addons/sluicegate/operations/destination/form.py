"""From any spelling of a destination to its normal form."""

from __future__ import annotations

import re

from sluicegate.operations.destination import amazon, databases, google, microsoft
from sluicegate.operations.destination.place import (
    PORTS,
    SCHEME,
    Place,
    bucket,
    check_escapes,
    decode,
    host_and_port,
    joined,
    segments,
    shown_host,
)
from sluicegate.operations.destination.secrets import without_secrets

MAX_LENGTH = 2048
ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "s3gov": "s3+aws-us-gov", "s3china": "s3+aws-cn"}
_WEB = frozenset({"http", "https"})
_ACCOUNTS = frozenset({*amazon.PARTITIONS, "s3-accesspoint", "s3-object-lambda"})
_EMAIL = re.compile(r"(?:mailto:)?([\w.+-]+)@([\w.-]+)", re.ASCII | re.IGNORECASE)
_STAGES = frozenset({"stage", "table-stage", "user-stage"})
_STAGE_NAME = re.compile(r"[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*){0,2}")


def place(text: str) -> Place:
    """The place that a destination means: one place for all its spellings.

    Raises ValueError for what cannot be read for certain: no scheme, user info, dot segments, double escapes,
    parameters that lead elsewhere, odd characters.
    """
    if len(text) > MAX_LENGTH or not text.isprintable() or "\\" in text or "#" in text:
        raise ValueError("the destination has characters that do not belong in one")
    if text.startswith("@"):
        return databases.from_stage(text)
    check_escapes(text)
    if text.startswith("//"):
        return google.from_resource(text)
    if text[:4].lower() == "arn:":
        return amazon.from_arn(text)
    if text[:5].lower() == "jdbc:":
        return databases.from_jdbc(text)
    if amazon.ACCOUNT.fullmatch(text) and text.isascii():
        return Place("aws", text)
    email = _EMAIL.fullmatch(text)
    if email:
        host, _ = host_and_port(email[2])
        return Place("mailto", host, joined([email[1]]))
    return _address(text)


def _address(text: str) -> Place:
    scheme, separator, rest = text.partition("://")
    scheme = ALIASES.get(scheme.lower(), scheme.lower())
    if not separator or not SCHEME.fullmatch(scheme):
        raise ValueError("the destination has no scheme")
    address, mark, query = rest.partition("?")
    authority, slash, tail = address.partition("/")
    path = slash + tail
    if " " in query:
        raise ValueError("the destination has a space in its query")
    if scheme in _WEB:
        return _web(scheme, decode(authority), path, mark + query)
    if scheme in microsoft.HADOOP or scheme == "azure":
        return _azure(scheme, authority, path)
    if mark:
        raise ValueError("the destination has a query where none belongs")
    return _other(scheme, decode(authority), path)


def _web(scheme: str, authority: str, path: str, query: str) -> Place:
    host, port = host_and_port(authority)
    if port is None or port == PORTS[scheme]:
        found = google.from_host(host, path)
        if found is None:
            parts = segments(path)
            found = amazon.from_host(host, parts) or microsoft.from_host(host, parts)
        if found is not None:
            return found  # what a query adds there is a signature, a version or a listing
    return Place(scheme, shown_host(host, port, PORTS[scheme]), joined(segments(path)), without_secrets(query))


def _azure(scheme: str, authority: str, path: str) -> Place:
    front, at, back = authority.rpartition("@")
    host, port = host_and_port(decode(back))
    if port not in (None, 443):
        raise ValueError("the destination has a port where none belongs")
    if at:
        return microsoft.from_hadoop(decode(front), host, segments(path))
    found = microsoft.from_host(host, segments(path))
    if found is None or scheme != "azure":
        raise ValueError("the destination is at no host of Azure's storage")
    return found


def _other(scheme: str, authority: str, path: str) -> Place:
    partition = amazon.partition_of(scheme)
    if partition is not None:
        return amazon.of_bucket(authority, segments(path), partition)
    family = scheme.partition("+")[0]
    if scheme == "gs" or family == "s3-alias":
        return Place(scheme, bucket(authority), joined(segments(path)))
    if family in _ACCOUNTS and amazon.ACCOUNT.fullmatch(authority):
        return Place(scheme, authority, joined(segments(path)))
    if scheme in _STAGES:
        if not _STAGE_NAME.fullmatch(authority.lower()):
            raise ValueError("the destination is no stage whose name can be read for certain")
        return Place(scheme, authority.lower(), joined(segments(path)))
    host, port = host_and_port(authority)
    return Place(scheme, shown_host(host, port, PORTS.get(scheme)), joined(segments(path)))
