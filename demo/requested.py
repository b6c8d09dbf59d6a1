"""What a request to the chunk service asks for: query and body, checked member by member before anything is done."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from demo import customers, filters
from demo.answers import Rejected

MAX_BODY = 1 << 20
MAX_LIMIT = customers.ROWS


def chunk_number(text: str) -> int:
    """The chunk in a path: plain decimal digits, in range."""
    if text.isascii() and text.isdigit() and str(int(text[:9])) == text and int(text) < customers.CHUNKS:
        return int(text)
    raise Rejected(404, "no-chunk", f"There are chunks 0 to {customers.CHUNKS - 1}.")


def query_columns(request: Request) -> tuple[str, ...]:
    """The columns in the query, all of them where it names none. Any other parameter is an error."""
    given = request.query_params.multi_items()
    if not given:
        return customers.COLUMNS
    if [name for name, _ in given] != ["columns"]:
        raise Rejected(400, "bad-query", "The one query parameter is `columns`, once.")
    return columns(given[0][1].split(","))


async def members(
    request: Request, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The JSON object in the body, with no member that is not listed."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise Rejected(413, "too-large", f"A body has at most {MAX_BODY} bytes.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Rejected(415, "bad-coding", "Send the body without a content coding.")
    try:
        value = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        raise Rejected(400, "bad-json", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Rejected(400, "bad-body", "The body is not a JSON object.")
    if unknown := set(value) - {*required, *optional}:
        raise Rejected(400, "bad-body", f"Unknown members: {', '.join(sorted(unknown))[:200]}.")
    if missing := set(required) - set(value):
        raise Rejected(400, "bad-body", f"Missing members: {', '.join(sorted(missing))}.")
    return value


def columns(value: Any) -> tuple[str, ...]:
    """Names of columns, each once; None means all."""
    if value is None:
        return customers.COLUMNS
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise Rejected(400, "bad-columns", "`columns` is a list of names.")
    if len(set(value)) != len(value) or not set(value) <= set(customers.COLUMNS):
        raise Rejected(400, "bad-columns", f"Each column once, out of {', '.join(customers.COLUMNS)}.")
    return tuple(value)


def chunks(value: Any) -> tuple[int, ...]:
    """Numbers of chunks, each once; None means all."""
    if value is None:
        return tuple(range(customers.CHUNKS))
    if not isinstance(value, list) or not value or not all(type(number) is int for number in value):
        raise Rejected(400, "bad-chunks", "`chunks` is a list of numbers.")
    if len(set(value)) != len(value) or not all(0 <= number < customers.CHUNKS for number in value):
        raise Rejected(400, "bad-chunks", f"Each chunk once, out of 0 to {customers.CHUNKS - 1}.")
    return tuple(value)


def limit(value: Any) -> int:
    """How many rows at most; None means as many as there are."""
    if value is None:
        return MAX_LIMIT
    if type(value) is not int or not 1 <= value <= MAX_LIMIT:
        raise Rejected(400, "bad-limit", f"`limit` is a number from 1 to {MAX_LIMIT}.")
    return value


def condition(value: Any) -> filters.Condition | None:
    """The filter; None means every row."""
    if value is None:
        return None
    try:
        return filters.parse(text(value, "filter"))
    except filters.FilterError as error:
        raise Rejected(400, "bad-filter", f"The filter cannot be read: {error}.") from None


def text(value: Any, name: str) -> str:
    """A member that has to be text."""
    if not isinstance(value, str):
        raise Rejected(400, "bad-body", f"`{name}` is text.")
    return value
