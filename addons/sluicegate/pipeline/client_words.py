"""A refusal in the words of the client that asked, where the service that it asked has none of its own.

A person should read our sentence, once, whatever they work with. Programs that know problem+json, or that show the body
as it is, get the problem. Who asks is told by what the client says of itself: that decides how a refusal looks, and
nothing else.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from sluicegate.errors import Refusal
from sluicegate.problem import Answer, render

_AWS = re.compile(r"AWS4-[A-Z0-9-]{1,40} +Credential=[^/\s,]{1,128}/\d{8}/[a-z0-9-]{1,40}/([a-z0-9-]{1,40})/", re.ASCII)
_QUERY = frozenset(
    [
        "autoscaling",
        "cloudformation",
        "cloudsearch",
        "docdb",
        "elasticache",
        "elasticbeanstalk",
        "elasticloadbalancing",
        "iam",
        "monitoring",
        "neptune",
        "rds",
        "redshift",
        "sdb",
        "ses",
        "sns",
        "sts",
    ]
)
"""Services of AWS with the query protocol, whose errors are XML."""
_NPM = re.compile(r"(npm|pnpm|yarn)/", re.IGNORECASE)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}}
h1{{font-size:1.4rem}}small{{color:#595959}}</style></head>
<body><main><h1>{title}</h1><p>{detail}</p>{next_step}<p><small>Sluicegate {status}, {code}. Number of this request:
{number}</small></p></main></body></html>
"""


def answer(headers: Mapping[str, str], refusal: Refusal, exchange_id: str) -> Answer | None:
    """The refusal for the client that sent these headers; None where the problem is what it understands best."""
    agent, accept = headers.get("user-agent", ""), headers.get("accept", "")
    if agent.startswith(("git/", "git-lfs/")):
        return _said(refusal, "text/plain; charset=utf-8", f"{sentence(refusal)}\n", exchange_id)
    aws = _AWS.match(headers.get("authorization", ""))
    if aws is not None or "x-amz-target" in headers:
        return _aws(headers, aws[1] if aws is not None else "", refusal, exchange_id)
    if "text/html" in accept and agent.startswith("Mozilla/"):
        return _page(refusal, exchange_id)
    if _NPM.match(agent):
        return _json(refusal, {"error": sentence(refusal)}, exchange_id)
    if agent.startswith("kubectl/"):
        return _json(refusal, _kubernetes(refusal), exchange_id)
    if agent.startswith(("docker/", "containers/", "Buildah/", "skopeo/")):
        return _json(refusal, {"errors": [{"code": "DENIED", "message": sentence(refusal)}]}, exchange_id)
    return None


def sentence(refusal: Refusal) -> str:
    """All that a person needs, in one text: what happened, why, and what can be done."""
    parts = (f"{refusal.title}:", refusal.detail, refusal.next_step)
    return " ".join(" ".join(part.split()) for part in parts if part)


def _aws(headers: Mapping[str, str], service: str, refusal: Refusal, exchange_id: str) -> Answer:
    """The error of the protocol that the service speaks. SDKs try again on what is not a plain 4xx."""
    status = refusal.status if refusal.status in (400, 403, 413) else 403
    message, code, number = sentence(refusal), "AccessDenied", exchange_id
    text = escape("".join(letter if letter.isprintable() else "?" for letter in message))
    if "x-amz-target" in headers:
        document = {"__type": "AccessDeniedException", "message": message}
        media = (
            "application/x-amz-json-1.1" if "1.1" in headers.get("content-type", "") else "application/x-amz-json-1.0"
        )
        return _said(refusal, media, json.dumps(document), exchange_id, status)
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{text}</Message><RequestId>{number}</RequestId></Error>"
    elif service == "ec2":
        error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        body = f"<Response><Errors>{error}</Errors><RequestID>{number}</RequestID></Response>"
    elif service in _QUERY:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>{number}</RequestId></ErrorResponse>"
    else:
        found = _said(refusal, "application/json", json.dumps({"message": message}), exchange_id, status)
        return found._replace(headers=(*found.headers, ("x-amzn-errortype", "AccessDeniedException")))
    return _said(refusal, "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', exchange_id, status)


def _page(refusal: Refusal, exchange_id: str) -> Answer:
    written: Callable[[str], str] = html.escape
    page = _PAGE.format(
        title=written(refusal.title),
        detail=written(refusal.detail),
        next_step=f"<p>{written(refusal.next_step)}</p>" if refusal.next_step else "",
        status=refusal.status,
        code=written(refusal.code),
        number=written(exchange_id),
    )
    found = _said(refusal, "text/html; charset=utf-8", page, exchange_id)
    guarded = ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
    return found._replace(headers=(*found.headers, guarded))


def _kubernetes(refusal: Refusal) -> dict[str, object]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": sentence(refusal),
        "reason": "Forbidden",
        "code": refusal.status,
    }


def _json(refusal: Refusal, document: Mapping[str, object], exchange_id: str) -> Answer:
    return _said(refusal, "application/json", json.dumps(document) + "\n", exchange_id)


def _said(refusal: Refusal, media: str, body: str, exchange_id: str, status: int | None = None) -> Answer:
    problem = render(refusal, exchange_id)
    headers = (("content-type", media), *(pair for pair in problem.headers if pair[0].lower() != "content-type"))
    return Answer(status or refusal.status, problem.reason, headers, body.encode("utf-8", "replace"))
