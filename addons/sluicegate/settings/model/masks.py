"""[[masks]]: what is masked, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.exchange import Method
from sluicegate.settings.model.base import Slug, Table, Text


class MaskRule(Table):
    """[[masks]]: what is masked in responses, how, and for whom not."""

    id: Slug
    """Its name in verdicts and recordings."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """Column names or classes."""
    path: Text | None = None
    """JSONPath, where no column says it."""
    service: Annotated[list[Text], Field(min_length=1)] | None = None
    """Services; all when left out."""
    dataset: Annotated[list[Text], Field(min_length=1)] | None = None
    """Dataset names or globs; all when left out."""
    method: Method
    """`null`, `redact`, `hmac` (a keyed pseudonym: joins survive) or `last4`; the strictest wins, in this order."""
    unless: list[Text] = []
    """Who sees it unmasked, written like a rule's `who`; each such read is recorded."""
    predicates: Literal["refuse", "allow"] = "refuse"
    """Whether statements may filter, join or sort by what is masked. That gives it away one guess at a time."""
