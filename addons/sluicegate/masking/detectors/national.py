"""Numbers that states give to people: the form, the check digits where there are any (python-stdnum), and a word beside
them where the form alone says too little.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

import re2

from sluicegate.masking.detectors.pattern import compiled, places
from sluicegate.masking.detectors.spans import Look


class Kind(NamedTuple):
    """One country's number."""

    module: str
    """In python-stdnum."""
    form: str
    sure: str = ""
    """The form in which it is taken without a word beside it; empty: never; `*`: always, the check is strong."""


_C = "[0-9LMNPQRSTUVlmnpqrstuv]"  # a digit of an Italian code, which may be written as a letter

KINDS: dict[str, Kind] = {
    "US": Kind("us.ssn", r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}", r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
    "CA": Kind("ca.sin", r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{3}"),
    "BR": Kind("br.cpf", r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    "MX": Kind("mx.curp", r"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]", "*"),
    "AR": Kind("ar.cuit", r"[0-9]{2}-?[0-9]{8}-?[0-9]", r"[0-9]{2}-[0-9]{8}-[0-9]"),
    "CL": Kind("cl.rut", r"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-?[0-9Kk]", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]"),
    "DE": Kind("de.idnr", r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}"),
    "FR": Kind("fr.nir", r"[12378] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", r"[12].* .*"),
    "ES": Kind("es.dni", r"[0-9]{8}-?[A-Za-z]", "*"),
    "ES*": Kind("es.nie", r"[XYZxyz]-?[0-9]{7}-?[A-Za-z]", "*"),
    "IT": Kind("it.codicefiscale", rf"[A-Za-z]{{6}}{_C}{{2}}[A-Za-z]{_C}{{2}}[A-Za-z]{_C}{{3}}[A-Za-z]", "*"),
    "NL": Kind("nl.bsn", r"[0-9]{8,9}"),
    "BE": Kind("be.nn", r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}-?[0-9]{3}\.?[0-9]{2}", r"[0-9.]{8}-[0-9]{3}\.[0-9]{2}"),
    "PL": Kind("pl.pesel", r"[0-9]{11}"),
    "SE": Kind("se.personnummer", r"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}", r"(?:19|20)?[0-9]{6}[-+][0-9]{4}"),
    "FI": Kind("fi.hetu", r"[0-9]{6}[-+ABCDEFUVWXY][0-9]{3}[0-9A-Y]", "*"),
    "NO": Kind("no.fodselsnummer", r"[0-9]{6} ?[0-9]{5}"),
    "DK": Kind("dk.cpr", r"[0-9]{6}-?[0-9]{4}"),
    "CH": Kind("ch.ssn", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", "*"),
    "AT": Kind("at.vnr", r"[0-9]{4} ?[0-9]{6}"),
    "GB": Kind("gb.nhs", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}"),
    "GB*": Kind("", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", "*"),
    "IE": Kind("ie.pps", r"[0-9]{7}[A-W][AHWTX]?"),
    "CZ": Kind("cz.rc", r"[0-9]{6}/?[0-9]{3,4}", r"[0-9]{6}/[0-9]{3,4}"),
    "RO": Kind("ro.cnp", r"[1-9][0-9]{12}"),
    "BG": Kind("bg.egn", r"[0-9]{10}"),
    "TR": Kind("tr.tckimlik", r"[1-9][0-9]{10}"),
    "IN": Kind("in_.aadhaar", r"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}", r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}"),
    "IN*": Kind("in_.pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]", "*"),
    "CN": Kind("cn.ric", r"[0-9]{17}[0-9Xx]", "*"),
    "KR": Kind("kr.rrn", r"[0-9]{6}-?[0-9]{7}", r"[0-9]{6}-[0-9]{7}"),
    "ZA": Kind("za.idnr", r"[0-9]{13}"),
    "AU": Kind("au.tfn", r"[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}"),
    "IL": Kind("il.idnr", r"[0-9]{9}"),
}
"""By country; a second kind of a country has a star."""

_WORDS = re.compile(
    r"\b(?:ssn|nir|tin|itin|sin|bsn|pesel|cpr|ahv|avs|nhs|pps|cnp|egn|pan|tfn|rut|cuit|cuil|cpf|curp|dni|nie|nif)\b|"
    r"social.?sec|national.?id|identity|numéro de sécu|sozialvers|steuer.?id|tax.?(?:id|file|number)|burgerservice|"
    r"personnummer|personnr|hetu|henkilötunnus|fødselsnummer|fodselsnummer|rodn[eé]|kimlik|aadhaar|身份证|주민|teudat|"
    r"codice.?fiscale|insurance.?n|citizen|\bid.?(?:number|no|nr|card)"
)

DIGITS = frozenset(key for key, kind in KINDS.items() if not re.search(r"[A-Za-z]", kind.form.replace("x{", "")))
"""The kinds that are nothing but digits and what stands between them."""

ANY_DIGITS = "digits"
"""Stands for all of those."""

_ALL = {
    key: (compiled(kind.form), re.compile(kind.sure) if kind.sure.strip("*") else None) for key, kind in KINDS.items()
}


_SHORT = 16 << 10


@cache
def _set() -> Any:
    """All forms as one: which of them are in a text."""
    options = re2.Options()
    options.max_mem = 64 << 20
    made = re2.Set.SearchSet(options)
    for kind in KINDS.values():
        made.Add(kind.form)
    made.Compile()
    return made


def forms_in(text: str) -> list[tuple[str, Kind]]:
    """The kinds whose form is in a text: one search for all of them takes no longer than a search for one."""
    kinds = list(KINDS.items())
    return [kinds[place] for place in sorted(_set().Match(text) or ())] if len(text) <= _SHORT else kinds


def national_ids(look: Look) -> Iterator[tuple[int, int]]:
    """National numbers of the regions that a mask names, of all where it names none."""
    for key, kind in forms_in(look.text):
        if (look.regions and key[:2] not in look.regions) or not _may_be(key, look.kinds):
            continue
        pattern, sure = _ALL[key]
        for start, end in places(pattern, look.text):
            shown = look.text[start:end]
            if not look.apart(start, end) or not _valid(kind.module, shown):
                continue
            if kind.sure == "*" or (sure is not None and sure.fullmatch(shown)) or _WORDS.search(look.before(start)):
                yield start, end


def _may_be(key: str, kinds: frozenset[str] | None) -> bool:
    return kinds is None or key in kinds or (key in DIGITS and ANY_DIGITS in kinds)


@lru_cache(maxsize=4096)
def _valid(module: str, shown: str) -> bool:
    if len(set(filter(str.isdigit, shown))) < 2:
        return False
    return not module or bool(_module(module).is_valid(shown))


@lru_cache(maxsize=64)
def _module(name: str) -> Any:
    return importlib.import_module(f"stdnum.{name}")
