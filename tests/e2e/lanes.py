"""One request asked many times over connections that stay open, several at once, and every byte that came back.

Each request has a number in the field `x-case`, by which the origin knows what to answer; what is asked stays the same.
A connection ends with a request that is denied, so that whatever came late stands before its answer.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.e2e.tunnels import IDS, Got, Tunnel
from tests.origin import Origin, Responder
from tests.running import Running, Wire

LANES = 4
"""Requests that are under way at once."""
_CASE = re.compile(rb"\r\nx-case: *(\d+)\r\n", re.IGNORECASE)
_DENIED = b"urn:sluicegate:policy-denied"

Judge = Callable[[int, Got], None]
"""Takes the number of a case and its answer; raises AssertionError. It is called by several threads."""


def by_case(answers: Mapping[int, Callable[[], bytes]]) -> Responder:
    """What an origin answers to each number."""

    def respond(request: bytes) -> bytes:
        found = _CASE.search(request)
        assert found, request
        return answers[int(found[1])]()

    return respond


class Lane(Tunnel):
    """A tunnel of HTTP/1.1 that is read with a buffer: one answer after the other."""

    def __init__(self, gate: Running, port: int, token: str) -> None:
        super().__init__(gate, port, token)
        self.socket.settimeout(60)
        self._file = self.socket.makefile("rb")
        self.ended = False
        """Whether nothing more can be asked here."""

    def ask(self, path: str, case: int = 0) -> Got:
        """A GET; `wire` is all that came since the answer before."""
        return self._answer(self.request("GET", path, Accept_Encoding="identity", X_Case=str(case)))

    def _answer(self, request: bytes) -> Got:
        self.send(request)
        lines = []
        while (line := self._file.readline()) not in (b"\r\n", b""):
            lines.append(line)
        head = b"".join([*lines, line])
        if not head.startswith(b"HTTP/1.1 ") or not line:
            self.ended = True
            return Got(0, {}, b"", head, whole=False)
        pairs = (each.decode("latin-1").partition(":") for each in lines[1:])
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        if fields.get("transfer-encoding") == "chunked":
            raw, body, whole = self._chunked()
        elif "content-length" in fields:
            raw = body = self._file.read(int(fields["content-length"]))
            whole = len(body) == int(fields["content-length"])
        else:
            raw = body = self._file.read()
            whole, self.ended = True, True
        self.ended |= not whole or fields.get("connection") == "close"
        return Got(int(head.split()[1]), fields, body, head + raw, whole)

    def _chunked(self) -> tuple[bytes, bytes, bool]:
        """A body as it is on the wire, what it says, and whether it came to its end."""
        raw, pieces, line, piece = [], [], b"", b""
        while line != b"0\r\n":
            line = self._file.readline()
            size = int(line, 16) if line.endswith(b"\r\n") else 0
            piece = self._file.read(size + 2) if line else b""
            raw += [line, piece]
            pieces.append(piece[:size])
            if len(piece) < size + 2:
                break
        return b"".join(raw), b"".join(pieces), line == b"0\r\n" and piece == b"\r\n"

    def rest(self) -> bytes:
        """What comes until a denial is here, or until the gateway closes."""
        if self.ended:
            return self._file.read()
        got = self._answer(self.request("DELETE", "/datasets/customers"))
        assert got.status == 403 and _DENIED in got.body, got
        return IDS.sub(b"", got.wire)

    def close(self) -> None:
        self._file.close()
        super().close()


def _over_http1(gate: Running, port: int, token: str, path: str, cases: queue.SimpleQueue[int], judge: Judge) -> bytes:
    """One connection after the other, until there are no cases left. Gives what came behind the last answers."""
    rests, case = [], -1
    while not cases.empty():
        lane = Lane(gate, port, token)
        try:
            while not lane.ended:
                try:
                    case = cases.get_nowait()
                except queue.Empty:
                    break
                judge(case, lane.ask(path, case))
            rests.append(lane.rest())
        except OSError as error:
            raise AssertionError(f"case {case}: {error!r}") from error
        finally:
            lane.close()
    return b"".join(rests)


class _Stream:
    def __init__(self, case: int) -> None:
        self.case = case
        self.head: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []

    def got(self, whole: bool) -> Got:
        fields = {name.decode(): value.decode("latin-1") for name, value in self.head}
        body = b"".join(self.body)
        return Got(int(fields.get(":status", "0")), fields, body, repr(self.head).encode() + body, whole)


def _over_http2(gate: Running, port: int, token: str, path: str, cases: Iterable[int], judge: Judge) -> bytes:
    """All cases as streams of one connection, some side by side. Gives all bytes of the connection."""
    wire = Wire(gate.port)
    streams: dict[int, _Stream] = {}
    try:
        assert b" 200 " in wire.connect("localhost", port, token)
        wire.tls(gate.gateway_ca, "localhost", ["h2"])
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
        connection.increment_flow_control_window(1 << 24)
        waiting, number, denied, seen = iter(cases), 1, False, []

        def ask(method: str, path: str, case: int) -> None:
            nonlocal number
            fields = [(":method", method), (":path", path), (":scheme", "https"), (":authority", f"localhost:{port}")]
            fields += [("accept-encoding", "identity"), ("x-case", str(case))]
            connection.send_headers(number, fields, end_stream=True)
            streams[number] = _Stream(case)
            number += 2

        while True:
            while len(streams) < LANES and (case := next(waiting, None)) is not None:
                ask("GET", path, case)
            if not streams:
                if denied:
                    return IDS.sub(b"", b"".join(seen))
                ask("DELETE", "/datasets/customers", -1)
                denied = True
            wire.send(connection.data_to_send())
            data = wire.socket.recv(1 << 18)
            assert data, "closed"
            seen.append(data)
            for event in connection.receive_data(data):
                stream = streams.get(getattr(event, "stream_id", None) or 0)
                if isinstance(event, h2.events.ConnectionTerminated):
                    raise AssertionError(event)
                if stream is None:
                    continue
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    stream.head += event.headers
                elif isinstance(event, h2.events.DataReceived):
                    stream.body.append(event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    got = stream.got(isinstance(event, h2.events.StreamEnded))
                    del streams[event.stream_id]
                    if stream.case >= 0:
                        judge(stream.case, got)
                    else:
                        assert got.status == 403 and _DENIED in got.body, got
    except (OSError, AssertionError) as error:
        raise AssertionError(f"{error} with cases {[each.case for each in streams.values()]} under way") from error
    finally:
        wire.close()


def ask_all(
    gate: Running, origin: Origin, token: str, path: str, version: str, cases: Iterable[int], judge: Judge
) -> bytes:
    """Ask for each case once and have its answer judged.

    Gives what was in no answer: over HTTP/1.1 what came behind the last ones, over HTTP/2 all bytes of the connection.
    """
    if version == "2":
        return _over_http2(gate, origin.port, token, path, cases, judge)
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for case in cases:
        numbers.put(case)
    lanes = min(LANES, numbers.qsize())
    with ThreadPoolExecutor(LANES) as pool:
        asked = [pool.submit(_over_http1, gate, origin.port, token, path, numbers, judge) for _ in range(lanes)]
    return b"".join(lane.result() for lane in asked)
