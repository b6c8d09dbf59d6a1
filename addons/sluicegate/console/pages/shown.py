"""What a browser is shown when it gets no page: why not, or where to sign in."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from sluicegate.console.pages.door import ours
from sluicegate.console.pages.site import Site, to
from sluicegate.errors import Refusal


class Shown:
    """Answers for the guard."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def refused(self, refusal: Refusal) -> Response:
        answer = self._site.bare("refused.html", refusal.status, refusal=refusal)
        answer.headers.update(refusal.headers)
        return answer

    def sign_in_first(self, path: str, query: str, from_elsewhere: bool) -> Response:
        """To the sign-in, and back to this page after it."""
        onward = path + (f"?{query}" if query else "")
        if not ours(onward):
            return to("/sign-in")
        if from_elsewhere:
            # The browser keeps the session back from a link on another site; from here the step is our own.
            return self._site.bare("arrived.html", onward=onward)
        return to(f"/sign-in?{urlencode({'next': onward})}" if onward != "/" else "/sign-in")
