"""[services.*]: the HTTP services behind the gate."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field, field_validator

from sluicegate.settings.hosts import Dial, OriginPattern
from sluicegate.settings.model.base import Slug, Table, Text


class Credential(Table):
    """[services.*].credential: the service's own secret, put in after the verdict."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    """Header that carries it."""
    value: Text
    """Its value; `${NAME}` is read from the environment when the gateway starts."""


class Service(Table):
    """[services.*]: an HTTP service behind the gate."""

    hosts: Annotated[list[str], Field(min_length=1)]
    """Where it is: `host`, `host:port` or `http://host:port`; https on 443 unless said otherwise. `*.` before the host
    means every host below it (one label or more), but for those that are written out, here or in another service."""
    dialect: Slug
    """The [dialects.*] table, or built-in dialect, that reads its requests."""
    addresses: list[str] = []
    """Private networks (CIDR) that its names may resolve to; public addresses need no entry."""
    connect: Text | None = None
    """Dial this address instead of resolving the service's hosts, as `host:port` or `http://host:port` (plain HTTP).

    Clients keep the service's name, certificates are verified against it, and `addresses` holds for what is dialled.
    """
    credential: Credential | None = None
    """The service's own secret; clients never see it."""
    default_catalog: Text | None = None
    """Where table names without a catalog (or database) belong, unless the request says otherwise."""
    default_schema: Text | None = None
    """The same for table names without a schema."""

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            OriginPattern.parse(text)
        return value

    @field_validator("connect")
    @classmethod
    def _connect(cls, value: str | None) -> str | None:
        if value is not None:
            Dial.parse(value)
        return value

    @field_validator("addresses")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for text in value:
            ipaddress.ip_network(text)
        return value
