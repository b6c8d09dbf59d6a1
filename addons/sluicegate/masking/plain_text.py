"""Plain text: no column has a name in it, so only what detectors find can be masked; owed columns mean a refusal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import REDACTED
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_PIECE = 4096
_LINES = re.compile(r"[^\n]{1,4096}\n?|\n")


def mask_text(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked text. Raises Unfit."""
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None
    return "".join(mask_strings([text], plan, tally)).encode()


def mask_strings(texts: Sequence[str], plan: Plan, tally: Tally) -> list[str]:
    """Texts without names. Raises Unfit where columns or paths are owed, since nobody can tell where they are."""
    if plan.columns or plan.paths or plan.content is None:
        raise Unfit("it is text, and nothing says where in it the columns are")
    return [_masked(text, plan, tally) for text in texts]


def _masked(text: str, plan: Plan, tally: Tally) -> str:
    content = plan.content
    if content is None:
        return text
    text = content.blocks(text, tally.counts)
    pieces: list[str] = _LINES.findall(text)
    for place in content.cut(pieces):
        pieces[place], pieces[place + 1] = content.across(pieces[place], pieces[place + 1], tally.counts)
    made = content.texts(pieces, "", tally.counts)
    return "".join(REDACTED if piece is None else str(piece) for piece in (pieces if made is None else made))
