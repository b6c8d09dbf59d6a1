"""[identity]: who is asking."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.settings.model.base import Table, Text


class Identity(Table):
    """[identity]: the OIDC provider whose tokens are accepted."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
    """Issuer, exactly as in the tokens' `iss`. https, or http on loopback."""
    audience: Text = "sluicegate"
    """What the tokens' `aud` must contain."""
    algorithms: list[Literal["RS256", "PS256", "ES256", "EdDSA"]] = ["RS256", "ES256", "EdDSA"]
    """Signature algorithms that are accepted."""
    groups_claim: Text = "groups"
    """Claim that carries the list of groups."""
    trusted_ca: str | None = None
    """PEM file with the authorities that the provider is verified against."""
    leeway_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0
    """Clock difference that is tolerated in exp, nbf and iat."""
