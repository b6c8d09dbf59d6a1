"""Secrets of providers by their own prefixes, tokens (RFC 7519) and private keys (RFC 7468)."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from sluicegate.masking.detectors.pattern import compiled, places
from sluicegate.masking.detectors.spans import Look

_W = r"[A-Za-z0-9_-]"
FORMS: dict[str, str] = {
    "aws access key": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "github": r"gh[pousr]_[A-Za-z0-9]{36,}",
    "github, fine-grained": r"github_pat_[A-Za-z0-9_]{22,}",
    "gitlab": rf"gl(?:pat|ptt|rt|dt|soat|cbt|imt|agent|oas|ffct|ft)-{_W}{{20,}}",
    "slack": r"xox[a-z](?:-[A-Za-z0-9]{1,}){2,6}",
    "slack app": r"xapp-[0-9]-[A-Z0-9]{5,20}-[0-9]{5,20}-[a-z0-9]{20,}",
    "slack hook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,}",
    "stripe": r"(?:sk|rk|pk)_(?:live|test|prod)_[A-Za-z0-9]{10,}",
    "stripe hook": r"whsec_[A-Za-z0-9+/=]{24,}",
    "google api": rf"AIza{_W}{{35}}",
    "google oauth": rf"(?:ya29\.{_W}{{20,}}|GOCSPX-{_W}{{28}}|1//0{_W}{{30,}})",
    "openai": rf"sk-(?:proj|svcacct|admin|None)?-?{_W}{{20,}}",
    "anthropic": rf"sk-ant-{_W}{{20,}}",
    "hugging face": r"(?:hf|api_org)_[A-Za-z]{34}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": rf"pypi-AgE{_W}{{50,}}",
    "sendgrid": rf"SG\.{_W}{{16,}}\.{_W}{{32,}}",
    "twilio": r"(?:SK|AC)[0-9a-f]{32}",
    "mailgun": r"(?:key|pubkey)-[0-9a-f]{32}",
    "mailchimp": r"[0-9a-f]{32}-us[0-9]{1,2}",
    "shopify": r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    "digitalocean": r"do[opr]_v1_[a-f0-9]{64}",
    "databricks": r"dapi[a-f0-9]{32}(?:-[0-9])?",
    "telegram": rf"[0-9]{{8,}}:AA{_W}{{33}}",
    "azure storage": r"AccountKey=[A-Za-z0-9+/=]{80,}",
    "azure ad": rf"{_W}{{3}}[0-9]Q~{_W}{{31,}}",
    "vault": rf"hv[sbr]\.{_W}{{24,}}",
    "doppler": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{40,80}",
    "linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}",
    "notion": r"ntn_[A-Za-z0-9]{40,60}",
    "atlassian": rf"AT(?:ATT3xFf|CTT3xFf|BB){_W}{{20,}}",
    "postman": r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    "grafana": r"(?:glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/=]{32,})",
    "heroku": rf"HRKU-{_W}{{30,}}",
    "new relic": r"NRA[KL]-[A-Z0-9]{27}|NRJS-[a-f0-9]{19}|NRII-[A-Za-z0-9-]{32}",
    "square": rf"(?:sq0(?:csp|atp|idp)-{_W}{{22,}}|EAAA{_W}{{60}})",
    "terraform": rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_W}{{60,}}",
    "docker": rf"dckr_(?:pat|oat)_{_W}{{27,}}",
    "planetscale": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=_.-]{32,64}",
    "discord": rf"[MNO]{_W}{{23,}}\.{_W}{{6}}\.{_W}{{27,}}",
    "age": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "1password": r"ops_eyJ[A-Za-z0-9+/=]{200,}",
    "sentry": r"sntry[su]_[A-Za-z0-9+/=_-]{40,}",
    "rubygems": r"rubygems_[a-f0-9]{48}",
    "artifactory": r"AKCp[A-Za-z0-9]{69}",
    "dynatrace": r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    "fly": r"fm[12]r?_[A-Za-z0-9+/=,_-]{50,}|fo1_[A-Za-z0-9_-]{43}",
    "easypost": r"EZ[AT]K[A-Za-z0-9]{54}",
    "flutterwave": r"FLW(?:SEC|PUB)K(?:_TEST)?-[A-Za-z0-9]{12,40}(?:-X)?",
    "shippo": r"shippo_(?:live|test)_[a-f0-9]{40}",
    "sendinblue": r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    "facebook": r"EAA[MC][A-Za-z0-9]{60,}",
    "alibaba": r"LTAI[A-Za-z0-9]{17,21}",
    "adobe": r"p8e-[A-Za-z0-9]{32}",
    "typeform": r"tfp_[A-Za-z0-9_.=-]{40,70}",
    "pulumi": r"pul-[a-f0-9]{40}",
    "prefect": r"pn[ub]_[A-Za-z0-9]{36}",
    "readme": r"rdme_[a-z0-9]{70}",
    "user and password in an address": r"[a-z][a-z0-9+.-]{1,15}://[^\s:@/\"'<>]{1,80}:[^\s@/\"'<>]{3,}@",
}
"""Forms of secrets, by who gives them out."""

_FORM = compiled("|".join(f"(?:{form})" for form in FORMS.values()))
_SAID = compiled(
    r"(?i)(?:passw(?:or)?d|passwd|pwd|secret|token|(?:api|access|auth)[_ -]?key|credential|bearer)"
    r"(?:[ _-]?(?:key|id|value))?[\"']?(?: is|s)?"
    r"[ \t]{0,3}(?:=|:|=>|:=|\s)[ \t]{0,3}[\"']?[A-Za-z0-9+/=_.~!@#$%^&*-]{12,}"
)
_TAIL = re.compile(r"[A-Za-z0-9+/=_.~!@#$%^&*-]{12,}$")
_PLACEHOLDER = re.compile(r"(?i)example|sample|dummy|placeholder|your[_-]|changeme|redacted|xxxx|\.\.\.|\*{3}|\$\{|<")


def secrets(look: Look) -> Iterator[tuple[int, int]]:
    """Secrets by their prefix, and long random texts behind a word that says that they are one."""
    for start, end in places(_FORM, look.text):
        if not look.text[max(0, start - 1) : start].isalnum() and not _dull(look.text[start:end], 2.5):
            yield start, end
    for start, end in places(_SAID, look.text):
        tail = _TAIL.search(look.text[start:end])
        if tail is not None and not _dull(tail[0], 3.3) and any(c.isdigit() for c in tail[0]):
            yield start + tail.start(), end


def _dull(value: str, bits: float) -> bool:
    """Whether it is a placeholder: a word for one, or too few different characters (Shannon, bits a character)."""
    if _PLACEHOLDER.search(value):
        return True
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts) < bits


_JWT = compiled(
    r"ey[A-Za-z0-9_-]{10,}\.(?:ey)?[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})?"
)


def tokens(look: Look) -> Iterator[tuple[int, int]]:
    """JSON web tokens whose header says how they are made."""
    for match in _JWT.finditer(look.text):
        head = look.text[match.start() : match.end()].partition(".")[0]
        try:
            header = msgspec.json.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            continue
        if isinstance(header, dict) and {"alg", "enc", "typ", "kid"} & header.keys():
            yield match.start(), match.end()


_KEY = re.compile(r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}|PuTTY-User-Key-File-\d:")
_KEY_END = re.compile(r"-{4,5} ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-MAC: ?[0-9a-f]+")


def private_keys(look: Look) -> Iterator[tuple[int, int]]:
    """From the line that opens a key to the one that closes it, or to the end of the text."""
    position = 0
    while (opened := _KEY.search(look.text, position)) is not None:
        closed = _KEY_END.search(look.text, opened.end())
        position = closed.end() if closed is not None else len(look.text)
        yield opened.start(), position


def before_keys(text: str, searched: int = 0) -> tuple[int, int]:
    """How many characters of a text, whole lines, hold no part of a private key whose end may be still to come; and how
    many of the others were searched for that end, to be given again with them as `searched` once more has come.
    """
    if "PRIVATE KEY" not in text[: searched or None] and "PuTTY-User-Key-File" not in text[: searched or None]:
        return len(text), 0
    position = 0
    closed_ones: list[tuple[int, int]] = []
    while (opened := _KEY.search(text, position)) is not None:
        closed = _KEY_END.search(text, max(opened.end(), 0 if closed_ones else searched))
        if closed is None:
            border = text.rfind("\n", 0, opened.start()) + 1
            return _apart(text, border, closed_ones)
        closed_ones.append((opened.start(), closed.end()))
        position = closed.end()
    return len(text), 0


def _apart(text: str, border: int, closed: list[tuple[int, int]]) -> tuple[int, int]:
    """The border moved before keys that end in the line in which the one begins that has no end."""
    moved = border
    for start, end in reversed(closed):
        if start < moved < end:
            moved = text.rfind("\n", 0, start) + 1
    return moved, 0 if closed and closed[-1][1] > moved else len(text) - moved
