"""Masks that only report: what they would have replaced, as findings. The response stays as it is."""

from __future__ import annotations

from collections.abc import Callable

from sluicegate.codings import CodingError
from sluicegate.exchange import Delivery, Exposure, Finding
from sluicegate.masking.body import Reply, look
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.records import Records
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

INDICATOR = "mask-report"
_UNSEEN = (Unfit, CodingError, RecursionError)


def findings(reply: Reply, reported: Plan, limit: int, delivery: Delivery | None) -> list[Finding]:
    """One for each mask that met a value, in names and counts; or one that says why nobody could look."""
    try:
        seen = look(reply, reported, limit, delivery)
    except _UNSEEN as error:
        return [_unseen(error, reported)]
    return _met(seen)


class Looking:
    """The same of a response that passes piece by piece: what masks would leave of it is counted, and goes nowhere."""

    def __init__(self, reported: Plan, records: Records | None, tally: Tally) -> None:
        """`records` masks for this plan and counts in `tally`; None where nobody can look at pieces of such a body."""
        self._reported = reported
        self._records = records
        self._tally = tally
        self._error: Exception | None = None if records is not None else Unfit("it is too large to be kept whole")

    def feed(self, piece: bytes) -> None:
        """The next bytes, decoded. Never raises for what they hold."""
        self._guarded(lambda records: records.feed(piece))

    def end(self) -> None:
        """Nothing more comes."""
        self._guarded(lambda records: records.end())

    def take(self) -> list[Finding]:
        """What was found so far; it is given once."""
        found = _met(self._tally.exposure())
        if self._error is not None:
            found.append(_unseen(self._error, self._reported))
        self._error, self._records, self._tally = None, None, Tally()
        return found

    def _guarded(self, work: Callable[[Records], bytes]) -> None:
        if self._records is None:
            return
        try:
            work(self._records)
        except _UNSEEN as error:
            self._error, self._records = error, None


def _unseen(error: Exception, reported: Plan) -> Finding:
    why = "its JSON is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Finding(INDICATOR, f"The response could not be looked at: {why}.", {"masks": ", ".join(reported.masks)})


def _met(seen: Exposure) -> list[Finding]:
    columns = ", ".join(sorted(name for name, word in seen.columns.items() if word == "masked"))
    return [
        Finding(
            INDICATOR,
            f"The mask {mask} would have replaced {count} values.",
            {"mask": mask, "values": str(count), "columns": columns},
        )
        for mask, count in sorted(seen.masks.items())
    ]
