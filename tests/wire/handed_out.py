"""Handles that services hand out, one service each: what is asked first, what follows it, and what a refusal looks like.

The answers are in the shapes that docs/services.md names the sources of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

SSN = "123-45-6789"
SQL = "select id, ssn from db1.s1.emp"
NAMES = [{"name": "id", "type": "STRING"}, {"name": "ssn", "type": "STRING"}]
ROW = ["7", SSN]
TOKEN = {"Authorization": 'Snowflake Token="t"'}
AMZ = {"Content-Type": "application/x-amz-json-1.1"}


@dataclass(frozen=True)
class Asked:
    """A request, and what its service answers. A body that is no text goes as JSON; so does an answer."""

    line: str
    answer: Any = field(default_factory=dict)
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200

    @property
    def key(self) -> tuple[str, str]:
        """What the service knows it by."""
        return self.line, self.headers.get("X-Amz-Target", "")

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    def answered(self) -> bytes:
        """The answer on the wire."""
        if isinstance(self.answer, str):
            kind, body = "application/xml" if self.answer.startswith("<") else "text/plain", self.answer.encode()
        else:
            kind, body = "application/json", json.dumps(self.answer).encode()
        head = f"HTTP/1.1 {self.status} OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


@dataclass(frozen=True)
class Case:
    """A service that hands something out. `said`: status of a refusal, and where its sentence stands in the body."""

    name: str
    dialect: str
    first: Asked
    then: tuple[Asked, ...]
    said: tuple[int, str]
    dataset: str | None = "db1.s1.emp"
    more: str = ""

    @property
    def host(self) -> str:
        return f"{self.name}.example.test"


def amz(target: str, answer: Any, body: dict[str, Any]) -> Asked:
    return Asked("POST /", answer, body, {**AMZ, "X-Amz-Target": target})


SNOWFLAKE = {"queryId": "q-1", "rowtype": NAMES, "rowset": [ROW], "queryResultFormat": "json"}
SNOWFLAKE_ANSWER = {"data": SNOWFLAKE, "success": True, "code": None, "message": None}
TRINO = {"id": "t1", "stats": {"state": "RUNNING"}, "infoUri": "https://trino.example.test/ui"}
TRINO_PAGE = "/v1/statement/executing/t1/y/1"
BIGQUERY = {
    "jobReference": {"projectId": "db1", "jobId": "j-1"},
    "jobComplete": True,
    "schema": {"fields": NAMES},
    "rows": [{"f": [{"v": "7"}, {"v": SSN}]}],
    "pageToken": "p2",
}
HITS = {"hits": {"hits": [{"_index": "emp", "_id": "7", "_source": {"id": 7, "ssn": SSN}}]}}
UPLOAD = "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
DECLARED = """
[[dialects.tables.routes]]
request = "GET /tables/{table}/rows"
kind = "read"
dataset = "path:table"
result = "query:cursor"
hands_out = ["$.next"]
rows = "$.items"

[[dialects.tables.routes]]
request = "POST /queries"
kind = "read"
statement = "$.text"
sql = "postgres"
hands_out = ["$.id"]

[[dialects.tables.routes]]
request = "GET /queries/{id}/rows"
kind = "read"
result = "path:id"
rows = "$.items"

