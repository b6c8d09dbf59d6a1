"""CSV and TSV that pass row by row. What the first rows say of all of them is held against each that follows.

Whether values are in quotes, what is between them and how a line ends is decided once; a row that does not keep to it
ends the response.
"""

from __future__ import annotations

from sluicegate.exchange import Rows
from sluicegate.masking.csv_body import LONGEST_ROW, Sheet, open_sheet
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally


class CsvPassing:
    """One body. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally, rows: Rows, *, tabs: bool) -> None:
        """`tabs`: only they stand between values, and quotes are letters."""
        self._plan = plan
        self._tally = tally
        self._rows = rows
        self._tabs = tabs
        self._quoted = False
        self._rest = bytearray()
        self._sheet: Sheet | None = None

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; the rows that end in them."""
        self._rest += piece
        if self._sheet is None:
            self._quoted = not self._tabs and b'"' in self._rest
        end = self._row_end()
        if len(self._rest) - end > LONGEST_ROW:
            raise Unfit("one of its rows is too long")
        if not end:
            return b""
        block = bytes(self._rest[:end])
        del self._rest[:end]
        return self._masked(block, last=False)

    def end(self) -> bytes:
        """Nothing more comes; the last row, where no line end stands behind it."""
        block = bytes(self._rest)
        self._rest.clear()
        if self._sheet is not None and not block:
            return self._sheet.mask(b"")
        return self._masked(block, last=True)

    def _masked(self, block: bytes, *, last: bool) -> bytes:
        if self._sheet is None:
            bom, text, sheet = open_sheet(
                block, self._rows, self._plan, self._tally, tabs=self._tabs, quotes=self._quoted
            )
            sheet.check(text)
            self._sheet = sheet
            return bom + sheet.head + sheet.mask(text[sheet.front :], last=last)
        self._keeps(block, self._sheet)
        self._sheet.check(block)
        return self._sheet.mask(block, last=last)

    def _keeps(self, block: bytes, sheet: Sheet) -> None:
        """Raises Unfit for rows that are not written as the first ones are."""
        if b"\0" in block:
            raise Unfit("its text holds zero bytes, or is not in UTF-8")
        if self._quoted:
            return
        if not self._tabs and b'"' in block:
            raise Unfit("its first rows have no quotes, and others do")
        returns = block.count(b"\r")
        if returns != block.count(b"\r\n") or returns != (block.count(b"\n") if sheet.ending == b"\r\n" else 0):
            raise Unfit("its lines end in several ways")

    def _row_end(self) -> int:
        """Where the last whole row ends: at a line end that is not inside quotes."""
        data = self._rest
        end = data.rfind(b"\n")
        if not self._quoted or end < 0:
            return end + 1
        quotes = data.count(b'"', 0, end)
        while end >= 0 and quotes % 2:
            last = data.rfind(b'"', 0, end)
            before = data.rfind(b"\n", 0, last)
            quotes -= data.count(b'"', max(before, 0), end)
            end = before
        return end + 1
