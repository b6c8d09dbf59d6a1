"""The dialects of services that many organisations have. One file a dialect; each puts itself under its name here."""

from __future__ import annotations

from collections.abc import Callable

from sluicegate.operations.built_in.athena import AthenaDialect
from sluicegate.operations.built_in.bigquery import BigQueryDialect
from sluicegate.operations.built_in.chonkie import ChonkieDialect
from sluicegate.operations.built_in.clickhouse import ClickHouseDialect
from sluicegate.operations.built_in.databricks import DatabricksDialect
from sluicegate.operations.built_in.datasette import DatasetteDialect
from sluicegate.operations.built_in.docling import DoclingDialect
from sluicegate.operations.built_in.dynamodb import DynamoDbDialect
from sluicegate.operations.built_in.elasticsearch import ElasticsearchDialect
from sluicegate.operations.built_in.ray import RayDialect
from sluicegate.operations.built_in.redshift_data import RedshiftDataDialect
from sluicegate.operations.built_in.roapi import RoapiDialect
from sluicegate.operations.built_in.s3 import S3Dialect
from sluicegate.operations.built_in.snowflake import SnowflakeDialect
from sluicegate.operations.built_in.tiled import TiledDialect
from sluicegate.operations.built_in.trino import TrinoDialect
from sluicegate.operations.dialect import Dialect

DIALECTS: dict[str, Callable[[], Dialect]] = {}
"""Name, as a service gives it in `dialect`, to what makes one."""

DIALECTS["athena"] = AthenaDialect
DIALECTS["bigquery"] = BigQueryDialect
DIALECTS["chonkie"] = ChonkieDialect
DIALECTS["clickhouse"] = ClickHouseDialect
DIALECTS["databricks"] = DatabricksDialect
DIALECTS["datasette"] = DatasetteDialect
DIALECTS["docling"] = DoclingDialect
DIALECTS["dynamodb"] = DynamoDbDialect
DIALECTS["elasticsearch"] = ElasticsearchDialect
DIALECTS["ray"] = RayDialect
DIALECTS["redshift-data"] = RedshiftDataDialect
DIALECTS["roapi"] = RoapiDialect
DIALECTS["s3"] = S3Dialect
DIALECTS["snowflake"] = SnowflakeDialect
DIALECTS["tiled"] = TiledDialect
DIALECTS["trino"] = TrinoDialect
