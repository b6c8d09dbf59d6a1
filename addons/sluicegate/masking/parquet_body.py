"""Parquet: read whole, row group by row group, and written anew, so that no statistics, dictionary, index or page of
a masked column stays. The schema and its metadata, the row groups and the compression are as they were.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from sluicegate.exchange import Rows
from sluicegate.masking.arrow_body import Masker, readable
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

MAGIC = b"PAR1"
"""What a Parquet file begins and ends with."""

_BROKEN = "its body is not readable as Parquet"
_AT_ONCE = 1024  # rows that are decoded before their size is looked at


def mask_parquet(data: bytes, rows: Rows, plan: Plan, tally: Tally, limit: int) -> bytes:
    """The masked file. Raises Unfit, also when more than `limit` bytes come out of it."""
    if len(data) < 12 or data[:4] != MAGIC or data[-4:] != MAGIC:
        raise Unfit("its body is not the Parquet file that was announced")

    def run() -> bytes:
        with pq.ParquetFile(pa.BufferReader(data), pre_buffer=False) as file:
            if sum(_claimed(file, group) for group in range(file.num_row_groups)) > limit:
                raise Unfit("the body is too large once decoded")
            masker = Masker(file.schema_arrow, rows, plan, tally, limit)
            return _written(file, masker)

    return readable(run, _BROKEN)


def _claimed(file: pq.ParquetFile, group: int) -> int:
    return max(0, int(file.metadata.row_group(group).total_byte_size))


def _written(file: pq.ParquetFile, masker: Masker) -> bytes:
    schema = file.schema_arrow
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression=_compression(file),
        use_deprecated_int96_timestamps=_has_int96(file),
    ) as writer:
        for group in range(file.num_row_groups):
            batches = [
                masker.mask(batch)
                for batch in file.iter_batches(batch_size=_AT_ONCE, row_groups=[group], use_threads=False)
            ]
            table = pa.Table.from_batches(batches, schema=schema)
            writer.write_table(table, row_group_size=max(1, table.num_rows))
    return bytes(sink.getvalue())


def _compression(file: pq.ParquetFile) -> str:
    if not file.num_row_groups or not file.metadata.num_columns:
        return "none"
    name = str(file.metadata.row_group(0).column(0).compression).lower()
    return name if name in ("snappy", "gzip", "brotli", "zstd", "lz4") else "none"


def _has_int96(file: pq.ParquetFile) -> bool:
    return any(file.schema.column(place).physical_type == "INT96" for place in range(file.metadata.num_columns))
