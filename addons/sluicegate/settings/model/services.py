"""[services.*]: the HTTP services behind the gate."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sluicegate.settings.hosts import Dial, OriginPattern
from sluicegate.settings.model.base import Seconds, Slug, Table, Text


class OnBehalf(Table):
    """[services.*].credential.on_behalf: what the provider is asked for, with [identity.token_exchange]."""

    audience: Text | None = None
    """The service, as the provider names it."""
    resource: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+$", max_length=500)] | None = None
    """The service's address, where the provider goes by that (an absolute URI)."""
    scope: list[Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,200}$")]] = []
    """Scopes that the token is to have."""
    requested: Literal["access_token", "jwt"] = "access_token"
    """The kind of token that is asked for, and no other is taken."""

    @model_validator(mode="after")
    def _for_somewhere(self) -> OnBehalf:
        if self.audience is None and self.resource is None:
            raise ValueError("needs an audience or a resource, so that the token is good for this service alone")
        return self


class Credential(Table):
    """[services.*].credential: what the service signs requests in with, put in after the verdict, in the place of what
    clients sent.

    It is one of `value`, `file`, `command` and `on_behalf`.
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
    on_behalf: OnBehalf | None = None
    """No secret of the gateway's, but a token that the provider gives it for the person who asks (RFC 8693): the
    service sees the person. Sent as `bearer`, unless `scheme` or `header` says otherwise."""

    @model_validator(mode="before")
    @classmethod
    def _tokens_are_bearer(cls, given: Any) -> Any:
        if isinstance(given, dict) and "on_behalf" in given and "scheme" not in given and "header" not in given:
            return {**given, "scheme": "bearer"}
        return given

    @model_validator(mode="after")
    def _one_source(self) -> Credential:
        if sum(source is not None for source in (self.value, self.file, self.command, self.on_behalf)) != 1:
            raise ValueError("needs one of value, file, command and on_behalf")
        if self.on_behalf is not None and self.scheme not in ("plain", "bearer"):
            raise ValueError("a token that was got on somebody's behalf is sent as it is, or as bearer")
        if self.scheme == "aws" and self.header.lower() != "authorization":
            raise ValueError("an AWS signature is sent in Authorization")
        return self


class Canary(Table):
    """[services.*.canary]: a request that `sluicegate doctor` sends through the gateway, to see whether masks hold."""

    request: Annotated[str, Field(pattern=r"^(GET|HEAD|POST) /[!-~]*$", max_length=2000)]
    """Method and target, such as `GET /datasets/customers/chunks/7?columns=id,ssn`: a read that does no harm, of a
    record that was made up for it."""
    body: Annotated[str, Field(max_length=10_000)] | None = None
    """JSON that is sent with a POST."""
    known: list[Annotated[str, Field(min_length=4, max_length=500)]] = []
    """Values that the record has in clear. Made up, so they may stand here; or as `sluicegate doctor --hash` prints
    them. To whoever owes a mask, none of them may come back."""

    @field_validator("known")
    @classmethod
    def _hashes(cls, value: list[str]) -> list[str]:
        for text in value:
            if text.startswith("scrypt:") and re.fullmatch(r"scrypt:[0-9a-f]{24}:[0-9a-f]{64}", text) is None:
                raise ValueError("is no hash as `sluicegate doctor --hash` prints it")
        return value


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
    websocket: bool = False
    """Whether requests may open WebSockets (RFC 6455). Each message is judged, masked and recorded; those to the
    service pass only where a rule allows kind `message`."""
    canary: Canary | None = None
    """What `sluicegate doctor` asks of it, to see whether masks hold."""
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
