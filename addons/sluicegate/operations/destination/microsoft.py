"""Azure's spellings of a container: `azure://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB`.

Blob and Data Lake (dfs) addresses name the same containers. What a shared access signature adds is not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluicegate.operations.destination.place import Place, joined

_CLOUDS = r"core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net"
_HOST = re.compile(
    rf"(?P<account>[a-z0-9]{{3,24}})(?:-secondary)?(?:\.privatelink)?\.(?:blob|dfs)\.(?P<cloud>{_CLOUDS})"
)
_SITE = re.compile(rf"(?P<account>[a-z0-9]{{3,24}})(?:-secondary)?\.z\d+\.web\.(?P<cloud>{_CLOUDS})")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])*|\$root|\$web|\$logs")
HADOOP = frozenset({"wasb", "wasbs", "abfs", "abfss"})
BLOB = re.compile(rf"[a-z0-9*?-]+\.blob\.(?:{_CLOUDS})")
"""The authority of a normal form, in which stars may stand for parts of the account."""


def from_host(host: str, path: Sequence[str]) -> Place | None:
    """The place behind an address at one of Azure's storage hosts; None where it is no such host."""
    site = _SITE.fullmatch(host)
    if site:
        return Place("azure", f"{site['account']}.blob.{site['cloud']}", joined(["$web", *path]))
    found = _HOST.fullmatch(host)
    return Place("azure", f"{found['account']}.blob.{found['cloud']}", joined(path)) if found else None


def from_hadoop(container: str, host: str, path: Sequence[str]) -> Place:
    """`abfss://CONTAINER@HOST/PATH` and its kin. Raises ValueError."""
    container = container.lower()
    if not _CONTAINER.fullmatch(container):
        raise ValueError("the destination has no valid container")
    found = from_host(host, [container, *path])
    if found is None:
        raise ValueError("the destination is at no host of Azure's storage")
    return found
