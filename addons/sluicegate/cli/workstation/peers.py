"""Who has the other end of a connection on loopback: the kernel knows, and nobody else can say so.

Linux lists each TCP socket with the user that it belongs to (proc(5), /proc/net/tcp). Elsewhere there is no such list
that needs no privilege, and the agent asks for a word of its own instead.
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

TABLE = Path("/proc/net/tcp")
_OPEN = frozenset({"01", "04", "05"})
"""ESTABLISHED, and FIN_WAIT1 and 2: a client that has nothing more to send and still reads."""
_MAPPED = "0000000000000000FFFF0000" if sys.byteorder == "little" else "00000000000000000000FFFF"
"""How the list writes ::ffff:0:0/96, word by word in the byte order of the machine."""
_NOBODYS = "0"
"""The inode of a socket that its program has let go; it shows as root's."""


def known() -> bool:
    """Whether this system says whose a connection is."""
    return TABLE.exists()


def user_of(peer: tuple[str, int], ours: tuple[str, int], folder: Path = TABLE.parent) -> int | None:
    """The user id at `peer` of the IPv4 connection from there to `ours`; None where there is no such connection."""
    local, remote = _written(peer), _written(ours)
    # A program that speaks IPv4 through an IPv6 socket, as Java does, stands in the other list, by a mapped address.
    for name, mapped in (("tcp", ""), ("tcp6", _MAPPED)):
        found = _search(folder / name, mapped + local, mapped + remote)
        if found is not None:
            return found
    return None


def _search(table: Path, local: str, remote: str) -> int | None:
    try:
        lines = table.read_text().splitlines()[1:]
    except FileNotFoundError:
        return None
    for line in lines:
        words = line.split()
        # The connection stands there twice, from either end; the peer's is the one that is local to the peer.
        if words[1] == local and words[2] == remote and words[3] in _OPEN and words[9] != _NOBODYS:
            return int(words[7])
    return None


def _written(address: tuple[str, int]) -> str:
    host, port = address
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"
