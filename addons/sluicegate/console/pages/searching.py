"""The page on which recordings are searched, as the replay tool searches them."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sluicegate.console.guard import person_of
from sluicegate.console.pages.site import Site
from sluicegate.console.searches import A_PAGE, MOST_PAGES, Answer, Asked, Searches
from sluicegate.errors import Refusal

_LONGEST = 200


class Searching:
    """Searches for operators and auditors."""

    def __init__(self, site: Site, searches: Searches) -> None:
        self._site = site
        self._searches = searches

    def routes(self) -> list[Route]:
        route = self._site.route
        return [
            route("/search", self.search, "operator", "auditor"),
            route("/search/hits", self.hits, "operator", "auditor"),
        ]

    async def search(self, request: Request) -> Response:
        """The form, and what it found; where that takes longer, the page looks again by itself, or its reader does."""
        asked = _asked(request)
        answer = await self._searches.answer(asked, person_of(request)) if asked.text else Answer()
        return self._shown(request, "search.html", asked, answer)

    async def hits(self, request: Request) -> Response:
        """What changes, for a page that waits. It begins no search."""
        asked = _asked(request)
        if not asked.text:
            raise Refusal(404, "no-such-search", "No such search", "There is nothing to search for.")
        answer = await self._searches.answer(asked, person_of(request), begin=False)
        return self._shown(request, "search_hits.html", asked, answer)

    def _shown(self, request: Request, template: str, asked: Asked, answer: Answer | None) -> Response:
        page = _page(request)
        query = urlencode({"text": asked.text, "who": asked.who, "service": asked.service})
        more = answer is not None and page < MOST_PAGES and len(answer.hits) > page * A_PAGE
        return self._site.render(
            request,
            template,
            asked=asked,
            answer=answer,
            hits=answer.page(page) if answer is not None else (),
            first=(page - 1) * A_PAGE + 1,
            again=f"/search?{query}&page={page}",
            following=f"/search/hits?{query}&page={page}",
            newer=f"/search?{query}&page={page - 1}" if page > 1 else "",
            older=f"/search?{query}&page={page + 1}" if more else "",
            most=A_PAGE * MOST_PAGES,
        )


def _asked(request: Request) -> Asked:
    given = {name: request.query_params.get(name, "").strip()[:_LONGEST] for name in ("text", "who", "service")}
    return Asked(**{name: value.replace("\0", "") for name, value in given.items()})


def _page(request: Request) -> int:
    text = request.query_params.get("page", "1")
    return min(max(int(text), 1), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 4 else 1
