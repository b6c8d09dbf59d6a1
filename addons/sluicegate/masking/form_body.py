"""Forms (`application/x-www-form-urlencoded`, WHATWG URL section 5): names are columns."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_MOST = 10_000


def mask_form(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked form; a member that is taken out or empty leaves as an empty one. Raises Unfit."""
    try:
        pairs = parse_qsl(
            plain.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(plain),
            max_num_fields=_MOST,
            errors="strict",
        )
    except ValueError:
        raise Unfit("its body is not readable as a form") from None
    masked = mask_documents([{name: value} for name, value in pairs], plan, tally)
    tally.rows = min(tally.rows, 1)
    return urlencode([_pair(member, name) for member, (name, _) in zip(masked, pairs, strict=True)]).encode()


def _pair(member: Any, name: str) -> tuple[str, str]:
    if not isinstance(member, dict) or not member:
        return name, ""
    ((key, value),) = member.items()
    return key, "" if value is None else str(value)
