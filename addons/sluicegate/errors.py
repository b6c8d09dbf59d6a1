"""The two kinds of trouble: a Refusal is for the person who asked, a Fault is for the person who runs the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """Raised by a room to refuse the exchange; the pipeline turns it into the answer that fits the hook.

    `code` is a stable slug (`policy-denied`), `title` the short reason phrase, `detail` a full sentence, and
    `next_step` what the person can do about it. `members` are further problem+json members (RFC 9457).
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        next_step: str = "",
        rules: tuple[str, ...] = (),
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.next_step = next_step
        self.rules = rules
        self.members = dict(members or {})
        self.headers = dict(headers or {})


class Fault(Exception):
    """Something the operator has to mend: one clear line, and what to do about it. Commands exit with `exit_code`.

    `code` is a stable slug, where somebody may want to look the case up.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 2, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.code = code

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.hint, f"[{self.code}]" if self.code else "") if part)
