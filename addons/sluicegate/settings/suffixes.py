"""Public suffixes (publicsuffix.org): domains below which anybody can have a name of their own."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

_PRIVATE = "===BEGIN PRIVATE DOMAINS==="
"""Stands in the list before the suffixes of companies, such as `github.io`; those before it are of registries."""


def is_public_suffix(host: str, *, companies: bool) -> bool:
    """Whether a normal host is a public suffix, such as `co.uk`, or has some below it. A single label always is.

    `companies`: also where a company gives out the names, such as `github.io` and the regions of object stores.
    """
    if "." not in host:
        return True
    rules = _rules(companies)
    if f"!{host}" in rules:
        return False
    if host in rules or f"*.{host.partition('.')[2]}" in rules:
        return True
    return any(rule.endswith(f".{host}") and not rule.startswith("!") for rule in rules)


@lru_cache(maxsize=2)
def _rules(companies: bool) -> frozenset[str]:
    # The list that publicsuffix2 brings along is read here, since that package takes 0.4 s to build its tree.
    text = resources.files("publicsuffix2").joinpath("public_suffix_list.dat").read_text(encoding="utf-8")
    if not companies:
        text = text.partition(_PRIVATE)[0]
    rules = set()
    for line in text.splitlines():
        rule = line.partition(" ")[0].strip().lower()
        if rule and not rule.startswith("//"):
            rules.add(rule if rule.isascii() else _ascii(rule))
    return frozenset(rules)


def _ascii(rule: str) -> str:
    return ".".join(label if label.isascii() else label.encode("idna").decode("ascii") for label in rule.split("."))
