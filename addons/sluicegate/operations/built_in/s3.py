"""S3: objects whole and in ranges, listings, uploads, copies, S3 Select, and who may reach a bucket.

Read by virtual host and by path, signed in headers and presigned in the query (signature versions 2 and 4).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Kind, Operation, Rows
from sluicegate.operations import query, saying
from sluicegate.operations.built_in import s3_bodies as bodies
from sluicegate.operations.built_in.aws_json import together
from sluicegate.operations.built_in.s3_places import Object, datasets_of, object_of, source_of
from sluicegate.operations.built_in.signed import SIGNED
from sluicegate.operations.destination import judge, judge_all
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer, render

_SIGNING = frozenset(
    {
        *("awsaccesskeyid", "signature", "expires", "x-id", "x-amz-algorithm", "x-amz-credential", "x-amz-date"),
        *("x-amz-expires", "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token", "x-amz-content-sha256"),
        *("x-amz-sdk-checksum-algorithm", "x-amz-user-agent", "x-amz-storage-class"),
    }
)
_BESIDE = ("x-amz-meta-", "x-amz-checksum-", "x-amz-server-side-encryption")
"""Headers that clients move into the query of a presigned request, and that change nothing about where data goes."""
_SHOWING = ("response-content-type", "response-content-language", "response-expires", "response-cache-control",
            "response-content-disposition", "response-content-encoding")  # fmt: skip
_LISTING = frozenset(
    (
        *("list-type", "prefix", "delimiter", "marker", "max-keys", "encoding-type", "start-after", "fetch-owner"),
        *("continuation-token", "versions", "key-marker", "version-id-marker", "uploads", "upload-id-marker"),
        *("max-uploads", "optional-object-attributes"),
    )
)
_SHARING = frozenset({"acl", "policy", "publicAccessBlock", "ownershipControls", "cors", "website"})
_SENDING = frozenset({"replication", "inventory", "logging", "analytics", "notification", "metadataTable"})
"""Settings that make the service write to another place from now on."""
_SETTINGS = frozenset(
    (
        *("accelerate", "encryption", "intelligent-tiering", "lifecycle", "location", "metrics", "object-lock"),
        *("policyStatus", "requestPayment", "tagging", "versioning"),
        *(_SHARING | _SENDING),
    )
)
_OF_OBJECT = frozenset({"acl", "tagging", "attributes", "legal-hold", "retention"})
_FORMATS = {"csv": "csv", "tsv": "tsv", "json": "json", "jsonl": "json", "ndjson": "json", "parquet": "parquet",
            "arrow": "arrow-file", "feather": "arrow-file", "arrows": "arrow"}  # fmt: skip
_TYPES = {"text/csv": "csv", "text/tab-separated-values": "tsv", "application/json": "json"}
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]{1,4096})</UploadId>")
_DOCUMENT = re.compile(
    rb"\s*(?:<\?xml [^>]*\?>\s*)?<(?:Error|List(?:Bucket|Versions|MultipartUploads|Parts|AllMyBuckets)Result"
    rb"|(?:Initiate|Complete)MultipartUploadResult|Copy(?:Object|Part)Result|DeleteResult|AccessControlPolicy|Tagging"
    rb"|GetObjectAttributes\w+|LegalHold|Retention|LocationConstraint|PolicyStatus|\w+Configuration|BucketLoggingStatus)"
    rb'(?:\s+xmlns(?::\w+)?="[^"]*")*\s*/?>'
)
"""The documents that the service itself writes."""


class S3Dialect(Dialect):
    """Objects of S3 and of services that speak like it."""

    def match(self, view: RequestView) -> str | None:
        return f"{view.method} object" if view.path != "/" else f"{view.method} bucket"

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            parameters = _parameters(view)
            if "x-amz-target" in view.headers or "x-amz-rename-source" in view.headers:
                raise Unreadable("it has a header that makes another request of it")
            where = object_of(view, known)
            return replace(_read(view, parameters, where, known, session), once=SIGNED)
        except Unreadable as why:
            return unknown(known.service, f"{view.method}: {why}")

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if operation.route == "CreateMultipartUpload" and (found := _UPLOAD_ID.search(reply.body)) is not None:
            session.remember(f"upload:{found[1].decode('utf-8', 'replace')}", operation)
        documented = reply.decoded and (not reply.body or _DOCUMENT.match(reply.body) is not None)
        # An object may be such a document itself: then only an error is one for certain. Those of a statement quote.
        certain = reply.status >= 400 if operation.route == "GetObject" else operation.route != "SelectObjectContent"
        if (view.method == "HEAD" or documented) and certain:
            return Delivery(bare=True)
        if operation.route == "SelectObjectContent":
            return Delivery(unreadable="it is an event stream")
        if operation.route != "GetObject":
            return None
        kind = _format(view, reply)
        if kind is None:
            return Delivery(unreadable="its format is not known")
        # Whether a CSV begins with names only its first row can show.
        return Delivery((Rows(kind),))

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """The error document of S3: a 403 that no SDK tries again."""
        said = render(refusal, "")
        message = escape(saying.sentence(refusal))
        body = f"{_DECLARATION}<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
        headers = {**dict(said.headers), "content-type": "application/xml"}
        return Answer(403, said.reason, tuple(headers.items()), body.encode())


def _format(view: RequestView, reply: ReplyView) -> Any:
    """By the key's ending, since most objects are of type binary/octet-stream; else by the type."""
    if reply.header("content-encoding") and not reply.decoded:
        return None
    ending = view.path.rpartition("/")[2].rpartition(".")[2].lower()
    if ending in _FORMATS:
        return _FORMATS[ending]
    media = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    return _TYPES.get(media)


