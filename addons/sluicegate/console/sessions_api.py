"""The routes for signing in and for sessions. `sluicegate login` and its kin call them, and the provider's logout does.

GET  /api/sign-in               what a workstation has to know to sign somebody in      (open)
POST /api/sign-in               an ID token for a handle                                (open: it brings its proof)
GET  /api/session               who am I
POST /api/session/renew         a new handle for the one that the call was made with
GET  /api/sessions[?all=1]      my sessions; all of them for operators
POST /api/sessions/{id}/end     end one of mine; any for operators
POST /api/sessions/end          end all of a subject, tokens included; for operators
POST /oidc/backchannel-logout   OpenID Connect Back-Channel Logout 1.0                  (open: it brings its proof)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sluicegate.console.guard import person_of
from sluicegate.console.roles import Roles
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.identity.handle import PREFIX
from sluicegate.identity.sessions.session import Session, rfc3339
from sluicegate.identity.sign_in.sign_ins import Begun, Proof, SignIns
from sluicegate.settings import Settings
from sluicegate.settings.hosts import OriginPattern


class SigningIn(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a sign-in."""

    id_token: str
    access_token: str | None = None
    refresh_token: str | None = None
    nonce: str | None = None
    device: str = ""


class Whose(msgspec.Struct, forbid_unknown_fields=True):
    """Whose sessions are to end."""

    subject: str


def routes(settings: Settings, roles: Roles, sign_ins: SignIns) -> list[Route]:
    """The routes, for the console's application."""
    calls = _Calls(settings, roles, sign_ins)
    return [
        Route("/api/sign-in", calls.parameters),
        Route("/api/sign-in", calls.sign_in, methods=["POST"]),
        Route("/api/session", calls.who),
        Route("/api/session/renew", calls.renew, methods=["POST"]),
        Route("/api/sessions", calls.listed),
        Route("/api/sessions/end", calls.end_all, methods=["POST"]),
        Route("/api/sessions/{key}/end", calls.end, methods=["POST"]),
        Route("/oidc/backchannel-logout", calls.logged_out, methods=["POST"]),
    ]


class _Calls:
    def __init__(self, settings: Settings, roles: Roles, sign_ins: SignIns) -> None:
        self._identity = settings.identity
        self._gateway = settings.identity.gateway_address or settings.gateway.listen
        patterns = [OriginPattern.parse(host) for each in settings.services.values() for host in each.hosts]
        self._services = [str(pattern.origin) for pattern in patterns if not pattern.below]
        """Places that are governed: on a workstation `doctor` has no policy to read them from."""
        self._roles = roles
        self._sign_ins = sign_ins

    async def parameters(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self._identity.issuer,
                "client_id": self._identity.client_id,
                "scopes": self._identity.scopes,
                "device": self._identity.device_sign_in,
                "gateway": self._gateway,
            }
        )

    async def sign_in(self, request: Request) -> Response:
        said = _body(await request.body(), SigningIn)
        proof = Proof(said.id_token, said.access_token, said.refresh_token, said.nonce, said.device)
        address = request.client.host if request.client else ""
        try:
            return self._begun(await self._sign_ins.begin(proof, address))
        except Refusal as refusal:
            # Identity answers as a proxy does; here we are the service itself.
            raise _as_service(refusal) from None

    async def who(self, request: Request) -> Response:
        person, session = person_of(request), None
        if _bearer(request).startswith(PREFIX):
            own = await self._sign_ins.listed(person, everybody=False)
            session = next((self._document(one) for one in own if one.id == person.session), None)
        return JSONResponse(
            {
                **_who(person),
                "operator": self._roles.operator(person),
                "session": session,
                "services": self._services,
            }
        )

    async def renew(self, request: Request) -> Response:
        person, text = person_of(request), _bearer(request)
        if not text.startswith(PREFIX):
            raise Refusal(
                409, "no-handle", "Not signed in with a handle", "Only the handle of a session can be replaced.",
                next_step="Run `sluicegate login`.",
            )  # fmt: skip
        assert person.session
        return self._begun(await self._sign_ins.renew(text))

    async def listed(self, request: Request) -> Response:
        person = person_of(request)
        everybody = request.query_params.get("all") == "1"
        if everybody and not self._roles.sees_all(person):
            raise _not_an_operator()
        found = await self._sign_ins.listed(person, everybody=everybody)
        return JSONResponse(
            {"sessions": [{**self._document(one), "current": one.id == person.session} for one in found]}
        )

    async def end(self, request: Request) -> Response:
        person = person_of(request)
        ended = await self._sign_ins.end(request.path_params["key"], person, operator=self._roles.operator(person))
        return JSONResponse(self._document(ended))

    async def end_all(self, request: Request) -> Response:
        person = person_of(request)
        if not self._roles.operator(person):
            raise _not_an_operator()
        subject = _body(await request.body(), Whose).subject
        return JSONResponse({"subject": subject, "ended": await self._sign_ins.end_of(subject, person)})

    async def logged_out(self, request: Request) -> Response:
        # Section 2.8: 200 when it was done, 400 when the token is no good; and nobody keeps either.
        try:
            form = parse_qs((await request.body()).decode("ascii"), strict_parsing=True, max_num_fields=10)
            (token,) = form["logout_token"]
        except (KeyError, ValueError):
            return JSONResponse(
                {"error": "invalid_request", "error_description": "There must be one logout_token."}, 400
            )
        try:
            await self._sign_ins.logged_out(token)
        except Refusal as refusal:
            if refusal.status == 503:
                raise
            return JSONResponse({"error": "invalid_request", "error_description": refusal.detail}, 400)
        return Response(status_code=200)

    def _begun(self, begun: Begun) -> Response:
        return JSONResponse(
            {
                "handle": begun.handle,
                "gateway": self._gateway,
                "session": self._document(begun.session),
                "idle_seconds": self._identity.idle_seconds,
            }
        )

    def _document(self, session: Session) -> dict[str, Any]:
        return {**session.document(), "state": self._sign_ins.state(session), "expires_at": session.expires}


def _not_an_operator() -> Refusal:
    return Refusal(
        403,
        "not-an-operator",
        "Not an operator",
        "Only operators end, and only operators and auditors see, what is not their own.",
        next_step="They are listed in [console] of the policy.",
    )


def _who(person: Principal) -> dict[str, Any]:
    return {
        "subject": person.subject,
        "name": person.name,
        "issuer": person.issuer,
        "groups": sorted(person.groups),
        "kind": person.kind,
        "assurance": person.assurance,
        "expires": rfc3339(person.expires),
    }


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


def _body[T](body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            400, "body-not-understood", "Body not understood", f"The body is not what this call needs: {error}."
        ) from None


_AGAIN = "Run `sluicegate login` again."
_BEARER = {"www-authenticate": "Bearer"}


def _as_service(refusal: Refusal) -> Refusal:
    if refusal.status != 511:
        return refusal
    return Refusal(401, refusal.code, refusal.title, refusal.detail, next_step=_AGAIN, headers=_BEARER)
