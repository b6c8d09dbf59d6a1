"""The sockets that workers listen on: one for each worker, on the same address, all of one client at the same worker.

What a gateway knows of handles, budgets and places is in the memory of one process. So the kernel hands every
connection from one address to the same worker: a small program (socket(7), SO_ATTACH_REUSEPORT_CBPF) chooses the socket
by the address of the client. The sockets are made, and kept, by the process that starts the workers, in their order: a
worker that ends and is started again takes up its own.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys

from sluicegate.errors import Fault

BACKLOG = 1024
_ATTACH_REUSEPORT_CBPF = 51
_NETWORK = -0x100000 & 0xFFFFFFFF
"""SKF_NET_OFF: where the header of IP begins (linux/filter.h)."""
_SPREAD = 0x9E3779B1

_LOAD, _LOAD_BYTE, _IMMEDIATE = 0x20, 0x30, 0x00
_SHIFT_RIGHT, _MULTIPLY, _MODULO, _XOR = 0x74, 0x24, 0x94, 0xAC
_EQUALS, _KEEP, _RETURN, _ALWAYS = 0x15, 0x07, 0x16, 0x05


def listen(host: str, port: int, count: int) -> list[list[socket.socket]]:
    """For each worker its sockets, one for each address that the host has. Raises Fault, one line.

    Port 0 is any free one, the same for all.
    """
    if not sys.platform.startswith("linux"):
        raise Fault("More than one worker needs Linux.", hint="Leave `workers` under [gateway] out of the policy.")
    made: list[list[socket.socket]] = [[] for _ in range(count)]
    try:
        for family, kind, protocol, _, address in _addresses(host, port):
            _free(family, kind, protocol, address)
            for place, worker in enumerate(made):
                one = socket.socket(family, kind, protocol)
                worker.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind(address)
                if not port:
                    port = one.getsockname()[1]
                    address = (address[0], port, *address[2:])
                if not place:
                    _by_client(one, count)
                one.listen(BACKLOG)  # in this order the kernel counts them
    except OSError as error:
        close(made)
        raise Fault(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            hint="Choose another address (`listen` under [gateway] in the policy), or end what uses this one.",
        ) from None
    return made


def close(made: list[list[socket.socket]]) -> None:
    """Let go of them; what no worker has accepted is turned away."""
    for worker in made:
        for one in worker:
            one.close()


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(found))  # type: ignore[arg-type]


def _free(family: int, kind: int, protocol: int, address: tuple[str, int]) -> None:
    """Raise OSError where somebody listens there: with SO_REUSEPORT, two gateways could share a port unknowingly."""
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)
        if address[1]:
            probe.listen(1)


def _by_client(first: socket.socket, count: int) -> None:
    """Have the kernel choose among the sockets by the client's address. Raises OSError."""
    program = _program(count)
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    first.setsockopt(
        socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(program), ctypes.addressof(buffer))
    )


def _program(count: int) -> list[tuple[int, int, int, int]]:
    """The choice, in the instructions of a classic socket filter: a hash of the client's address, modulo `count`."""
    v4 = [(_LOAD, 0, 0, _NETWORK + 12)]
    v6 = [(_LOAD, 0, 0, _NETWORK + 8)]
    for offset in (12, 16, 20):
        v6 += [(_KEEP, 0, 0, 0), (_LOAD, 0, 0, _NETWORK + offset), (_XOR, 0, 0, 0)]
    return [
        (_LOAD_BYTE, 0, 0, _NETWORK),
        (_SHIFT_RIGHT, 0, 0, 4),
        (_EQUALS, len(v4) + 1, 0, 6),
        *v4,
        (_ALWAYS, 0, 0, len(v6)),
        *v6,
        (_MULTIPLY, 0, 0, _SPREAD),
        (_SHIFT_RIGHT, 0, 0, 16),
        (_MODULO, 0, 0, count),
        (_RETURN, 0, 0, 0),
    ]
