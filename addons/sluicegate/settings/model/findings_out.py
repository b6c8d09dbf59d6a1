"""[detection.syslog] and [detection.http]: where findings are sent, as OCSF events, each until it is there."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from sluicegate.settings.model.base import Table, Text


class Syslog(Table):
    """[detection.syslog]: a syslog server that takes RFC 5424 over TLS (RFC 5425)."""

    address: Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+):\d{1,5}$")]
    """`host:port`; the usual port is 6514. Its certificate must be for this name."""
    trusted_ca: str | None = None
    """Who vouches for it (PEM); the system's authorities when left out."""
    certificate: str | None = None
    """The gateway's own certificate (PEM), where the server asks for one,"""
    key: str | None = None
    """and its key."""

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Collector(Table):
    """[detection.http]: an address that takes each finding as a POST of JSON, and answers 2xx once it has it."""

    url: Annotated[
        str, Field(pattern=r"^(https://[^\s#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s#@]*)?)$")
    ]
    """https, or http on this machine."""
    headers: dict[Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")], Text] = {}
    """Sent with it, such as `Authorization = "Bearer ${COLLECTOR_TOKEN}"`; `${NAME}` is an environment variable."""
    trusted_ca: str | None = None
    """Who vouches for it (PEM); the system's authorities when left out."""
