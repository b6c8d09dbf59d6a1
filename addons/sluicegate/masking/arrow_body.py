"""Arrow IPC, as a stream and as a file (Arrow Columnar Format, "Serialization and Interprocess Communication").

The schema leaves as it came, with its metadata; every batch is read, checked whole, masked and written anew, so that
nothing stays in padding, in dictionaries or behind the end. Metadata of single messages is not passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from sluicegate.exchange import Rows
from sluicegate.masking import arrow_size
from sluicegate.masking.arrow_columns import mask_column
from sluicegate.masking.arrow_content import check_schema
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tabular import MAX_COLUMNS, Columns
from sluicegate.masking.tally import Tally

FILE = b"ARROW1"
"""What an Arrow file begins and ends with."""

_FRONT = 8  # bytes of a file before the stream in it: what it begins with, padded
BROKEN = "its body is not readable as Arrow"
_LEAST = 16  # bytes that a masked value takes at least


def mask_stream(data: bytes, rows: Rows, plan: Plan, tally: Tally, limit: int) -> bytes:
    """The masked stream. Raises Unfit, also when more than `limit` bytes come out of it."""
    if data[:6] == FILE:
        raise Unfit("its body is an Arrow file and not the stream that was announced")

    def run() -> bytes:
        arrow_size.check(data, limit)
        source = pa.BufferReader(data)
        reader = pa.ipc.open_stream(source)
        masker = Masker(reader.schema, rows, plan, tally, limit)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(masker.mask(batch))
        if data[source.tell() :].strip(b"\0"):
            raise Unfit("it has something behind the end of its Arrow stream")
        return bytes(sink.getvalue())

    return readable(run, BROKEN)


def mask_file(data: bytes, rows: Rows, plan: Plan, tally: Tally, limit: int) -> bytes:
    """The masked file. Raises Unfit, also when more than `limit` bytes come out of it."""
    if data[:6] != FILE or data[-6:] != FILE:
        raise Unfit("its body is not the Arrow file that was announced")

    def run() -> bytes:
        arrow_size.check(data[_FRONT:], limit)
        reader = pa.ipc.open_file(pa.BufferReader(data))
        masker = Masker(reader.schema, rows, plan, tally, limit)
        batches: Iterator[pa.RecordBatch] = (reader.get_batch(i) for i in range(reader.num_record_batches))
        masked = [masker.mask(batch) for batch in batches]
        sink = pa.BufferOutputStream()
        # A file holds one dictionary for each field, and masking may have made several.
        options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
        with pa.ipc.new_file(sink, reader.schema, options=options) as writer:
            if len(masked) == 1:
                writer.write_batch(masked[0])
            elif masked:
                writer.write_table(pa.Table.from_batches(masked, schema=reader.schema))
        return bytes(sink.getvalue())

    return readable(run, BROKEN)


class Masker:
    """Masks batches of one schema."""

    def __init__(self, schema: pa.Schema, rows: Rows, plan: Plan, tally: Tally, limit: int) -> None:
        if len(schema) > MAX_COLUMNS:
            raise Unfit("it has too many columns")
        if plan.content is not None:
            check_schema(schema, plan.content)
        self._schema = schema
        self._plan = plan
        self._tally = tally
        self._columns = Columns(schema.names, rows, plan, tally)
        self._left = limit

    def renew(self, limit: int) -> None:
        """From now on so many bytes may come."""
        self._left = limit

    def mask(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with its masked columns replaced. Raises Unfit, or what pyarrow raises for a broken one."""
        masked = sum(hit is not None for hit in self._columns.hits)
        self._left -= max(batch.nbytes, batch.num_rows * masked * _LEAST)
        if self._left < 0:
            raise Unfit("the body is too large once decoded")
        batch.validate(full=True)
        arrays = [
            mask_column(batch.column(place), self._schema.field(place), hit, self._plan, self._tally)
            for place, hit in enumerate(self._columns.hits)
        ]
        self._columns.count(batch.num_rows, self._tally)
        if not arrays:
            return batch
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def readable(run: Callable[[], bytes], broken: str) -> bytes:
    """What `run` gives. Raises Unfit for everything that the library cannot read or write; its words may hold data."""
    try:
        return run()
    except Unfit:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, KeyError, IndexError):
        raise Unfit(broken) from None
