"""Statements whose result leaves from the service's side: where to, and what goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from sluicegate.exchange import Operation, Side
from sluicegate.operations.destination import SEVERAL, UNREADABLE, judge
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.query import read_query
from sluicegate.operations.sql.reading import Context

CREDENTIALS = "credentials"
"""Stands beside the kinds of a statement that carries keys for the place it goes to."""
_LOCAL_ENGINES = ("mergetree", "log", "memory", "null", "set", "join", "buffer", "dictionary")
_PLACES = frozenset(
    {"external_location", "location", "url", "uri", "uris", "path", "storage_provider", "base_location"}
)


def exported(
    operations: Sequence[Operation], kind: str, places: Sequence[str], context: Context
) -> tuple[Operation, ...]:
    """The same operations, as exports to these places."""
    destination, side = place(places, context)
    found = []
    for operation in operations:
        change = replace(operation, destination=destination, destination_side=side, outputs=None, rows=None)
        if change.kind in ("read", "unknown", "write", "admin") or change.into:
            change = replace(change, kind="export", into=())
        found.append(replace(change, statements=tuple(dict.fromkeys((kind, *operation.statements)))))
    return tuple(found)


def place(places: Sequence[str], context: Context) -> tuple[str, Side]:
    """The destination and its side; external where none can be told."""
    judged = [judge(text, context.known.ours) for text in dict.fromkeys(places)]
    if not judged:
        return f"{UNREADABLE}not said", "external"
    if len(judged) == 1:
        return judged[0]
    side: Side = "external" if any(one == "external" for _, one in judged) else "internal"
    return SEVERAL + ", ".join(text for text, _ in judged), side


def copy(node: exp.Copy, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """COPY. Which way it goes: to a text or stage it is an export, in Snowflake; elsewhere FROM and TO say it."""
    from sluicegate.operations.sql.changes import target

    subject = node.this.this if isinstance(node.this, exp.Schema) else node.this
    files: list[exp.Expr] = node.args.get("files") or []
    keys = (
        bool(node.args["credentials"].expressions or any(node.args["credentials"].args.values()))
        if node.args.get("credentials")
        else False
    )
    named = isinstance(subject, exp.Table) and isinstance(subject.this, exp.Identifier)
    into = context.name == "snowflake"
    if into and not named:
        operations = [one for source in files for one in _copied(source, None, context)]
        found = list(exported(operations, "copy_out", [_shown(subject)], context))
    elif into or node.args.get("kind"):
        if not named:
            raise Opaque("it is not clear what is loaded")
        queries = [source for source in files if isinstance(source, exp.Query)]
        if queries:
            raise Opaque("what is loaded is changed on the way")
        if any(_program(source) for source in files):
            raise Opaque("a program is run")
        found = target(node.this, "copy_in", context)
        destination, side = place([_shown(source) for source in files], context)
        found = [replace(one, destination=destination, destination_side=side) for one in found]
    else:
        columns = node.this.expressions if isinstance(node.this, exp.Schema) else None
        found = list(
            exported(_copied(subject, columns, context), "copy_out", [_shown(source) for source in files], context)
        )
        if any(_program(source) for source in files):
            found = [replace(one, statements=(*one.statements, "program")) for one in found]
    return [replace(one, statements=(*one.statements, CREDENTIALS)) for one in found] if keys else found


def _program(source: exp.Expr) -> bool:
    return isinstance(source, exp.Identifier) and source.name.upper() == "PROGRAM"


def _copied(source: exp.Expr, columns: list[exp.Expr] | None, context: Context) -> list[Operation]:
    query: exp.Expr = source
    if isinstance(source, exp.Table):
        names: list[exp.Expr] = [exp.column(part.name) for part in columns or ()]
        query = exp.select(*names or [exp.Star()]).from_(source.copy())
    if not isinstance(query, exp.Query):
        raise Opaque("it is not clear what is copied out")
    return read_query(query, context)


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Table):
        return (
            node.this.name
            if isinstance(node.this, exp.Literal | exp.Var)
            else ".".join(part.name for part in node.parts)
        )
    return node.name


def export_data(node: exp.Export, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """BigQuery's EXPORT DATA."""
    options = node.args.get("options")
    places, _ = places_in(options, context)
    return list(exported(_copied(node.this, None, context), "export", places, context))


def keyed(node: exp.Expr) -> bool:
    """Whether a statement carries keys for a place."""
    if node.find(exp.CredentialsProperty) is not None:
        return True
    names = (part.name.lower() for part in node.find_all(exp.Property) if isinstance(part, exp.Property))
    return any(word in name for name in names for word in ("secret", "password", "token", "key_id", "credential"))


def places_in(properties: exp.Expr | None, context: Context) -> tuple[list[str], bool]:
    """The places that properties name, and whether what is created lies outside of the database."""
    found: list[str] = []
    outside = False
    if properties is None:
        return found, outside
    for part in properties.expressions:
        if isinstance(part, exp.LocationProperty | exp.ExternalProperty):
            outside = True
            if isinstance(part.this, exp.Expr):
                found.append(part.this.name)
        elif isinstance(part, exp.EngineProperty):
            name = (
                part.this.name if isinstance(part.this, exp.Anonymous | exp.Var | exp.Identifier) else part.this.sql()
            ).lower()
            if not name.split("(")[0].endswith(_LOCAL_ENGINES):
                outside = True
                found += [value.name for value in part.find_all(exp.Literal) if value.is_string][:1]
        else:
            named = str(part.name if isinstance(part, exp.Property) else "").lower()
            texts = [value.name for value in part.find_all(exp.Literal) if value.is_string]
            if named in _PLACES or any("://" in value for value in texts):
                outside = True
                found += [value for value in texts if named in _PLACES or "://" in value]
    return found, outside
