"""Flow files for mitmproxy: the recorded bytes themselves, or the same flows with pseudonyms."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from sluicegate.recording.flow_reader import NO_CRC
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.tnetstring import encode, parse
from sluicegate_replay.export.pseudonyms import Pseudonyms

_NO_ADDRESS = ["0.0.0.0", 0]  # noqa: S104


def hidden(element: bytes, item: Recorded, pseudonyms: Pseudonyms) -> bytes:
    """The element of an exchange without the people in it. Its checksum is made anew; no proof fits it any more.

    Raises ValueError, KeyError.
    """
    state: dict[str, Any] = parse(element)
    within = pseudonyms.within(item)
    summary = dict(pseudonyms.hide(item).summary)
    state["comment"] = within(state["comment"])
    state["client_conn"]["peername"] = _NO_ADDRESS
    request, response = state["request"], state["response"]
    for name in ("path", "authority"):
        request[name] = _bytes(request[name], within)
    for message in (request, response):
        if message is not None:
            message["headers"] = [[name, _bytes(value, within)] for name, value in message["headers"]]
    state["metadata"] = {"sluicegate": {**summary, "crc32": "00000000"}}
    made = encode(state)
    return b"%b8:%08x;}}}" % (made[: -len(NO_CRC)], zlib.crc32(made))


def _bytes(value: bytes, within: Callable[[str], str]) -> bytes:
    return within(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
