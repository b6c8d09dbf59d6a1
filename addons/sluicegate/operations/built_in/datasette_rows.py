"""Where the rows are in what Datasette answers, and what of them stands beside: paging tokens, facets, keys."""

from __future__ import annotations

import csv
from typing import Any

import orjson

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rows
from sluicegate.operations.origins import outputs
from sluicegate.operations.view import ReplyView

_PATHS = {"arrays": "$.rows", "objects": "$.rows", "array": "$"}


def delivery(
    reply: ReplyView, operation: Operation, sensitive: frozenset[str], *, shape: str, lines: bool, sort: str
) -> Delivery:
    """How an answer with rows is to be read. Raises Refusal for sensitive columns that nobody asked for."""
    if not reply.decoded:
        return Delivery(unreadable="its body cannot be decoded")
    if lines or shape not in (*_PATHS, "csv"):
        return Delivery(unreadable="its rows are in a shape that is not read; ask for _shape=objects")
    if shape == "csv":
        names = _first_line(reply.body)
        if names is None:
            return Delivery(unreadable="its first line does not name its columns")
        _check(names, operation, sensitive)
        return Delivery((Rows("csv", columns=outputs(names, operation), header_row=True),))
    try:
        document = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return Delivery(unreadable="it is not JSON")
    names = _names(document, shape)
    if names is None:
        return Delivery(unreadable="it does not name its columns")
    _check(names, operation, sensitive)
    where = Rows(
        path=_PATHS[shape], shape="arrays" if shape == "arrays" else "objects", columns=outputs(names, operation)
    )
    if not isinstance(document, dict):
        return Delivery((where,), headers=("link",) if _hidden_key((), sort, sensitive) else ())
    return _with_leaks(document, where, sort, sensitive)


def _names(document: Any, shape: str) -> list[str] | None:
    columns = document.get("columns") if isinstance(document, dict) else None
    if shape == "arrays":
        return columns if _texts(columns) else None
    # Of two columns with one name an object keeps one, so the rows themselves say what is there.
    rows = document if shape == "array" else document.get("rows") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows[:1]):
        return None
    return list(rows[0]) if rows else []


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _first_line(body: bytes) -> list[str] | None:
    line = body.partition(b"\n")[0]
    try:
        names = next(csv.reader([line.decode().rstrip("\r")], strict=True), None)
    except (UnicodeDecodeError, csv.Error):
        return None
    return names or None


def _check(names: list[str], operation: Operation, sensitive: frozenset[str]) -> None:
    """Primary keys come whether or not they are asked for, and nothing was decided about those that were not."""
    if operation.statement is not None or operation.column_scope != "listed":
        return
    asked = {name.casefold() for name in operation.columns}
    unasked = sorted(name for name in names if name.casefold() not in asked and _in(name, sensitive))
    if unasked:
        raise Refusal(
            403,
            "unasked-columns",
            "The service sent more than was asked for",
            f"Beside the columns of the request the answer has {', '.join(unasked)}, about which nothing was decided.",
            next_step=f"Ask for {', '.join(f'_col={name}' for name in unasked)} as well.",
        )


def _in(name: str, sensitive: frozenset[str]) -> bool:
    return name.casefold() in {column.casefold() for column in sensitive}


def _with_leaks(document: dict[str, Any], where: Rows, sort: str, sensitive: frozenset[str]) -> Delivery:
    leaks = ["$.error"]
    listed = document.get("primary_keys")
    keys = tuple(listed) if isinstance(listed, list) and _texts(listed) else ()
    token = document.get("next")
    unsaid = isinstance(token, str) and token.count(",") + 1 > max(1, len(keys)) + bool(sort)
    headers: tuple[str, ...] = ()
    if unsaid or _hidden_key(keys, sort, sensitive):
        # The token holds the sort value and the key of the last row, in the clear.
        leaks += ["$.next", "$.next_url", "$.primary_key_values"]
        headers = ("link",)
    facets = document.get("facet_results")
    for name, facet in facets.items() if isinstance(facets, dict) else ():
        column = facet.get("name") if isinstance(facet, dict) else None
        if not isinstance(column, str) or _in(column, sensitive) or not name.isidentifier():
            leaks.append("$.facet_results")
    return Delivery((where,), tuple(dict.fromkeys(leaks)), headers)


def _hidden_key(keys: tuple[str, ...], sort: str, sensitive: frozenset[str]) -> bool:
    return any(_in(name, sensitive) for name in (*keys, sort) if name)
