"""Multipart bodies that pass part by part: each is masked when all of it is here, as in a body that is whole."""

from __future__ import annotations

from sluicegate.masking.json_body import Unfit
from sluicegate.masking.multipart_body import CUT, Engine, mask_part
from sluicegate.masking.part_head import delimiter
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

LONGEST = 4 << 20
"""Bytes that one part may have, with its head."""

_END = b"--"


class MultipartPassing:
    """One body. Raises Unfit."""

    def __init__(self, content_type: str, plan: Plan, tally: Tally, engine: Engine) -> None:
        """`engine` masks what is in a part."""
        self._type = content_type
        self._plan = plan
        self._tally = tally
        self._engine = engine
        self._line = b""
        self._rest = bytearray(b"\r\n")
        self._looked = 0
        self._inside = False
        """Whether a delimiter has come: what is before the first goes."""

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; the parts that end in them."""
        if not self._line:
            self._line = delimiter(self._type)
        self._rest += piece
        border, out = b"\r\n" + self._line, []
        while (at := self._rest.find(border, self._looked)) >= 0:
            part = bytes(self._rest[:at])
            del self._rest[: at + len(border)]
            self._looked = 0
            if self._inside:
                out.append(mask_part(part, self._line, self._plan, self._tally, self._engine))
            self._inside = True
        self._looked = max(0, len(self._rest) - len(border) + 1)
        if not self._inside:
            del self._rest[: self._looked]
            self._looked = 0
        elif self._rest.startswith(_END):
            self._ended()
        elif len(self._rest) > LONGEST:
            raise Unfit("one of its parts is too long")
        return b"".join(out)

    def end(self) -> bytes:
        """Nothing more comes; how the body ends."""
        if not self._line:
            return b""
        if not self._inside or not self._rest.startswith(_END):
            raise Unfit(CUT)
        self._ended()
        return self._line + b"--\r\n"

    def _ended(self) -> None:
        if self._rest[len(_END) :].strip():
            raise Unfit(CUT)
        del self._rest[len(_END) :]
        self._looked = 0
