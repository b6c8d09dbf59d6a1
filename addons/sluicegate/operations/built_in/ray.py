"""Ray's job server: packages with code are uploaded, a job runs them, and its logs come back.

What a job does happens on the cluster, so the request is the only place to stop it. The digest of a package is
remembered by its name when it is uploaded; a job's script digest is made from the entry point, the environment and the
digests of its packages. A job from a package that the gateway did not see uploaded is not understood.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import orjson

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation
from sluicegate.operations import addresses, body, saying
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

_MEMBERS = frozenset(
    ("entrypoint", "submission_id", "job_id", "runtime_env", "metadata", "entrypoint_num_cpus", "entrypoint_num_gpus")
) | {"entrypoint_memory", "entrypoint_resources", "entrypoint_label_selector"}
_UPLOADED = "gcs://"
_VERSION = ("api", "version")


class RayDialect(Dialect):
    """Reads `/api/jobs` and `/api/packages` of a Ray head node."""

    def match(self, view: RequestView) -> str | None:
        segments = segments_of(view.path.removesuffix("/") or "/")
        if segments is None or segments[:2] not in (("api", "jobs"), ("api", "packages"), ("api", "version")):
            return None
        job = ("{job}", *segments[3:]) if segments[1] == "jobs" and len(segments) > 2 else ()
        return f"{view.method} /{'/'.join((*segments[:2], *job))}"

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            return replace(_read(view, known, session), route=self.match(view) or "")
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if reply.status != 200:
            return None
        segments = segments_of(view.path.removesuffix("/")) or ()
        if operation.kind == "upload":
            _shared(session).remember(f"package:{_package(segments)}", operation)
            return None
        if operation.kind == "script":
            for job in _ids(reply):
                session.remember(f"job:{job}", operation)
            return None
        if segments[3:] == ("logs",):
            return Delivery(leaks=("$.logs",))  # whatever the script printed
        if segments == ("api", "jobs"):
            return Delivery(leaks=("$[*].runtime_env", "$[*].message"))
        return None

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """The client shows the body as it is; but at 403 it adds that the cluster's token is wrong, which it is not."""
        answer = saying.as_text(refusal)
        first = segments_of(view.path.removesuffix("/")) == _VERSION  # of this one it shows the body at 403 alone
        return answer if first else answer._replace(status=400)


def _read(view: RequestView, known: Known, session: Session) -> Operation:
    segments = segments_of(view.path.removesuffix("/") or "/") or ()
    if view.query:
        raise Unreadable("the query has parameters that are not known here")
    if segments[:2] == ("api", "packages") and len(segments) == 4:
        return _about_package(view, _package(segments), known, session)
    if view.method == "POST" and segments == ("api", "jobs"):
        return _submit(body.read_object(view), known, session)
    if view.method == "POST" and segments[:2] == ("api", "jobs") and segments[3:] == ("stop",):
        found, handle = _job(segments, session)
        return replace(found, kind="cancel", result=handle)
    if view.body:
        raise Unreadable("a body was sent where none is read")
    if view.method == "DELETE" and segments[:2] == ("api", "jobs") and len(segments) == 3:
        found, handle = _job(segments, session)
        return replace(found, kind="admin", result=handle)
    if view.method != "GET":
        raise Unreadable("no route is of this form")
    if segments == _VERSION:
        return Operation(known.service, "poll")
    if segments == ("api", "jobs"):
        # Everybody's jobs, with the environments that they were started in.
        return Operation(known.service, "read", column_scope="unknown")
    if segments[:2] == ("api", "jobs") and segments[3:] in ((), ("logs",)):
        found, handle = _job(segments, session)
        return replace(found, kind="read" if segments[3:] else "poll", result=handle, chunks=segments[3:])
    raise Unreadable("no route is of this form")


def _job(segments: tuple[str, ...], session: Session) -> tuple[Operation, str]:
    handle = f"job:{segments[2]}" if len(segments) > 2 else ""
    return session.follow(handle), handle


def _package(segments: tuple[str, ...]) -> str:
    return f"{segments[2]}://{segments[3]}"


def _shared(session: Session) -> Session:
    """Packages are named by their content, and everybody's: the client does not upload what is there already."""
    return replace(session, owner="")


def _about_package(view: RequestView, package: str, known: Known, session: Session) -> Operation:
    if view.method == "GET" and not view.body:
        return Operation(known.service, "poll")
    if view.method != "PUT":
        raise Unreadable("no route is of this form")
    if view.header("content-encoding") is not None:
        raise Unreadable("the package has a content-encoding")
    digest = hashlib.sha256(view.body).hexdigest()
    try:
        before = _shared(session).find(f"package:{package}").script_digest
    except Unreadable:
        before = digest
    if before != digest:
        # A job that was judged by the first content would run the second.
        raise Unreadable("a package of this name was uploaded before, with another content")
    return Operation(known.service, "upload", script_digest=digest)


def _submit(document: dict[str, Any], known: Known, session: Session) -> Operation:
    for name in document:
        if name not in _MEMBERS:
            raise Unreadable(f"the body has a member {name[:40]!r} that is not known")
    entry = document.get("entrypoint")
    environment = document.get("runtime_env") or {}
    if not isinstance(entry, str) or not isinstance(environment, dict):
        raise Unreadable("the job has no entry point, or an environment that is none")
    outside: list[str] = []
    resolved = _resolve(environment, session, outside)
    # Values of `env_vars` can be code as well (PYTHONSTARTUP), so nothing is left out of the digest.
    text = json.dumps([entry, resolved], sort_keys=True, default=str)
    destination, side = addresses.judged(outside, known)
    return Operation(
        known.service,
        "script",
        column_scope="unknown",
        statement=entry,
        script_digest=None if outside else hashlib.sha256(text.encode()).hexdigest(),
        destination=destination,
        destination_side=side,
    )


def _resolve(value: Any, session: Session, outside: list[str], key: str = "") -> Any:
    """The environment with each package replaced by the digest of its content; other addresses are listed."""
    if isinstance(value, dict):
        return {name: _resolve(inner, session, outside, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolve(inner, session, outside, key) for inner in value]
    if isinstance(value, str) and value.startswith(_UPLOADED):
        return _shared(session).find(f"package:{value}").script_digest
    outside += addresses.addresses(value, key)
    return value


def _ids(reply: ReplyView) -> set[str]:
    try:
        document = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return set()
    named = (document.get(name) for name in ("submission_id", "job_id")) if isinstance(document, dict) else ()
    return {name for name in named if isinstance(name, str)}
