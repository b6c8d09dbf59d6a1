"""Sending a notice to one place. Each raises OSError or NotTaken when it did not arrive."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Mapping

from sluicegate.approvals.notify import message, signature
from sluicegate.approvals.notify.message import Notice
from sluicegate.settings.environment import filled
from sluicegate.settings.model import Notify

SECONDS = 10.0
"""How long a place may take."""

_log = logging.getLogger("sluicegate.approvals")


class NotTaken(Exception):
    """The place said no, or cannot be asked; the text says why, without the address, which is a secret."""


async def send(notice: Notice, place: Notify, environment: Mapping[str, str], now: float) -> None:
    """Tell the place. Raises NotTaken."""
    try:
        async with asyncio.timeout(SECONDS * 2):
            match place.kind:
                case "slack":
                    await _post(place, environment, json=message.slack(notice))
                case "teams":
                    await _post(place, environment, json=message.teams(notice))
                case "webhook":
                    body = message.webhook(notice)
                    secrets = [filled(secret, environment) for secret in place.secrets]
                    signed = signature.headers(f"notice_{notice.id}_{notice.approval}", int(now), body, secrets)
                    await _post(place, environment, body=body, headers=signed)
                case "email":
                    await asyncio.to_thread(_mail, notice, place, environment)
                case "terminal":
                    _log.warning("%s %s", notice.sentence, notice.link)
    except NotTaken:
        raise
    except TimeoutError:
        raise NotTaken("no answer in time") from None
    except (OSError, ValueError, smtplib.SMTPException) as error:
        raise NotTaken(_said(error)) from None


async def _post(
    place: Notify,
    environment: Mapping[str, str],
    *,
    json: object = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    import httpx2

    try:
        # No proxy of the environment's: that may be the gateway itself. No redirect: it could lead anywhere.
        async with httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=SECONDS) as client:
            sent = {"content-type": "application/json", **(headers or {})}
            address = filled(place.url or "", environment)
            answer = await (
                client.post(address, json=json) if body is None else client.post(address, content=body, headers=sent)
            )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise NotTaken(f"cannot be reached ({type(error).__name__})") from None
    if not 200 <= answer.status_code < 300:
        raise NotTaken(f"answered {answer.status_code}")


def _mail(notice: Notice, place: Notify, environment: Mapping[str, str]) -> None:
    host, _, port = place.server.rpartition(":")
    context = ssl.create_default_context()
    kind = smtplib.SMTP_SSL if place.security == "tls" else smtplib.SMTP
    more = {"context": context} if place.security == "tls" else {}
    with kind(host, int(port), timeout=SECONDS, **more) as server:  # type: ignore[arg-type]
        if place.security == "starttls":
            server.starttls(context=context)
        if place.user is not None:
            server.login(place.user, filled(place.password or "", environment))
        refused = server.send_message(message.mail(notice, place.sender or "", place.to))
        if refused:
            raise NotTaken(f"{len(refused)} of the addresses were refused")


def _said(error: Exception) -> str:
    # The words of a server may hold anything, an address may be a secret: the kind of error has to do.
    code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
    return type(error).__name__ + code
