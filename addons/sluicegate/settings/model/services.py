"""[services.*]: the HTTP services behind the gate."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sluicegate.settings.hosts import Dial, OriginPattern
from sluicegate.settings.model.base import Seconds, Slug, Table, Text


class Credential(Table):
    """[services.*].credential: the service's own secret, put in after the verdict, in the place of what clients sent.

    It is one of `value`, `file` and `command`.
    """

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "Authorization"
    """Header that carries it."""
    scheme: Literal["plain", "bearer", "basic", "aws"] = "plain"
    """How it is written: as it is, as `Bearer SECRET`, as Basic of `user:password`, or as an AWS signature (version 4)
    made anew with `KEY-ID:SECRET-KEY` (`:SESSION-TOKEN` may follow) or the JSON of an AWS `credential_process`."""
    value: Text | None = None
    """The secret, where `${NAME}` is read from the environment when the gateway starts."""
    file: Text | None = None
    """File that holds it; read again when it changes."""
    command: Annotated[list[Text], Field(min_length=1)] | None = None
    """Program and arguments that print it; run again every `refresh_seconds`."""
    refresh_seconds: Seconds = 300.0
    """How often `command` is run."""

    @model_validator(mode="after")
    def _one_source(self) -> Credential:
        if sum(source is not None for source in (self.value, self.file, self.command)) != 1:
            raise ValueError("needs one of value, file and command")
        if self.scheme == "aws" and self.header.lower() != "authorization":
            raise ValueError("an AWS signature is sent in Authorization")
        return self


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
