"""[notify.NAME]: who is told that a request waits, or that something was found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.settings.model.base import Table, Text

About = Literal["asked", "broken_glass", "approved", "denied", "expired", "withdrawn", "revoked", "reviewed", "finding"]


class Notify(Table):
    """[notify.NAME]: a place that is told that a request waits, that the glass was broken, or that something was found.

    What is sent is a code and a link, and never data. Deciding happens in the console, behind its sign-in.
    """

    kind: Literal["slack", "teams", "email", "webhook", "terminal"]
    """`slack` and `teams`: an incoming webhook. `webhook`: signed as Standard Webhooks. `terminal`: the console's
    log."""
    about: list[About] = ["asked", "broken_glass"]
    """What it is told; `finding` is each finding of detection."""
    url: Text | None = None
    """Where to send it; `${NAME}` stands for an environment variable, since such an address is a secret."""
    secrets: list[Text] = []
    """For `webhook`: `whsec_...`, or `${NAME}`. With two, both sign, so that one can take the place of the other."""
    to: list[Text] = []
    """For `email`: addresses."""
    sender: Text | None = None
    """For `email`: the address that it comes from."""
    server: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]+:\d{1,5}$")] = "localhost:25"
    """For `email`: the mail server."""
    security: Literal["none", "starttls", "tls"] = "starttls"
    """For `email`: how the connection is secured; `none` only to this machine."""
    user: Text | None = None
    """For `email`: the name to sign in with."""
    password: Text | None = None
    """For `email`: `${NAME}`."""
