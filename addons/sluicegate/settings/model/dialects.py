"""[dialects.*]: how the requests of a service are read, declared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.exchange import Kind
from sluicegate.settings.model.base import Table


class Route(Table):
    """[[dialects.*.routes]]: one kind of request, and where in it the parts of the operation are.

    A selector is `path:NAME`, `query:NAME`, `header:NAME`, or a JSONPath (`$...`) into a JSON body.
    """

    request: Annotated[str, Field(pattern=r"^[A-Z]+ /\S*$")]
    """Method and path template, such as `GET /datasets/{dataset}/chunks/{chunk}`."""
    kind: Kind
    """What such a request does."""
    dataset: str | None = None
    """Selector of the dataset's name."""
    chunks: str | None = None
    """Selector of the chunks asked for."""
    columns: str | None = None
    """Selector of the columns asked for; where the request has none, all columns are meant."""
    destination: str | None = None
    """Selector of where the data goes."""
    statement: str | None = None
    """Selector of a filter or query text."""
    sql: (
        Literal[
            "athena",
            "bigquery",
            "clickhouse",
            "databricks",
            "duckdb",
            "mysql",
            "postgres",
            "presto",
            "redshift",
            "snowflake",
            "spark",
            "sqlite",
            "trino",
        ]
        | None
    ) = None
    """The language in which `statement` is read as SQL; the statement then says dataset, columns and kind."""
    script: str | None = None
    """Selector of a script; its digest is recorded."""
    accepts: list[str] = []
    """Further query parameters and top-level body members that mean nothing to the policy. Others are refused."""
    repeated: list[str] = []
    """Query parameters that may be sent more than once, each value counting."""
    form: bool = False
    """The body is a form (application/x-www-form-urlencoded), whose fields are selected as `$.NAME`."""
    result: str | None = None
    """Selector of the handle (page token, query id) of an earlier answer. One that is not one's own is refused."""
    hands_out: list[str] = []
    """Where the answer has handles for later requests: JSONPaths, or `header:NAME`. Of an address, its parameters."""
    rows: str | None = None
    """JSONPath of the list of rows in the answer."""
    row_columns: str | None = None
    """JSONPath of the names of the columns in the answer, where rows are arrays."""


class Dialect(Table):
    """[dialects.*]: how the requests of a service are read."""

    routes: Annotated[list[Route], Field(min_length=1)]
    """Requests that are understood; any other is of kind `unknown`."""
