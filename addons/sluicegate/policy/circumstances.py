"""Tests of the circumstances: where the client is, when it is, what is known of the person, how much was taken."""

from __future__ import annotations

import fnmatch
import ipaddress
import math
from collections.abc import Iterable
from functools import lru_cache

from sluicegate.exchange import Operation
from sluicegate.policy.context import UNUSED, Context, Taken, kept_name
from sluicegate.policy.match import Test
from sluicegate.policy.statement import fold
from sluicegate.settings import model
from sluicegate.settings.times import Span

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TAKING = frozenset({"read", "export", "script", "share", "unknown"})
"""Kinds that take data out, or may."""


def takes(operation: Operation) -> bool:
    """Whether the operation takes data, as far as the request says."""
    return operation.kind in _TAKING and operation.column_scope != "none"


def network_test(texts: Iterable[str], *, broad: bool) -> Test:
    """The client's address is in one of the networks. Where it is not known, it could be."""
    networks = [ipaddress.ip_network(text) for text in texts]

    @lru_cache(maxsize=1024)
    def within(client: str) -> bool:
        address = address_of(client)
        return broad if address is None else any(address in network for network in networks)

    return lambda operation, context: within(context.client)


def address_of(text: str) -> Address | None:
    """The address that a text means, IPv4 also where it comes mapped into IPv6; None where it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def when_test(texts: Iterable[str], *, broad: bool) -> Test:
    """The moment is within one of the spans."""
    spans = [Span.parse(text) for text in texts]

    @lru_cache(maxsize=64)
    def within(minute: int) -> bool:
        return any(span.holds(minute * 60.0) for span in spans)

    def test(operation: Operation, context: Context) -> bool:
        try:
            return within(math.floor(context.now / 60))
        except (ValueError, OverflowError, OSError):
            return broad  # no moment that a calendar knows

    return test


def risk_test(above: float, *, broad: bool) -> Test:
    """The risk is above; what is no number could be."""
    return lambda operation, context: not context.risk <= above if broad else context.risk > above


def finding_test(globs: tuple[str, ...], *, broad: bool) -> Test:
    """One of the indicators was found. Where the risk is not known, what was found is not known either: it could."""

    def test(operation: Operation, context: Context) -> bool:
        if broad and math.isnan(context.risk):
            return True
        found = context.findings
        return bool(found) and any(fnmatch.fnmatchcase(name, glob) for name in found for glob in globs)

    return test


def sign_in_test(above: float) -> Test:
    """The person signed in longer ago, or it is not known when."""

    def test(operation: Operation, context: Context) -> bool:
        return context.signed_in is None or not context.now - context.signed_in <= above

    return test


def rows_test(above: int, *, broad: bool) -> Test:
    """More rows are asked for; without a limit all of them are."""

    def test(operation: Operation, context: Context) -> bool:
        if operation.rows is not None:
            return operation.rows > above
        return broad and takes(operation)

    return test


def taken_from(operation: Operation) -> str:
    """Under which name the use of an operation's dataset is counted."""
    if operation.dataset is None:
        return ""
    return operation.dataset if operation.declared else fold(operation.dataset)


def budget_test(budget: model.Budget) -> Test:
    """The person's use, with this request, is above one of the limits."""
    zone = budget.zone

    def test(operation: Operation, context: Context) -> bool:
        if not takes(operation):
            return False
        key: Taken = (taken_from(operation), zone)
        use = context.use.get(key, UNUSED)
        if budget.rows is not None and use.rows + (1 if operation.rows is None else operation.rows) > budget.rows:
            return True
        if budget.bytes is not None and use.bytes + 1 > budget.bytes:
            return True
        chunks = operation.chunks
        if budget.chunks is not None and use.chunks + (len(chunks) or 1) > budget.chunks:
            return True
        if budget.distinct_chunks is None:
            return False
        further = sum(1 for chunk in set(map(kept_name, chunks)) if chunk not in use.distinct)
        return len(use.distinct) + use.unnamed + further > budget.distinct_chunks

    return test
