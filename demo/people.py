"""The people of the demo, and how a script signs in as one of them.

python -m demo.people linus          a token of linus, from the provider that `make up` has started
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import httpx2

CLIENT = "sluicegate-cli"
"""Client id that the demo's identity provider knows: a public client, so it has no secret."""
MACHINES = {"nightly-embeddings": "a-secret-of-the-demo"}
"""Programs that sign in as themselves, and their secrets."""
GATEWAY, GATEWAY_SECRET = "sluicegate-gateway", "a-secret-of-the-gateway"
"""The gateway as a client of the provider: it may exchange people's tokens for those of services (RFC 8693)."""
SERVICES = ("chunk-service",)
"""Services that the provider gives tokens for, as it names them (`audience`)."""
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account at the demo's identity provider."""

    subject: str
    name: str
    groups: tuple[str, ...] = ()


PEOPLE = {
    person.subject: person
    for person in (
        Person("ada", "Ada Lovelace", ("engineering",)),
        Person("grace", "Grace Hopper", ("fraud",)),
        Person("linus", "Linus Pauling", ("data-stewards",)),
        Person("mallory", "Mallory Archer"),
    )
}


def token_for(issuer_url: str, person: str) -> str:
    """An access token for a person, by the device grant (RFC 8628) over HTTP.

    The step in which the person signs in with a browser is the form post in the middle; the demo's provider asks for
    no password. Raises RuntimeError when the provider refuses, httpx2.HTTPError when it cannot be reached.
    """
    with httpx2.Client(trust_env=False, timeout=10) as client:
        provider = _answer(client.get(f"{issuer_url.rstrip('/')}/.well-known/openid-configuration"))
        started = _answer(
            client.post(
                provider["device_authorization_endpoint"],
                data={"client_id": CLIENT, "scope": "openid profile groups"},
            )
        )
        consent = {"user_code": started["user_code"], "person": person, "decision": "allow"}
        page = client.post(started["verification_uri"], data=consent)
        if page.status_code != 200:
            raise RuntimeError(f"The identity provider did not sign {person} in ({page.status_code}).")
        asked = {"grant_type": DEVICE_GRANT, "device_code": started["device_code"], "client_id": CLIENT}
        return _answer(client.post(provider["token_endpoint"], data=asked))["access_token"]


def _answer(response: httpx2.Response) -> dict[str, str]:
    document = response.json()
    if response.status_code != 200:
        raise RuntimeError(f"The identity provider answered {response.status_code}: {document.get('error')}.")
    assert isinstance(document, dict)
    return document


def main() -> int:
    """Print a token for one of them; 2 where there is no provider."""
    parser = argparse.ArgumentParser(prog="python -m demo.people", description="A token for one of the demo's people.")
    parser.add_argument("person", choices=sorted(PEOPLE))
    parser.add_argument("--issuer", default="http://127.0.0.1:9500", help="the provider (default: that of `make up`)")
    options = parser.parse_args()
    try:
        print(token_for(options.issuer, options.person))
    except (RuntimeError, httpx2.HTTPError) as error:
        print(f"sluicegate demo: no token from {options.issuer}: {error}. Does `make up` run?", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
