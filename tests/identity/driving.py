"""What a person does at an identity provider, for the providers that the tests run against."""

from __future__ import annotations

from typing import Protocol

import httpx2

from demo.people import PEOPLE
from tests.provider import Provider


class Driver(Protocol):
    """A provider, and a person in front of it."""

    issuer: str
    device_seconds: float
    """How long one poll of the device flow takes there."""

    def at_browser(self, url: str, person: str, decision: str = "allow") -> str:
        """Go where the login sends the browser, decide, and follow it back; returns the last page."""

    def at_device(self, page: str, code: str, person: str, decision: str = "allow") -> None:
        """Go to the page on another device, type the code, and decide."""

    def tell_logouts_to(self, url: str) -> None:
        """Register the address for back-channel logout."""

    def log_out(self, person: str) -> None:
        """End the person's session at the provider, which tells us."""


class DemoDriver:
    """The demo's provider: a form without a password."""

    device_seconds = 1.0

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.issuer = provider.issuer

    def at_browser(self, url: str, person: str, decision: str = "allow") -> str:
        assert person in PEOPLE
        with httpx2.Client(trust_env=False, follow_redirects=True, timeout=60) as client:
            assert "Sign in to" in client.get(url).text
            return client.post(url, data={"person": person, "decision": decision}).text

    def at_device(self, page: str, code: str, person: str, decision: str = "allow") -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            client.post(page, data={"user_code": code, "person": person, "decision": decision})

    def tell_logouts_to(self, url: str) -> None:
        self.provider.state.backchannel_logout = url

    def log_out(self, person: str) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            told = client.post(f"{self.issuer}/logout", data={"person": person}).json()["told"]
        assert told and set(told) == {200}
