"""The dialects of services that many organisations have. One file a dialect; each puts itself under its name here."""

from __future__ import annotations

from collections.abc import Callable

from sluicegate.operations.built_in.bigquery import BigQueryDialect
from sluicegate.operations.built_in.clickhouse import ClickHouseDialect
from sluicegate.operations.built_in.databricks import DatabricksDialect
from sluicegate.operations.built_in.snowflake import SnowflakeDialect
from sluicegate.operations.built_in.trino import TrinoDialect
from sluicegate.operations.dialect import Dialect

DIALECTS: dict[str, Callable[[], Dialect]] = {}
"""Name, as a service gives it in `dialect`, to what makes one."""

DIALECTS["bigquery"] = BigQueryDialect
DIALECTS["clickhouse"] = ClickHouseDialect
DIALECTS["databricks"] = DatabricksDialect
DIALECTS["snowflake"] = SnowflakeDialect
DIALECTS["trino"] = TrinoDialect
