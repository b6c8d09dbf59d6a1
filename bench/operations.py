"""How long it takes to read what a request asks for, in each dialect.

    python -m bench.operations

One plain request a dialect, read again and again as the gateway does it: the text of a statement is one that was seen
before. Exit code 1 when a request was not understood, since its time would mean nothing.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from sluicegate.clock import SystemClock
from sluicegate.operations import Reader, RequestView
from sluicegate.settings import Settings

JSON: Mapping[str, tuple[str, ...]] = {"content-type": ("application/json",)}
SQL = "select id, name from emp where id < 100"


def _aws(target: str) -> Mapping[str, tuple[str, ...]]:
    return {"content-type": ("application/x-amz-json-1.1",), "x-amz-target": (target,)}


Request = tuple[str, str, str, Mapping[str, tuple[str, ...]], Any]
"""Method, path, query, headers and body."""
REQUESTS: dict[str, Request] = {
    "declared": ("GET", "/datasets/emp/chunks/7", "columns=id,name", {}, None),
    "athena": (
        "POST",
        "/",
        "",
        _aws("AmazonAthena.StartQueryExecution"),
        {"QueryString": SQL, "ResultConfiguration": {"OutputLocation": "s3://acme-results/"}},
    ),
    "bigquery": ("POST", "/bigquery/v2/projects/p/queries", "", JSON, {"query": SQL, "useLegacySql": False}),
    "chonkie": ("POST", "/v1/chunk/token", "", JSON, {"text": "some text", "chunk_size": 24}),
    "clickhouse": ("POST", "/", "database=default", {}, f"{SQL} FORMAT JSON"),
    "databricks": ("POST", "/api/2.0/sql/statements", "", JSON, {"statement": SQL, "warehouse_id": "w"}),
    "datasette": ("GET", "/hr/emp.json", "_col=id&_col=name&_size=100", {}, None),
    "docling": (
        "POST",
        "/v1/chunk/hybrid/source",
        "",
        JSON,
        {"sources": [{"kind": "file", "base64_string": "aGVsbG8=", "filename": "a.md"}]},
    ),
    "dynamodb": (
        "POST",
        "/",
        "",
        _aws("DynamoDB_20120810.Scan"),
        {"TableName": "emp", "ProjectionExpression": "id, #n", "ExpressionAttributeNames": {"#n": "name"}},
    ),
    "elasticsearch": ("POST", "/emp/_search", "", JSON, {"size": 100, "_source": ["id", "name"]}),
    "ray": ("POST", "/api/jobs/", "", JSON, {"entrypoint": "python job.py"}),
    "redshift-data": ("POST", "/", "", _aws("RedshiftData.ExecuteStatement"), {"Sql": SQL, "Database": "dev"}),
    "roapi": ("GET", "/api/tables/emp", "columns=id,name&limit=100", {}, None),
    "s3": ("GET", "/emp/part-0.csv", "", {}, None),
    "snowflake": ("POST", "/queries/v1/query-request", "requestId=1", JSON, {"sqlText": SQL, "sequenceId": 1}),
    "tiled": ("GET", "/api/v1/table/partition/emp", "partition=4&column=id&column=name", {}, None),
    "trino": ("POST", "/v1/statement", "", {"x-trino-user": ("eng",)}, SQL),
}


def settings() -> Settings:
    """A policy with a service for each dialect, and a table `emp` in each of them."""
    names = {"bigquery": "p.hr.emp", "datasette": "hr.emp", "s3": "s3://emp/*"}
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "gateway": {"internal_destinations": ["s3://acme-results"]},
            "dialects": {
                "declared": {
                    "routes": [
                        {
                            "request": "GET /datasets/{dataset}/chunks/{chunk}",
                            "kind": "read",
                            "dataset": "path:dataset",
                            "chunks": "path:chunk",
                            "columns": "query:columns",
                        }
                    ]
                }
            },
            "services": {name: {"hosts": [f"{name}.test"], "dialect": name} for name in REQUESTS},
            "datasets": {
                f"{name}-emp": {
                    "service": name,
                    "name": names.get(name, "emp"),
                    "columns": {"ssn": "restricted"},
                    "all_columns": ["id", "name", "ssn"],
                }
                for name in REQUESTS
            },
        }
    )


def main() -> int:
    """Measure, print; 1 when a request was not understood."""
    reader = Reader(settings(), SystemClock())
    table = Table("dialect", "read as", "µs", title="Reading one request, best of 7 rounds")
    strange = []
    for name, (method, path, query, headers, body) in REQUESTS.items():
        data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        view = RequestView(method, path, query, headers, data, f"{name}.test")

        def read(view: RequestView = view, name: str = name) -> Any:
            return reader.read(view, name, "", "somebody")

        operation = read()
        if operation.kind == "unknown":
            strange.append(f"{name}: {operation.route}")
        best = min(timeit.repeat(read, number=200, repeat=7)) / 200
        table.add_row(name, f"{operation.kind} {operation.dataset or ''}", f"{best * 1e6:.1f}")
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    for line in strange:
        print(f"not understood: {line}", file=sys.stderr)
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main())
