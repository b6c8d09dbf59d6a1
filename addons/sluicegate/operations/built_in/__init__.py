"""The dialects of services that many organisations have. One file a dialect; each stands under its name here.

A dialect is loaded when a service is of it: most of them read SQL, and what reads that is large.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import cast

from sluicegate.operations.dialect import Dialect


def _make(module: str, name: str) -> Dialect:
    return cast(Dialect, getattr(import_module(f"{__name__}.{module}"), name)())


DIALECTS: dict[str, Callable[[], Dialect]] = {
    "athena": partial(_make, "athena", "AthenaDialect"),
    "bigquery": partial(_make, "bigquery", "BigQueryDialect"),
    "chonkie": partial(_make, "chonkie", "ChonkieDialect"),
    "clickhouse": partial(_make, "clickhouse", "ClickHouseDialect"),
    "databricks": partial(_make, "databricks", "DatabricksDialect"),
    "datasette": partial(_make, "datasette", "DatasetteDialect"),
    "docling": partial(_make, "docling", "DoclingDialect"),
    "dynamodb": partial(_make, "dynamodb", "DynamoDbDialect"),
    "elasticsearch": partial(_make, "elasticsearch", "ElasticsearchDialect"),
    "ray": partial(_make, "ray", "RayDialect"),
    "redshift-data": partial(_make, "redshift_data", "RedshiftDataDialect"),
    "roapi": partial(_make, "roapi", "RoapiDialect"),
    "s3": partial(_make, "s3", "S3Dialect"),
    "snowflake": partial(_make, "snowflake", "SnowflakeDialect"),
    "tiled": partial(_make, "tiled", "TiledDialect"),
    "trino": partial(_make, "trino", "TrinoDialect"),
}
"""Name, as a service gives it in `dialect`, to what makes one."""
