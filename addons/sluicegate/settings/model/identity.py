"""[identity]: who is asking."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sluicegate.settings.model.base import Network, Seconds, Table, Text


class TokenExchange(Table):
    """[identity.token_exchange]: the gateway as a client of the provider, which gives it tokens for services on a
    person's behalf (RFC 8693). Services that want one say `on_behalf` in their `credential`."""

    client_id: Text
    """The gateway's own client at the provider: one with a secret, which may exchange tokens. Never `client_id` of
    [identity], which has none."""
    client_secret: Text | None = None
    """Its secret: `${NAME}`, read from the environment when the gateway starts."""
    client_secret_file: Text | None = None
    """File that holds it; read for each exchange, so that one that is replaced needs no restart."""
    client_auth: Literal["basic", "post"] = "basic"
    """Whether the secret is sent as Basic, or in the form."""
    subject_token: Literal["access_token", "id_token"] = "access_token"
    """Which token of people who signed in with `sluicegate login` is exchanged. It is kept sealed with the session."""
    actor_token_file: Text | None = None
    """File with a token of the gateway itself, sent as `actor_token`; read for each exchange."""
    actor_token_type: Text = "urn:ietf:params:oauth:token-type:jwt"
    """What kind of token that is."""
    wait_seconds: Annotated[float, Field(ge=0, le=8)] = 0.0
    """How long a request waits for the provider where no token was fetched ahead (as for a machine's token that comes
    for the first time). With 0 it does not: it is refused (503, Retry-After) while the token is fetched behind it."""

    @model_validator(mode="after")
    def _one_secret(self) -> TokenExchange:
        if (self.client_secret is None) == (self.client_secret_file is None):
            raise ValueError("needs one of client_secret and client_secret_file")
        return self


class Identity(Table):
    """[identity]: the OIDC provider whose tokens are accepted, and the sessions of those who signed in with it."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
    """Issuer, exactly as in the tokens' `iss`. https, or http on loopback."""
    audience: Text = "sluicegate"
    """What the `aud` of access tokens must contain. ID tokens are for `client_id` instead, so the two must differ."""
    algorithms: list[Literal["RS256", "PS256", "ES256", "EdDSA"]] = ["RS256", "ES256", "EdDSA"]
    """Signature algorithms that are accepted."""
    untyped_tokens: bool = False
    """Take access tokens whose header says no `typ`, which some providers leave out. RFC 9068 asks for `at+jwt`."""
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
    token_exchange: TokenExchange | None = None
    """How the gateway gets tokens for services on a person's behalf (RFC 8693)."""