def _parameters(view: RequestView) -> dict[str, str]:
    """The query without what signs it. Raises Unreadable for a header in it that asks for more than the path says."""
    found = query.parameters(view.query)
    for name in found:
        lower = name.lower()
        if lower.startswith("x-amz-") and lower not in _SIGNING and not lower.startswith(_BESIDE):
            raise Unreadable(f"the query has {name[:40]!r}, which is read here from headers alone")
    return {
        name: value
        for name, value in found.items()
        if name.lower() not in _SIGNING and not name.lower().startswith("x-amz-")
    }


def _only(parameters: dict[str, str], *accepted: str) -> None:
    for name in parameters:
        if name not in accepted:
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")


def _about(known: Known, where: Object, kind: Kind, route: str, *, prefix: bool = False, **more: Any) -> Operation:
    """An operation on every dataset that the object belongs to."""
    found = [
        Operation(known.service, kind, key, declared, route=route, **more)
        for key, declared in datasets_of(where.name, known, prefix=prefix)
    ]
    return together(found)


def _nothing_of(known: Known, where: Object, kind: Kind, route: str, **more: Any) -> Operation:
    """The same, of an operation that hands out no content: it lists no columns, so it owes no masks."""
    return _about(known, where, kind, route, column_scope="listed", **more)


def _read(
    view: RequestView, parameters: dict[str, str], where: Object | None, known: Known, session: Session
) -> Operation:
    if where is None:
        if view.method not in ("GET", "HEAD") or view.body:
            raise Unreadable("no request of this form is known")
        _only(parameters, "prefix", "max-buckets", "continuation-token", "bucket-region")
        return Operation(known.service, "poll", route="ListBuckets")
    if view.method in ("GET", "HEAD") and view.body:
        raise Unreadable("a body was sent where none is read")
    if not where.key:
        return _bucket(view, parameters, where, known)
    match view.method:
        case "GET" | "HEAD":
            return _get(view, parameters, where, known, session)
        case "PUT":
            return _put(view, parameters, where, known, session)
        case "POST":
            return _post(view, parameters, where, known, session)
        case "DELETE":
            return _delete(parameters, where, known, session)
    raise Unreadable("no request of this form is known")


def _bucket(view: RequestView, parameters: dict[str, str], where: Object, known: Known) -> Operation:
    setting = next((name for name in parameters if name in _SETTINGS), None)
    if view.method in ("GET", "HEAD"):
        if setting is not None:
            _only(parameters, setting, "id", "continuation-token")
            return _nothing_of(known, where, "poll", f"Get {setting}")
        _only(parameters, *_LISTING)
        if view.method == "HEAD":
            return _nothing_of(known, where, "poll", "HeadBucket")
        listed = Object(where.place, parameters.get("prefix", ""))
        return _nothing_of(known, listed, "read", "ListObjects", prefix=True)  # names, and no content
    if view.method == "POST" and set(parameters) == {"delete"}:
        keys = [Object(where.place, key) for key in bodies.deleted(view)]
        return together([_nothing_of(known, each, "write", "DeleteObjects", statements=("delete",)) for each in keys])
    if view.method not in ("PUT", "DELETE"):
        raise Unreadable("no request of this form is known")
    _only(parameters, *_SETTINGS, "id")
    if setting in _SHARING:
        return _nothing_of(known, where, "share", f"{view.method} {setting}")
    if setting in _SENDING and view.method == "PUT":
        destination, side = judge_all(bodies.targets(view), known.ours)
        more: dict[str, Any] = {"destination": destination, "destination_side": side or "external"}
        return _about(known, where, "export", f"PUT {setting}", column_scope="all", **more)
    if setting is None and view.method == "PUT" and _public(view):
        return _nothing_of(known, where, "share", "CreateBucket")
    return _nothing_of(known, where, "admin", f"{view.method} {setting or 'bucket'}")


