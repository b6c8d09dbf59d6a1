"""[identity]: who is asking."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.settings.model.base import Network, Seconds, Table, Text


class Identity(Table):
    """[identity]: the OIDC provider whose tokens are accepted, and the sessions of those who signed in with it."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
    """Issuer, exactly as in the tokens' `iss`. https, or http on loopback."""
    audience: Text = "sluicegate"
    """What the `aud` of access tokens must contain. ID tokens are for `client_id` instead, so the two must differ."""
    algorithms: list[Literal["RS256", "PS256", "ES256", "EdDSA"]] = ["RS256", "ES256", "EdDSA"]
    """Signature algorithms that are accepted."""
    groups_claim: Text = "groups"
    """Claim that carries the list of groups."""
    relation_claims: list[Text] = []
    """Claims that tie people together, such as `manager` or `team`, for `conflicts` of approvals. Texts, or lists."""
    trusted_ca: str | None = None
    """PEM file with the authorities that the provider is verified against."""
    leeway_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0
    """Clock difference that is tolerated in exp, nbf and iat."""
    client_id: Text = "sluicegate-cli"
    """The public client (no secret, PKCE) that `sluicegate login` signs people in with."""
    scopes: list[Text] = ["openid", "profile", "groups", "offline_access"]
    """Scopes that `sluicegate login` asks for. Without `offline_access` most providers give no refresh token."""
    device_sign_in: bool = True
    """Whether people may sign in without a browser on their machine (RFC 8628), which can be used for phishing."""
    gateway_address: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}$")] | None = None
    """`host:port` by which workstations reach the gateway. Left out: [gateway].listen."""
    client_ca: str | None = None
    """PEM file with who issues the client certificates of people and machines. With it, clients that speak TLS to the
    proxy are asked for one; whoever shows theirs, with their own credential, is `bound`."""
    session_seconds: Seconds = 28_800.0
    """How long a sign-in is good for, whatever is done with it."""
    idle_seconds: Seconds = 1800.0
    """How long a sign-in may go unused."""
    refresh_seconds: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    """How often the provider is asked whether a person is still there, and in which groups."""
    unconfirmed_seconds: Seconds = 14_400.0
    """How long a session goes on without the provider's word, when it is down or gave no refresh token."""
    address_sign_in: bool = False
    """Whether somebody may sign in for the address of their machine, on the console's page `/here`. Behind a redirect,
    clients there that carry no credential are them, at the level `network`. Not where addresses are translated."""
    address_seconds: Annotated[float, Field(ge=60, le=28_800)] = 3600.0
    """How long that lasts; never longer than the sign-in that it was done with."""
    unread_seconds: Annotated[float, Field(ge=1, le=600)] = 30.0
    """How long a gateway goes on with what it knows of sessions while it cannot read the database."""
    sharing: Literal["end", "report"] = "end"
    """What becomes of a session that is used from two places at once: it ends, or a finding is written and no more."""
    sharing_seconds: Seconds = 60.0
    """Within this time, going back and forth between two places twice is being in two places at once."""
    same_place: list[Network] = []
    """Networks whose addresses count as one place: pools of address translation, both ends of a VPN."""
