"""What every page has: templates that escape whatever they are given, and who looks at it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sluicegate.clock import Clock
from sluicegate.console.guard import HANDLE, person_of
from sluicegate.console.pages.statement import highlighted
from sluicegate.console.roles import Role, Roles
from sluicegate.errors import Refusal

FOLDER = Path(__file__).parent

type Page = Callable[[Request], Awaitable[Response]]


class Site:
    """Templates, roles and the clock, for all pages."""

    def __init__(self, roles: Roles, clock: Clock) -> None:
        self.roles = roles
        self.clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters |= {"when": when, "statement": highlighted, "visible": visible}

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page for whoever is signed in."""
        person = person_of(request)
        text = self._templates.get_template(template).render(
            person=person,
            roles=self.roles.of(person),
            csrf=csrf_of(request),
            path=request.url.path,
            now=self.clock.now(),
            notice=request.query_params.get("done", "")[:40],
            **values,
        )
        return HTMLResponse(text, status)

    def bare(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page for somebody who is not signed in."""
        return HTMLResponse(self._templates.get_template(template).render(**values), status)

    def route(self, path: str, page: Page, *roles: Role, post: bool = False) -> Route:
        """The route of a page, for people who have one of the roles."""
        return Route(path, self._for(page, roles, post), methods=["POST"] if post else ["GET"])

    def _for(self, page: Page, roles: tuple[Role, ...], post: bool) -> Page:
        assert roles, "a page says for whom it is"

        @wraps(page)
        async def checked(request: Request) -> Response:
            if not self.roles.of(person_of(request)) & set(roles):
                raise Refusal(
                    403,
                    "not-your-page",
                    "This page is not for you",
                    f"It is for people with the role {' or '.join(roles)}, which [console] and the rules give.",
                )
            if post:
                await check_csrf(request)
            return await page(request)

        checked.roles = roles  # type: ignore[attr-defined]
        return checked


def csrf_of(request: Request) -> str:
    """What a form of this session carries. It is made from the handle, which no other site and no script can read."""
    handle: str = request.scope[HANDLE]
    digest = hmac.digest(handle.encode(), b"sluicegate console form", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def check_csrf(request: Request) -> None:
    """Raises Refusal 403 unless the form came from a page of ours."""
    said = (await form_of(request)).get("csrf", "")
    if not hmac.compare_digest(said.encode(), csrf_of(request).encode()):
        raise Refusal(
            403,
            "form-not-ours",
            "This form is out of date",
            "It was not sent from a page of this console, or you have signed in anew since you opened it.",
            next_step="Open the page again.",
        )


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; where one stands twice, it is no form of ours."""
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        pairs = []
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refusal(400, "form-not-understood", "Form not understood", "A field stands twice in this form.")
    return fields


def to(path: str) -> Response:
    """Go to another page, with GET."""
    return RedirectResponse(path, 303)


def when(seconds: float | None) -> str:
    """A time, UTC, to the second."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def visible(text: object) -> str:
    """The text with whatever cannot be seen, or turns the direction of text round, written as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))
