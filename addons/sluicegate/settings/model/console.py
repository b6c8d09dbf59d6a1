"""[console]: the approvers' side."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluicegate.settings.model.base import Network, Table, Text


class Console(Table):
    """[console]: the approvers' side, its own process on its own port."""

    listen: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}$")] = "127.0.0.1:8090"
    """Address and port of the console."""
    address: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+$")] | None = None
    """Where people reach it, such as `https://gate.example.org`: for links, and for the way back from signing in. Where
    that is not loopback it must be https, by a server in front. Left out: where a browser came in."""
    in_front: list[Network] = []
    """Networks of the servers in front of it, whose X-Forwarded-For says where a browser is."""
    operators: list[Text] = []
    """`group:NAME` and `person:SUBJECT`, who see everything, end sessions and revoke grants. They approve nothing by
    that."""
    keepers: list[Text] = []
    """`group:NAME` and `person:SUBJECT`, who hold recordings and, two of them together, release and shred them. Empty:
    the operators."""
    auditors: list[Text] = []
    """`group:NAME` and `person:SUBJECT`, who see everything and change nothing."""