[[dialects.tables.routes]]
request = "DELETE /queries/{id}"
kind = "cancel"
result = "path:id"
"""
ITEMS = {"items": [{"id": 7, "ssn": SSN}], "next": "c1"}

CASES = [
    Case(
        "snowflake", "snowflake",
        Asked("POST /queries/v1/query-request?requestId=r-1", SNOWFLAKE_ANSWER, {"sqlText": SQL}, TOKEN),
        (
            Asked("GET /queries/q-1/result", SNOWFLAKE_ANSWER, headers=TOKEN),
            Asked(
                "POST /queries/v1/query-request?requestId=r-2", SNOWFLAKE_ANSWER,
                {"sqlText": "select * from table(result_scan('q-1'))"}, TOKEN,
            ),
            Asked("GET /monitoring/queries/q-1", {"data": {"queries": [{"status": "SUCCESS"}]}}, headers=TOKEN),
        ),
        (200, "message"),
    ),
    Case(
        "sql-api", "snowflake",
        Asked(
            "POST /api/v2/statements",
            {"statementHandle": "h-1", "resultSetMetaData": {"rowType": NAMES}, "data": [ROW]},
            {"statement": SQL, "database": "db1", "schema": "s1"},
        ),
        (Asked("GET /api/v2/statements/h-1?partition=1", {"data": [ROW]}), Asked("POST /api/v2/statements/h-1/cancel")),
        (422, "message"),
    ),
    Case(
        "trino", "trino",
        Asked("POST /v1/statement", {**TRINO, "nextUri": f"https://trino.example.test{TRINO_PAGE}"}, SQL),
        (Asked(f"GET {TRINO_PAGE}", {**TRINO, "columns": NAMES, "data": [ROW]}),),
        (200, "error.message"),
    ),
    Case(
        "databricks", "databricks",
        Asked(
            "POST /api/2.0/sql/statements",
            {"statement_id": "s-1", "manifest": {"schema": {"columns": NAMES}}, "result": {"data_array": [ROW]}},
            {"statement": SQL, "warehouse_id": "w", "catalog": "db1", "schema": "s1"},
        ),
        (
            Asked("GET /api/2.0/sql/statements/s-1/result/chunks/1", {"data_array": [ROW]}),
            Asked("GET /api/2.0/sql/statements/s-1", {"statement_id": "s-1", "status": {"state": "SUCCEEDED"}}),
            Asked("POST /api/2.0/sql/statements/s-1/cancel"),
        ),
        (403, "message"),
    ),
    Case(
        "bigquery", "bigquery",
        Asked("POST /bigquery/v2/projects/db1/queries", BIGQUERY, {"query": SQL, "useLegacySql": False}),
        (
            Asked("GET /bigquery/v2/projects/db1/queries/j-1?pageToken=p2", BIGQUERY),
            Asked("GET /bigquery/v2/projects/db1/jobs/j-1", {"status": {"state": "DONE"}}),
            Asked("POST /bigquery/v2/projects/db1/jobs/j-1/cancel", {"kind": "bigquery#jobCancelResponse"}),
        ),
        (403, "error.message"),
    ),
    Case(
        "athena", "athena",
        amz("AmazonAthena.StartQueryExecution", {"QueryExecutionId": "e-1"}, {"QueryString": SQL}),
        (
            amz(
                "AmazonAthena.GetQueryResults",
                {"ResultSet": {
                    "Rows": [{"Data": [{"VarCharValue": "id"}, {"VarCharValue": "ssn"}]},
                             {"Data": [{"VarCharValue": "7"}, {"VarCharValue": SSN}]}],
                    "ResultSetMetadata": {"ColumnInfo": [{"Name": "id"}, {"Name": "ssn"}]},
                }},
                {"QueryExecutionId": "e-1"},
            ),
            amz("AmazonAthena.GetQueryExecution", {"QueryExecution": {"Status": {}}}, {"QueryExecutionId": "e-1"}),
            amz("AmazonAthena.BatchGetQueryExecution", {"QueryExecutions": []}, {"QueryExecutionIds": ["e-1"]}),
            amz("AmazonAthena.StopQueryExecution", {}, {"QueryExecutionId": "e-1"}),
        ),
        (400, "message"),
    ),
    Case(
        "redshift", "redshift-data",
        amz("RedshiftData.ExecuteStatement", {"Id": "d-1"}, {"Database": "db1", "WorkgroupName": "w", "Sql": SQL}),
        (
            amz(
                "RedshiftData.GetStatementResult",
                {"Records": [[{"stringValue": "7"}, {"stringValue": SSN}]], "ColumnMetadata": NAMES},
                {"Id": "d-1"},
            ),
            amz("RedshiftData.DescribeStatement", {"Status": "FINISHED"}, {"Id": "d-1"}),
            amz("RedshiftData.CancelStatement", {"Status": True}, {"Id": "d-1"}),
        ),
        (400, "message"),
    ),
    Case(
        "scroll", "elasticsearch",
        Asked("POST /emp/_search?scroll=1m", {**HITS, "_scroll_id": "scroll-1"}, {"size": 1}),
        (
            Asked("POST /_search/scroll", HITS, {"scroll_id": "scroll-1"}),
            Asked("DELETE /_search/scroll", {"succeeded": True}, {"scroll_id": "scroll-1"}),
        ),
        (403, "error.reason"),
        dataset="emp",
    ),
    Case(
        "pit", "elasticsearch",
        Asked("POST /emp/_pit?keep_alive=1m", {"id": "pit-1"}),
        (
            Asked("POST /_search", HITS, {"pit": {"id": "pit-1"}}),
            Asked("DELETE /_pit", {"succeeded": True}, {"id": "pit-1"}),
        ),
        (403, "error.reason"),
        dataset="emp",
    ),
    Case(
        "async-search", "elasticsearch",
        Asked("POST /emp/_async_search", {"id": "as-1", "response": HITS}, {"size": 1}),
        (
            Asked("GET /_async_search/as-1", {"id": "as-1", "response": HITS}),
            Asked("GET /_async_search/status/as-1", {"id": "as-1", "is_running": False}),
            Asked("DELETE /_async_search/as-1", {"acknowledged": True}),
        ),
        (403, "error.reason"),
        dataset="emp",
    ),
    Case(
        "sql-cursor", "elasticsearch",
        Asked("POST /_sql", {"columns": NAMES, "rows": [ROW], "cursor": "cur-1"}, {"query": "select id, ssn from emp"}),
        (
            Asked("POST /_sql", {"rows": [ROW]}, {"cursor": "cur-1"}),
            Asked("POST /_sql/close", {"succeeded": True}, {"cursor": "cur-1"}),
        ),
        (403, "error.reason"),
        dataset="emp",
    ),
    Case(
        "s3", "s3",
        Asked("POST /acme-lake/out/x.bin?uploads", UPLOAD),
        (
            Asked("PUT /acme-lake/out/x.bin?partNumber=1&uploadId=u-1", "", "data"),
            Asked("GET /acme-lake/out/x.bin?uploadId=u-1", "<ListPartsResult></ListPartsResult>"),
            Asked(
                "POST /acme-lake/out/x.bin?uploadId=u-1",
                "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>",
                "<CompleteMultipartUpload></CompleteMultipartUpload>",
            ),
            Asked("DELETE /acme-lake/out/x.bin?uploadId=u-1", ""),
        ),
        (403, "<Message>"),
        dataset=None,
    ),
    Case(
        "ray", "ray",
        Asked("POST /api/jobs/", {"submission_id": "job-1", "job_id": "job-1"}, {"entrypoint": "python x.py"}),
        (
            Asked("GET /api/jobs/job-1/logs", {"logs": "done"}),
            Asked("GET /api/jobs/job-1", {"status": "SUCCEEDED"}),
            Asked("POST /api/jobs/job-1/stop", {"stopped": True}),
        ),
        (400, ""),
        dataset=None,
    ),
    Case(
        "docling", "docling",
        Asked(
            "POST /v1/convert/source/async", {"task_id": "k-1", "task_status": "pending"},
            {"sources": [{"kind": "file", "base64_string": "eA==", "filename": "x.md"}]},
        ),
        (
            Asked("GET /v1/status/poll/k-1", {"task_id": "k-1", "task_status": "success"}),
            Asked("GET /v1/result/k-1", {"document": {"md_content": "x"}}),
        ),
        (403, "detail"),
        dataset=None,
    ),
    Case(
        "pages", "tables",
        Asked("GET /tables/emp/rows", ITEMS),
        (Asked("GET /tables/emp/rows?cursor=c1", ITEMS),),
        (403, "detail"),
        dataset="emp",
        more=DECLARED,
    ),
    Case(
        "queries", "tables",
        Asked("POST /queries", {"id": "q1"}, {"text": "select id, ssn from emp"}),
        (Asked("GET /queries/q1/rows", {"items": ITEMS["items"]}), Asked("DELETE /queries/q1", {})),
        (403, "detail"),
        dataset="emp",
    ),
]  # fmt: skip
