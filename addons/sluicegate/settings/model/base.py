"""What every table of policy.toml is, and the types of its values."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sluicegate.settings.times import Span, zone_named

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


def _times(text: str) -> str:
    Span.parse(text)
    return text


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


def _pattern(text: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        raise ValueError(f"is no RE2 pattern: {said.decode() if isinstance(said, bytes) else said}") from None
    return text


Network = Annotated[str, AfterValidator(_network)]
Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
Times = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_times)]
Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_zone)]


class Table(BaseModel):
    """A table of policy.toml: unknown keys are errors, values cannot change once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
