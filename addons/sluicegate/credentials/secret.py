"""A service's secret as it is put into requests, and what must not come back from the service."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from sluicegate.credentials import echo, sigv4, sources
from sluicegate.credentials.headers import Field, replaced
from sluicegate.credentials.values import ValueTrouble, checked
from sluicegate.settings.model import Credential


@dataclass(frozen=True, slots=True)
class Secret:
    """Made from one reading of the source."""

    header: str
    value: str = field(repr=False)
    """The header's value; empty where each request gets one of its own."""
    key: sigv4.Key | None
    needles: tuple[bytes, ...] = field(repr=False)

    @property
    def carried_by(self) -> frozenset[str]:
        """Lower-case names of the headers that hold something secret."""
        also = {"x-amz-security-token"} if self.key is not None else set()
        return frozenset({self.header.lower(), *also})

    def into(self, sent: sigv4.Sent, now: float, *, lower: bool) -> tuple[Field, ...]:
        """The fields of the request with the secret in. Raises sigv4.NotSignable."""
        if self.key is not None:
            return sigv4.signed(self.key, sent, now, lower=lower)
        return replaced(sent.fields, self.header, self.value, lower=lower)


def made(credential: Credential, environ: Mapping[str, str]) -> Secret:
    """Read the source and write the secret as the policy wants it. Raises ValueTrouble."""
    text = sources.read(credential, environ)
    given = sources.parts(credential, text, environ)
    match credential.scheme:
        case "aws":
            key = sigv4.Key.parse(text)
            return Secret(credential.header, "", key, echo.needles({key.secret, key.token}))
        case "basic":
            user, colon, password = text.partition(":")
            if not colon:
                raise ValueTrouble("is not `user:password`")
            coded = base64.b64encode(text.encode("ascii")).decode()
            given = {text, password, coded} | (given - {user})
            value = f"Basic {coded}"
        case "bearer":
            value = f"Bearer {text}"
        case _:
            value = text
    value = checked(value, "it")
    return Secret(credential.header, value, None, echo.needles({value, value.rpartition(" ")[2], *given}))
