"""The XML documents that requests to S3 carry: S3 Select, deletions, and where settings send things."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from sluicegate.operations.body import read_text
from sluicegate.operations.view import RequestView, Unreadable

_TARGETS = frozenset({"Account", "Bucket", "CloudFunction", "Queue", "TableBucketArn", "Topic"})
_RESTORING = frozenset({"RestoreRequest", "Days", "GlacierJobParameters", "Tier", "Description"})
MAX_KEYS = 1000
"""The service deletes so many keys at once."""


def expression(view: RequestView) -> str:
    """The statement of an S3 Select request. Raises Unreadable."""
    found = [_text(node) for node in _root(view, "SelectObjectContentRequest") if _tag(node) == "Expression"]
    kinds = [_text(node) for node in _root(view, "SelectObjectContentRequest") if _tag(node) == "ExpressionType"]
    if len(found) != 1 or [kind.upper() for kind in kinds] != ["SQL"]:
        raise Unreadable("the request has not one expression in SQL")
    return found[0]


def deleted(view: RequestView) -> list[str]:
    """The keys of a request that deletes several. Raises Unreadable."""
    keys = []
    for node in _root(view, "Delete"):
        if _tag(node) == "Object":
            keys += [_text(inner) for inner in node if _tag(inner) == "Key"]
        elif _tag(node) != "Quiet":
            raise Unreadable("the request has an element that is not known")
    if not keys or len(keys) > MAX_KEYS or "" in keys:
        raise Unreadable("the request names no keys, or too many")
    return keys


def restored(view: RequestView) -> None:
    """Raise Unreadable for a request to restore that does more: it may run a statement, and write what comes of it."""
    for node in _root(view, "RestoreRequest").iter():
        if _tag(node) not in _RESTORING:
            raise Unreadable("the request restores more than an object")


def targets(view: RequestView) -> list[str]:
    """Every place that a setting of a bucket names. Raises Unreadable."""
    return list(_targets(_root(view, None)))


def _targets(root: Xml.Element) -> Iterator[str]:
    for node in root.iter():
        name, text = _tag(node), (node.text or "").strip()
        if name == "TargetBucket" and text:
            yield f"s3://{text}"
        elif name in _TARGETS and text:
            yield text


def _root(view: RequestView, name: str | None) -> Xml.Element:
    text = read_text(view)
    if "<!" in text:
        raise Unreadable("the body has a document type, which can hide what it says")
    try:
        root = Xml.fromstring(text)  # noqa: S314  without a document type there are no entities to grow
    except (Xml.ParseError, ValueError):
        raise Unreadable("the body is not XML") from None
    if name is not None and _tag(root) != name:
        raise Unreadable("the body is another document than the request needs")
    return root


def _tag(node: Xml.Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _text(node: Xml.Element) -> str:
    if len(node):
        raise Unreadable("an element holds others where a text is needed")
    return node.text or ""
