"""What is said, in the form that each place wants. A code and a link, and nothing that anybody asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from sluicegate.approvals.approval import rfc3339

_SENTENCES = {
    "asked": "A request waits for approval",
    "broken_glass": "ALARM: the glass was broken, and a request went through without an approval",
    "approved": "A request was approved",
    "denied": "A request was denied",
    "expired": "A request or grant has expired",
    "withdrawn": "A request was withdrawn",
    "revoked": "A grant was revoked",
    "reviewed": "A broken glass was reviewed",
    "finding": "Detection has found something",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. `id` stays the same however often it is sent, so that a receiver can tell."""

    id: int
    about: str
    approval: str
    """Its id; of what was found, the finding's."""
    code: str
    at: float
    link: str

    @property
    def sentence(self) -> str:
        return f"{_SENTENCES[self.about]} ({self.code})."


def slack(notice: Notice) -> dict[str, Any]:
    """Block Kit: a sentence and a button that opens a page. Nothing is decided in the channel."""
    button = {"type": "button", "text": {"type": "plain_text", "text": "Open in the console"}, "url": notice.link}
    return {
        "text": f"{notice.sentence} {notice.link}",
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": notice.sentence}},
            {"type": "actions", "elements": [button]},
        ],
    }


def teams(notice: Notice) -> dict[str, Any]:
    """An Adaptive Card in the envelope that a Workflows webhook takes."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": notice.sentence, "wrap": True, "weight": "Bolder"}],
        "actions": [{"type": "Action.OpenUrl", "title": "Open in the console", "url": notice.link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def webhook(notice: Notice) -> bytes:
    """The body of a Standard Webhook; its bytes are what is signed."""
    data = {"approval": notice.approval, "code": notice.code, "url": notice.link}
    kind = f"approval.{notice.about}"
    if notice.about == "finding":
        kind, data = "finding.raised", {"finding": notice.approval, "code": notice.code, "url": notice.link}
    document = {"type": kind, "timestamp": rfc3339(notice.at), "data": data}
    return json.dumps(document, separators=(",", ":")).encode()


def mail(notice: Notice, sender: str, to: list[str]) -> EmailMessage:
    """A plain mail. The library refuses line ends in its headers."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(to), notice.sentence
    message["Message-ID"] = f"<notice-{notice.id}-{notice.approval}@sluicegate>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{notice.sentence}\n\n{notice.link}\n")
    return message
