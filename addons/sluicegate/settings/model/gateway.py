"""[gateway] and [console]: where the gateway and its console listen, and the limits of the gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sluicegate.settings.hosts import HostPattern
from sluicegate.settings.model.base import Seconds, Table, Text


class Gateway(Table):
    """[gateway]: where it listens, what becomes of hosts that no service names, and its limits."""

    listen: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}$")] = "127.0.0.1:8080"
    """Address and port of the proxy."""
    others: Literal["refuse", "tunnel", "inspect"] = "refuse"
    """Hosts that no service names: refuse them, tunnel the listed ones untouched, or inspect them as egress."""
    tunnel_hosts: list[str] = []
    """Hosts whose TLS passes untouched, such as `mirror.example.org` or `*.example.org`."""
    internal_destinations: list[Text] = []
    """Globs of destinations that are ours, such as `s3://acme-*`. Every other destination is external."""
    database: Text | None = None
    """PostgreSQL address for several gateways, such as `postgresql://gate@db.internal/gate` or `${DATABASE_URL}`. Left
    out, one gateway has a file of SQLite in its state folder."""
    trusted_ca: str | None = None
    """PEM file with the authorities that services are verified against, instead of the built-in bundle."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """Largest body that is kept whole, before and after decoding. Larger requests are refused; so are larger responses,
    but for those that can pass piece by piece."""
    service_seconds: Annotated[float, Field(gt=0, le=600)] = 300.0
    """How long a service may be silent: before its answer begins (504), and between two pieces of it. At most ten
    minutes, after which a connection on which nothing happens is closed."""
    client_seconds: Annotated[float, Field(gt=0, le=600)] = 120.0
    """How long a client may take to read what waits for it of an answer that passes piece by piece."""
    drain_seconds: Seconds = 20.0
    """How long SIGTERM waits for exchanges in flight."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes of `sluicegate up` that share the port, for machines with several cores (Linux). All connections from
    one address come to the same worker."""

    @field_validator("tunnel_hosts")
    @classmethod
    def _tunnel_hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            HostPattern.parse(text)
        return value
