"""CSV (RFC 4180) and TSV: masked by position or by the names in the first row. No types are guessed.

A row that two readers could take apart in two ways never leaves: quotes stand around a whole value or not at all, every
row is as wide as the first, and a line ends in one way. Values that owe nothing leave as they came, digit by digit;
where the body has quotes, every value gets them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import re2

from sluicegate.exchange import Rows
from sluicegate.masking import arrow_content
from sluicegate.masking.arrow_body import readable
from sluicegate.masking.arrow_columns import in_texts, mask_column
from sluicegate.masking.csv_neighbours import NeighbouringRows
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import REDACTED, Action
from sluicegate.masking.names import normal
from sluicegate.masking.owed import action_of
from sluicegate.masking.rules import Plan
from sluicegate.masking.table import is_unnamed
from sluicegate.masking.tabular import MAX_COLUMNS, Columns, owed_by_name
from sluicegate.masking.tally import Tally

LONGEST_ROW = 1 << 20
"""Bytes that a row may have; so many are read at a time."""
_DELIMITERS = (",", ";", "\t", "|")
_ANY_DELIMITER = re.compile(r"[,;\t|\"']")
_BOM = b"\xef\xbb\xbf"
_BROKEN = "its rows are not readable as CSV"
_UNNAMED = "its first row names no column that owes a mask, so that nobody can tell names from values"


class _Grammar(NamedTuple):
    """How values stand in a row."""

    delimiter: str
    quoted: bool
    """Whether a value may be in quotes; if not, quotes are letters like others."""


class _First(NamedTuple):
    """The first row: as it is written, its values, and how they stand in it."""

    raw: bytes
    cells: list[str]
    grammar: _Grammar
    tabs: bool


def mask_csv(data: bytes, rows: Rows, plan: Plan, tally: Tally, limit: int) -> bytes:
    """The masked body, whichever of `,` `;` `|` and tab is between its values. Raises Unfit."""
    return _mask(data, rows, plan, tally, tabs=False)


def mask_tsv(data: bytes, rows: Rows, plan: Plan, tally: Tally, limit: int) -> bytes:
    """The masked body. Quotes are no more than letters in it, unless they change where a value ends. Raises Unfit."""
    return _mask(data, rows, plan, tally, tabs=True)


def _mask(data: bytes, rows: Rows, plan: Plan, tally: Tally, *, tabs: bool) -> bytes:
    bom, text, sheet = open_sheet(data, rows, plan, tally, tabs=tabs)
    sheet.check(text)
    return bom + sheet.head + sheet.mask(text[sheet.front :])


def open_sheet(
    data: bytes, rows: Rows, plan: Plan, tally: Tally, *, tabs: bool, quotes: bool | None = None
) -> tuple[bytes, bytes, Sheet]:
    """The byte order mark of a body, the text behind it, and what its first row says. Raises Unfit.

    `tabs`: only they stand between values. `quotes`: whether values may be in quotes; usually where the text has any.
    """
    text, bom = _checked(data, quotes=not tabs)
    quoted = b'"' in text if quotes is None else quotes
    grammar, raw, cells = _tabbed(text, rows, plan) if tabs else _guessed(text, quoted, rows, owed_by_name(plan))
    return bom, text, Sheet(_First(raw, cells, grammar, tabs), rows, plan, tally)


def _tabbed(text: bytes, rows: Rows, plan: Plan) -> tuple[_Grammar, bytes, list[str]]:
    grammar = _Grammar("\t", False)
    raw, cells = _first(text, grammar) or (b"", [])
    if rows.columns is None and not rows.header_row and not _owing(cells, owed_by_name(plan)):
        raise Unfit(_UNNAMED)
    return grammar, raw, cells


def _checked(data: bytes, *, quotes: bool) -> tuple[bytes, bytes]:
    """The text without its byte order mark, and that mark."""
    bom = _BOM if data.startswith(_BOM) else b""
    text = data[len(bom) :]
    if not text.strip():
        raise Unfit("it has no rows, and not even the names of columns")
    if b"\0" in text:
        raise Unfit("its text holds zero bytes, or is not in UTF-8")
    # Within quotes a line may end in any way, and outside of them the grammar is checked.
    if b"\r" in text and not (quotes and b'"' in text):
        returns = text.count(b"\r")
        if returns != text.count(b"\r\n") or returns != text.count(b"\n"):
            raise Unfit("its lines end in several ways")
    return text, bom


def _guessed(text: bytes, quoted: bool, rows: Rows, named: Mapping[str, Action]) -> tuple[_Grammar, bytes, list[str]]:
    """What is between the values, with the first row read that way. Raises Unfit where that is not certain."""
    grammars = [_Grammar(delimiter, quoted) for delimiter in _DELIMITERS]
    read = [(grammar, *found) for grammar in grammars if (found := _first(text, grammar)) is not None]
    if rows.columns is not None:
        fitting = [each for each in read if len(each[2]) == len(rows.columns)]
        if not fitting or (len(fitting) > 1 and len(rows.columns) > 1):
            raise Unfit("its columns and its rows do not agree")
        return fitting[0]
    # The reading that finds most of the columns that owe a mask; of those, the one with most columns.
    read.sort(key=lambda each: (-_owing(each[2], named), -len(each[2])))
    if not read or not (rows.header_row or _owing(read[0][2], named)):
        raise Unfit(_UNNAMED)
    # A name that only shows when the row is taken apart in yet another way.
    if _owing(_ANY_DELIMITER.split(",".join(read[0][2])), named) > _owing(read[0][2], named):
        raise Unfit(_UNNAMED)
    return read[0]


def _owing(cells: list[str], named: Mapping[str, Action]) -> int:
    return sum(action_of(named, cell) is not None for cell in cells)


def _first(text: bytes, grammar: _Grammar) -> tuple[bytes, list[str]] | None:
    """The first row as it is written, with its line end, and its values. None where it cannot be read this way."""
    sign = re.escape(grammar.delimiter.encode())
    plain = rb"[^\r\n%s%s]*+" % (sign, b'"' if grammar.quoted else b"")
    value = rb'(?:"(?:[^"]|"")*+"|%s)' % plain if grammar.quoted else plain
    found = re.match(rb"%s(?:%s%s){0,%d}+(?:\r?\n|\Z)" % (value, sign, value, MAX_COLUMNS), text[:LONGEST_ROW])
    if found is None:
        return None
    try:
        line = found.group().decode()
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None
    if not grammar.quoted:
        return found.group(), line.rstrip("\r\n").split(grammar.delimiter)
    cells = list(csv.reader(line.splitlines(keepends=True), delimiter=grammar.delimiter, strict=True))
    return found.group(), cells[0] or [""]


def _check_quotes(text: bytes, delimiter: str, width: int) -> None:
    """Quotes stand around a whole value, and are doubled inside it; no line is empty. Raises Unfit."""
    sign = re.escape(delimiter)
    value = rf'(?:"(?:[^"]|"")*"|[^"\r\n{sign}]*)'
    row = rf"{value}(?:{sign}{value})+" if width > 1 else value
    whole = text if text.endswith(b"\n") else text + b"\n"
    if re2.compile(rf"(?:{row}\r?\n)*".encode(), _BYTES).fullmatch(whole) is None:
        raise Unfit("its quotes do not stand around whole values")


def _check_empty(text: bytes) -> None:
    """No line is empty: to one reader that is a row, and to another it is none. Raises Unfit."""
    if text[:1] in b"\r\n" or _EMPTY.search(text) is not None:
        raise Unfit("it has empty lines between its rows")


def _check_tabs(text: bytes) -> None:
    """A value that begins with a quote ends with one before the next tab. Raises Unfit."""
    if _HALF_QUOTED.search(text) is not None:
        raise Unfit("its quotes do not stand around whole values")


_BYTES = re2.Options()
_BYTES.encoding = re2.Options.Encoding.LATIN1
_BYTES.max_mem = 64 << 20
_EMPTY = re2.compile(rb"\n[\r\n]", _BYTES)
# A quote at the front, and then a tab or line end before the quote that ends the value.
_HALF_QUOTED = re2.compile(rb'(?:^|[\t\n])"(?:[^"\t\r\n]|"")*(?:[\t\r\n]|$|"[^"\t\r\n])', _BYTES)


class Sheet:
    """A body whose first row was read: what its columns owe, and how its other rows are masked."""

    def __init__(self, first: _First, rows: Rows, plan: Plan, tally: Tally) -> None:
        raw, cells, self.grammar = first.raw, first.cells, first.grammar
        headed = rows.header_row or rows.columns is None
        names = cells if headed else [output.name for output in rows.columns or ()]
        self._plan = plan
        self._tally = tally
        self._columns = Columns(names, rows, plan, tally)
        self._width = len(cells)
        self._tabs = first.tabs
        self.ending = b"\r\n" if raw.endswith(b"\r\n") else b"\n"
        self.front = len(raw) if headed else 0
        """Bytes of the row of names."""
        self.head = _header(raw, cells, self._columns, rows, self.grammar, plan, tally) if headed else b""
        """The row of names as it may leave."""
        self._neighbours = None if plan.content is None else NeighbouringRows(plan.content, self._columns.hits, tally)
        self._open = False
        """Whether the last row has no line end behind it."""

    def check(self, text: bytes) -> None:
        """Raises Unfit for rows that two readers could take apart in two ways."""
        if self._tabs and b'"' in text:
            _check_tabs(text)
        if self.grammar.quoted:
            _check_quotes(text, self.grammar.delimiter, self._width)
        elif self._width > 1:
            _check_empty(text)

    def mask(self, body: bytes, *, last: bool = True) -> bytes:
        """Whole rows, masked. Raises Unfit. `last`: no more come; else the last of them may have to wait."""
        if body:
            self._open = not body.endswith(b"\n")
        masked = readable(lambda: self._masked(body, last), _BROKEN)
        if last and self._open:
            masked = masked.removesuffix(b"\n")
        if self.ending != b"\n" and not self.grammar.quoted:
            masked = masked.replace(b"\n", self.ending)
        return masked

    def _masked(self, body: bytes, last: bool) -> bytes:
        near = self._neighbours
        batches = _batches(body, len(self._columns.names), self.grammar) if body else iter(())
        out = [self._written(batch if near is None else near.take(batch)) for batch in batches]
        if last and near is not None and (held := near.end()) is not None:
            out.append(self._written(held))
        return b"".join(out)

    def _written(self, batch: pa.RecordBatch) -> bytes:
        if not batch.num_rows:
            return b""
        arrays = [self._column(batch.column(place), place) for place in range(batch.num_columns)]
        self._columns.count(batch.num_rows, self._tally)
        return _written(pa.RecordBatch.from_arrays(arrays, schema=batch.schema), self.grammar)

    def _column(self, array: pa.Array, place: int) -> pa.Array:
        hit = self._columns.hits[place]
        field = pa.field(self._columns.names[place], pa.string())
        if hit is None and self._plan.content is not None:
            looked = arrow_content.texts(array, field, self._plan.content, self._tally, neighbours=False)
            return in_texts(looked, self._plan, self._tally)
        return mask_column(array, field, hit, self._plan, self._tally)


def _header(
    raw: bytes, cells: list[str], columns: Columns, rows: Rows, grammar: _Grammar, plan: Plan, tally: Tally
) -> bytes:
    """The row of names. In a column that owes a mask a text that is not its name may be a value; detectors look at all
    of them.
    """
    shown = list(cells)
    if rows.columns is not None:
        for place, (output, hit) in enumerate(zip(rows.columns, columns.hits, strict=True)):
            if hit is not None and normal(cells[place]) != normal(output.name) and not is_unnamed(cells[place]):
                shown[place] = REDACTED
    if plan.content is not None:
        found = plan.content.texts(shown, "", tally.counts)
        shown = shown if found is None else ["" if cell is None else str(cell) for cell in found]
    if shown == cells:
        return raw
    if grammar.quoted:
        shown = ['"' + cell.replace('"', '""') + '"' for cell in shown]
    return grammar.delimiter.join(shown).encode() + (b"\r\n" if raw.endswith(b"\r\n") else b"\n")


def _batches(body: bytes, width: int, grammar: _Grammar) -> Iterator[pa.RecordBatch]:
    """The rows, all values as texts, in columns that are called by their places."""
    keys = [str(place) for place in range(width)]
    # Without quotes, an empty value is an absent one.
    reader = pcsv.open_csv(
        pa.BufferReader(body),
        read_options=pcsv.ReadOptions(column_names=keys, use_threads=False, block_size=LONGEST_ROW),
        parse_options=pcsv.ParseOptions(
            delimiter=grammar.delimiter,
            quote_char='"' if grammar.quoted else False,
            escape_char=False,
            newlines_in_values=grammar.quoted,
            ignore_empty_lines=False,
        ),
        convert_options=pcsv.ConvertOptions(
            column_types=dict.fromkeys(keys, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    yield from reader


def _written(batch: pa.RecordBatch, grammar: _Grammar) -> bytes:
    if not grammar.quoted and grammar.delimiter == "\t":
        return b"".join(_joined(batch))
    sink = pa.BufferOutputStream()
    options = pcsv.WriteOptions(
        include_header=False, delimiter=grammar.delimiter, quoting_style="needed" if grammar.quoted else "none"
    )
    pcsv.write_csv(batch, sink, options)
    return bytes(sink.getvalue())


def _joined(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Rows whose values may hold quotes that mean nothing."""
    columns = [pc.fill_null(column, "") for column in batch.columns]
    lines = pc.binary_join_element_wise(*columns, "\t")
    for line in pc.binary_join_element_wise(lines, "", "\n").cast(pa.large_string()).to_pylist():
        yield line.encode()
