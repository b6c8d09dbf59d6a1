"""[[masks]]: what is masked, and how. [masking]: what pseudonyms are made with."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from sluicegate.mask_method import Alphabet, Detector, Grain, Manner, Method, OnMatch
from sluicegate.settings.model.base import Slug, Table, Text


class MaskRule(Table):
    """[[masks]]: what is masked in responses, how, and for whom not."""

    id: Slug
    """Its name in verdicts and recordings."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """Column names, globs of them (`*_ssn`) or classes."""
    aliases: list[Text] = []
    """Other names, or globs, under which services hand the same columns out."""
    path: Text | None = None
    """JSONPath, where no column says it."""
    detect: Annotated[list[Detector], Field(min_length=1)] | None = None
    """What is masked wherever it is found, by what it looks like: `email`, `phone`, `card`, `iban`, `national-id`,
    `secret`, `jwt`, `private-key`."""
    regions: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = []
    """Countries, as in ISO 3166, whose phone and national numbers are looked for; the usual ones when left out."""
    borders: bool = False
    """Whether what may be the beginning or the end of such a value is redacted at the ends of texts, for services that
    hand out pieces of a larger text: the rest of the value may be in another response."""
    service: Annotated[list[Text], Field(min_length=1)] | None = None
    """Services; all when left out."""
    dataset: Annotated[list[Text], Field(min_length=1)] | None = None
    """Dataset names or globs; all when left out."""
    method: Method
    """`drop`, `null`, `redact`, `template`, `hmac` (a keyed pseudonym: joins survive), `fpe` (encryption that keeps
    the form), `number`, `date`, `first`, `last` or `last4`; the strictest wins, in this order."""
    keep: Annotated[int, Field(ge=1, le=64)] | None = None
    """Characters that `first` and `last` show, never more than half of them; 4 when left out."""
    grain: Grain | None = None
    """What `date` leaves: `year`, `quarter`, `month`, `day` or `hour`."""
    step: Annotated[int | float, Field(gt=0, le=1e15)] | None = None
    """What `number` rounds down to a multiple of."""
    text: Text | None = None
    """What `template` puts; `{first:N}`, `{last:N}` and `{hmac}` stand for parts and the pseudonym of the value."""
    alphabet: Alphabet | None = None
    """What `fpe` works on: `digits`, `hex`, `lower`, `upper` or `alphanumeric`; punctuation stays where it is."""
    typed: bool = False
    """Whether numbers, truth values, objects and arrays keep their type, for clients that have a schema."""
    domain: Text | None = None
    """Pseudonyms of columns with the same domain join; the column's name when left out."""
    on_match: OnMatch = "mask"
    """`mask`; `refuse` the response where such a value is in it; or only `report` it."""
    unless: list[Text] = []
    """Who sees it unmasked, written like a rule's `who`; each such read is recorded."""
    risk_above: Annotated[float, Field(ge=0)] | None = None
    """Only where the person's risk is higher than this; with `unless`, the exemption ends there instead. A risk that is
    not known is higher."""
    finding: Annotated[list[Text], Field(min_length=1)] | None = None
    """The same where one of these indicators, or globs of them, has been found about the person. With `risk_above`,
    where both are so."""
    predicates: Literal["refuse", "allow"] = "refuse"
    """Whether statements may filter, join or sort by what is masked. That gives it away one guess at a time."""

    @property
    def words(self) -> tuple[str, ...]:
        """Columns, globs and classes, the aliases among them."""
        return (*(self.columns or ()), *self.aliases)

    @property
    def manner(self) -> Manner:
        """The settings of the method, with what is usual for those that are left out."""
        usual = Manner()
        return Manner(
            keep=usual.keep if self.keep is None else self.keep,
            grain=self.grain or usual.grain,
            step=usual.step if self.step is None else f"{Decimal(str(self.step)):f}",
            text=self.text or "",
            alphabet=self.alphabet or usual.alphabet,
            typed=self.typed,
            domain=self.domain or "",
            on_match=self.on_match,
            regions=tuple(self.regions),
            borders=self.borders,
        )


class Masking(Table):
    """[masking]: what pseudonyms are made with, beside the key in the state folder."""

    tenant: Annotated[str, Field(max_length=100)] = ""
    """Whose data this is. Pseudonyms of two tenants never join, even under one key."""
    key_version: Annotated[int, Field(ge=1, le=9999)] = 1
    """Stands in each pseudonym (`h1.`). A higher one gives new pseudonyms, which do not join with earlier ones."""