def _get(view: RequestView, parameters: dict[str, str], where: Object, known: Known, session: Session) -> Operation:
    owner = _begun(parameters["uploadId"], where, known, session) if "uploadId" in parameters else ""
    setting = next((name for name in parameters if name in _OF_OBJECT), None)
    if setting is not None or "uploadId" in parameters:
        _only(parameters, *_OF_OBJECT, "versionId", "uploadId", "max-parts", "part-number-marker")
        return replace(_nothing_of(known, where, "poll", f"Get {setting or 'parts'}"), owner=owner)
    _only(parameters, *_SHOWING, "versionId", "partNumber")
    if view.method == "HEAD":
        return _nothing_of(known, where, "read", "HeadObject")
    chunks = []
    asked = view.header("range")
    if asked is not None:
        chunks.append(asked.strip()[:100])
    if "partNumber" in parameters:
        chunks.append(f"part {parameters['partNumber'][:20]}")
    if "versionId" in parameters:
        chunks.append(f"version {parameters['versionId'][:100]}")
    return _about(known, where, "read", "GetObject", column_scope="all", chunks=tuple(chunks))


def _put(view: RequestView, parameters: dict[str, str], where: Object, known: Known, session: Session) -> Operation:
    setting = next((name for name in parameters if name in _OF_OBJECT), None)
    if setting is not None:
        _only(parameters, setting, "versionId")
        return _nothing_of(known, where, "share" if setting == "acl" else "write", f"Put {setting}")
    _only(parameters, "partNumber", "uploadId")
    part = "uploadId" in parameters
    owner = _begun(parameters["uploadId"], where, known, session) if part else ""
    source = view.header("x-amz-copy-source")
    if source is None:
        made = _uploading(where, known, "UploadPart" if part else "PutObject")
    else:
        made = _copied(source_of(source), where, known, "UploadPartCopy" if part else "CopyObject")
    return replace(_shared(made, view, where, known), owner=owner)


def _post(view: RequestView, parameters: dict[str, str], where: Object, known: Known, session: Session) -> Operation:
    if "select" in parameters:
        _only(parameters, "select", "select-type")
        return _select(view, where, known)
    if set(parameters) == {"uploads"}:
        return _shared(_uploading(where, known, "CreateMultipartUpload"), view, where, known)
    if set(parameters) == {"uploadId"}:
        owner = _begun(parameters["uploadId"], where, known, session)
        return replace(_uploading(where, known, "CompleteMultipartUpload"), owner=owner)
    if "restore" in parameters:
        _only(parameters, "restore", "versionId")
        if view.body:
            bodies.restored(view)
        return _nothing_of(known, where, "admin", "RestoreObject")
    raise Unreadable("no request of this form is known")


def _delete(parameters: dict[str, str], where: Object, known: Known, session: Session) -> Operation:
    if "uploadId" in parameters:
        _only(parameters, "uploadId")
        owner = _begun(parameters["uploadId"], where, known, session)
        return replace(_nothing_of(known, where, "cancel", "AbortMultipartUpload"), owner=owner)
    _only(parameters, "versionId", "tagging")
    return _nothing_of(known, where, "write", "DeleteObject", statements=("delete",))


def _begun(upload: str, where: Object, known: Known, session: Session) -> str:
    """Who began this upload of this object, where somebody else did. Raises Unreadable unless it was done here."""
    found = session.follow(f"upload:{upload}")
    if found.destination != judge(where.name, known.ours)[0]:
        raise Unreadable("the upload is of another object")
    return found.owner


def _uploading(where: Object, known: Known, route: str) -> Operation:
    destination, side = judge(where.name, known.ours)
    return _nothing_of(known, where, "upload", route, destination=destination, destination_side=side)


def _copied(source: Object, where: Object, known: Known, route: str) -> Operation:
    """A copy runs inside the service: the source leaves whole, for wherever the target is."""
    destination, side = judge(where.name, known.ours)
    more: dict[str, Any] = {"destination": destination, "destination_side": side}
    leaving = _about(known, source, "export", route, column_scope="all", **more)
    return together([leaving, _nothing_of(known, where, "upload", route, **more)])


def _shared(operation: Operation, view: RequestView, where: Object, known: Known) -> Operation:
    """The same, and that others may read what is written, where the request says so."""
    if not _public(view):
        return operation
    return together([operation, _nothing_of(known, where, "share", operation.route)])


def _public(view: RequestView) -> bool:
    acl = view.header("x-amz-acl")
    granted = any(name.startswith("x-amz-grant-") for name in view.headers)
    return granted or acl not in (None, "private", "bucket-owner-full-control", "bucket-owner-read")


def _select(view: RequestView, where: Object, known: Known) -> Operation:
    expression = bodies.expression(view)
    found = []
    for key, declared in datasets_of(where.name, known):
        named = replace(
            known,
            datasets={"s3object": key},
            columns={key: known.columns.get(key, frozenset())},
            all_columns={k: v for k, v in (known.all_columns or {}).items() if k == key},
            catalog=None,
            schema=None,
        )
        read = read_sql(expression, "", named).operation
        if read.kind != "unknown" and (read.dataset != key or any(part.dataset != key for part in read.parts)):
            raise Unreadable("the expression reads more than the object")
        found.append(replace(read, declared=declared, parts=tuple(replace(p, declared=declared) for p in read.parts)))
    return replace(together(found), route="SelectObjectContent", outputs=found[0].outputs if len(found) == 1 else None)
