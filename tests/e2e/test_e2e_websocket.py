"""WebSockets through a real gateway: every message judged, masked and recorded, or the whole closed."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings
import msgspec
import pyarrow as pa
import pytest
import websockets.sync.client
import websockets.sync.server
from mitmproxy.io import FlowReader
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from tests.e2e.investigating import replay
from tests.e2e.sockets import BINARY, CLOSE, KEY, PING, PONG, TEXT, Socket, frame, pieces, sends
from tests.origin import Cut, Origin, json_response
from tests.running import BIN, Wire

SSN, MASKED = "123-45-6789", "****6789"
ROW = json.dumps({"id": 7, "name": "Zoë Ångström", "ssn": SSN}, ensure_ascii=False).encode()
LIVE = "/live/feed"

POLICY = """
[services.live]
hosts = ["localhost:{live}"]
dialect = "live"
addresses = ["127.0.0.0/8", "::1/128"]
websocket = true
credential = {{ header = "Authorization", value = "Bearer ${{CHUNKS_TOKEN}}" }}

[services.talks]
hosts = ["localhost:{real}"]
dialect = "live"
addresses = ["127.0.0.0/8", "::1/128"]
websocket = true

[[dialects.live.routes]]
request = "GET /live/{{dataset}}"
kind = "read"
dataset = "path:dataset"

[[dialects.live.routes]]
request = "GET /admin/{{dataset}}"
kind = "admin"
dataset = "path:dataset"

[datasets.feed]
service = "live"
columns = {{ ssn = "restricted" }}

[datasets.room]
service = "talks"
columns = {{ ssn = "restricted" }}

[[rules]]
id = "listen"
effect = "allow"
who = ["group:engineering", "group:fraud"]
service = ["live", "talks"]
kind = ["read"]

[[rules]]
id = "speak"
effect = "allow"
who = ["group:engineering"]
service = ["talks"]
kind = ["message"]

[detection.zones]
one = ["chunks", "live", "talks"]
"""


class Talking:
    """A real server (the websockets package): says back what it is told, and keeps it."""

    def __init__(self, certificate) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._heard: list[str | bytes] = []
        self._begun = 0
        self._ended: list[int | None] = []
        self._changed = threading.Condition()
        self.server = websockets.sync.server.serve(
            self._serve,
            "127.0.0.1",
            0,
            ssl=context,
            ping_interval=None,
            process_request=self._begins,
            select_subprotocol=lambda connection, asked: "rows.v1" if "rows.v1" in asked else None,
        )
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _begins(self, connection, request) -> None:
        with self._changed:
            self._begun += 1

    @property
    def ended(self) -> list[int | None]:
        """The codes with which they ended, once all that have begun are over. It reads on threads of its own."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._ended) == self._begun, 60), "a WebSocket is still open"
            return list(self._ended)

    @property
    def heard(self) -> list[str | bytes]:
        """All that was said in WebSockets that are over, as all must be."""
        assert self.ended is not None
        return list(self._heard)

    def _serve(self, connection) -> None:
        try:
            for message in connection:
                self._heard.append(message)
                if message == "goodbye":
                    connection.close(4321, "with " + SSN)
                    return
                connection.send(message)
        except ConnectionClosedError:
            pass
        finally:
            with self._changed:
                self._ended.append(connection.close_code)
                self._changed.notify_all()

    def close(self) -> None:
        self.server.shutdown()


@pytest.fixture(scope="module")
def live(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def talking(certs):
    server = Talking(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module", params=["up", "script"])
def gate(request, gateway, live, talking, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"sockets-{request.param}")
    more = POLICY.format(live=live.port, real=talking.port)
    with gateway(folder, ["localhost:1"], way=request.param, more=more, gateway="max_body_bytes = 262144") as running:
        yield running


@pytest.fixture
def raw(gate, live, provider):
    """Opens a tunnel to the raw service, for ada."""
    opened = []

    def made(token=None) -> Socket:
        opened.append(Socket(gate, live.port, token or provider.token("ada")))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


@contextlib.contextmanager
def talk(gate, talking, token, **more):
    """A real client, through the proxy as its users are told to."""
    context = ssl.create_default_context(cafile=str(gate.gateway_ca))
    with websockets.sync.client.connect(
        f"wss://localhost:{talking.port}/live/room", ssl=context, proxy=f"http://u:{token}@127.0.0.1:{gate.port}",
        open_timeout=100, ping_interval=None, **more,
    ) as connection:  # fmt: skip
        yield connection


def flows(gate):
    files = sorted((gate.state / "recordings").rglob("*.flows"))
    return [flow for file in files for flow in FlowReader(file.open("rb")).stream()]


def ends(found) -> tuple[int, str]:
    """Code and reason of the close at the end."""
    kind, payload = found[-1]
    assert kind == CLOSE, found
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def test_a_real_client_and_a_real_server(gate, talking, provider):
    with talk(gate, talking, provider.token("ada"), subprotocols=["rows.v1"], compression="deflate") as connection:
        assert connection.subprotocol == "rows.v1"
        connection.send(ROW.decode())
        assert json.loads(connection.recv(100)) == {"id": 7, "name": "Zoë Ångström", "ssn": MASKED}
        connection.send([ROW.decode()[:9], ROW.decode()[9:]])
        assert json.loads(connection.recv(100))["ssn"] == MASKED
        connection.send(msgspec.msgpack.encode({"ssn": SSN}))
        assert msgspec.msgpack.decode(connection.recv(100)) == {"ssn": MASKED}
        assert connection.ping("a b").wait(100)
        connection.send("goodbye")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(100)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "")
    assert ROW.decode() in talking.heard


def test_a_close_of_the_client_reaches_the_service(gate, talking, provider):
    before = len(talking.ended)
    with talk(gate, talking, provider.token("ada")) as connection:
        connection.send('{"a":1}')
        connection.recv(100)
        connection.close(3999, "with words")
    assert 3999 in talking.ended[before:]


def test_messages_to_a_service_need_a_rule_that_names_them(gate, talking, provider):
    heard = len(talking.heard)
    with talk(gate, talking, provider.token("frank", groups=["fraud"])) as connection:
        connection.send('{"q": "everything"}')
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(100)
    assert closed.value.rcvd.code == 1008 and closed.value.rcvd.reason.startswith("no-rule")
    assert len(talking.heard) == heard


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_every_split_of_a_message_in_frames(live, raw, kind):
    """Also within a character, and with a ping between the frames."""
    frames = [pieces(ROW, [at], kind) for at in range(len(ROW) + 1)]
    frames += [pieces(ROW, range(1, len(ROW)), kind)]
    first, rest = frame(ROW[:20], kind, end=False), frame(ROW[20:], 0)
    frames.append(first + frame(b"x", PING) + rest)
    live.respond = sends(*frames)
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    found = [(word, payload) for word, payload in socket.frames() if word != PING]
    assert len(found) == len(frames) and {word for word, _ in found} == {kind}
    assert {json.loads(payload)["ssn"] for _, payload in found} == {MASKED}
    assert {json.loads(payload)["name"] for _, payload in found} == {"Zoë Ångström"}
    assert SSN.encode() not in socket.seen


ARROW = pa.table({"id": [1, 2], "ssn": [SSN, SSN]})


def arrow() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ARROW.schema) as writer:
        writer.write_table(ARROW)
    return sink.getvalue().to_pybytes()


def test_what_messages_may_be_made_of(live, raw):
    lines = ROW + b"\n" + ROW
    live.respond = sends(frame(lines), frame(b"\x1e" + ROW + b"\n"), frame(arrow(), BINARY), frame(b"[]"), frame(b"7"))
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    (_, first), (_, second), (_, third), (_, fourth), (_, fifth) = socket.frames()
    assert [json.loads(line)["ssn"] for line in first.splitlines()] == [MASKED, MASKED]
    assert json.loads(second.strip(b"\x1e\n"))["ssn"] == MASKED
    assert pa.ipc.open_stream(third).read_all().column("ssn").to_pylist() == [MASKED, MASKED]
    assert (fourth, fifth) == (b"[]", b"7")
    assert SSN.encode() not in socket.seen


@pytest.mark.parametrize(
    "message",
    [
        frame(f"the number is {SSN}".encode()),
        frame(b'{"ssn": "' + SSN.encode()),
        frame(b'{"ssn": "' + SSN.encode() + b'"} and more'),
        frame(b'{"id": 1} ' + SSN.encode()),
        frame(bytes([0x92]) + b"\xab" + SSN.encode(), BINARY),
        frame(b"\x1f\x8b" + SSN.encode(), BINARY),
        frame(b"PAR1" + SSN.encode() + b"PAR1", BINARY),
        frame(b"\xff\xff\xff\xff" + SSN.encode(), BINARY),
        frame(SSN.encode(), BINARY),
        frame(b'{"rows": [["' + SSN.encode() + b'"]], "columns": ["other"], "ssn": 1, "x": [["ssn"], ["y"]]', BINARY),
    ],
    ids=lambda message: message[2:].decode("ascii", "replace")[:30].replace("\0", ""),
)
def test_what_cannot_be_masked_closes_it(live, raw, message):
    live.respond = sends(frame(b'{"id": 1}'), message, frame(b'{"id": 2}'))
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    found = socket.frames()
    assert found[0] == (TEXT, b'{"id":1}') and len(found) == 2
    code, reason = ends(found)
    assert code == 1008 and reason.startswith("unmaskable: ")
    assert SSN.encode() not in socket.seen and b"6789" not in socket.seen


@pytest.mark.parametrize(
    "sent",
    [
        frame(b"\xff\xfe"),
        frame(SSN.encode(), 3),
        bytes([0xC1, len(SSN)]) + SSN.encode(),  # and nobody agreed to that
        frame(SSN.encode(), 0),
        frame(b"x" * 126, PING),
        frame(SSN.encode(), PING, end=False),
        frame(b"\x03", CLOSE),
        bytes([0x81, 0xFF]) + (1 << 63).to_bytes(8, "big"),
    ],
    ids=[
        "UTF-8",
        "an opcode",
        "compressed",
        "no beginning",
        "a long ping",
        "a ping in frames",
        "half a code",
        "a length",
    ],
)
def test_frames_that_break_the_protocol(live, raw, sent):
    live.respond = sends(frame(b'{"id": 1}'), sent, frame(ROW))
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    found = socket.frames()
    assert found[0] == (TEXT, b'{"id":1}') and len(found) == 2
    assert ends(found) == (1001, "")
    assert SSN.encode() not in socket.seen


def test_nothing_passes_in_pings_pongs_and_closes(live, raw):
    words = SSN.encode()
    live.respond = sends(
        frame(b"12" + words, PING), frame(words, PONG), frame((4000).to_bytes(2, "big") + words, CLOSE)
    )
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    found = socket.frames()
    assert [kind for kind, _ in found] == [PING, CLOSE] and ends(found) == (4000, "")
    assert words not in socket.seen


def test_a_message_that_is_too_large_is_never_kept(live, raw):
    part = frame(b"x" * 60_000, 0, end=False)
    live.respond = sends(frame(b'"', end=False), *[part] * 6)
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    assert ends(socket.frames())[0] == 1009


def test_a_service_that_breaks_off_is_no_clean_end(live, raw):
    live.respond = sends(frame(b'{"id": 1}'), frame(ROW, end=False))
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    assert socket.frames() == [(TEXT, b'{"id":1}')]


def test_the_services_secret_does_not_pass(live, raw):
    live.respond = sends(frame(b'{"said": "Bearer the-service-secret"}'))
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    code, reason = ends(socket.frames())
    assert code == 1008 and reason.startswith("credential-echoed") and b"the-service-secret" not in socket.seen
    assert b"bearer the-service-secret" in bytes(live.received).lower()


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"Sec_WebSocket_Version": "8"}, 400, "malformed-upgrade"),
        ({"Sec_WebSocket_Version": ""}, 400, "malformed-upgrade"),
        ({"Sec_WebSocket_Key": "short"}, 400, "malformed-upgrade"),
        ({"Sec_WebSocket_Key": ""}, 400, "malformed-upgrade"),
        ({"Connection": "keep-alive"}, 400, "malformed-upgrade"),
        ({"Sec_WebSocket_Protocol": "a b"}, 400, "malformed-upgrade"),
        ({"Upgrade": "websocket, h2c"}, 403, "upgrade-refused"),
        ({"Upgrade": "tls/1.0"}, 403, "upgrade-refused"),
    ],
)
def test_what_is_no_handshake_is_refused(live, raw, changed, status, code):
    before = len(live.received)
    got, _, body = raw().ask(LIVE, **changed)
    assert got == status and code in body.decode()
    assert len(live.received) == before


def test_the_request_is_judged_like_any_other(live, raw, provider):
    before = len(live.received)
    eve = provider.token("eve", groups=["none"])
    for path, token, code in (("/admin/feed", None, "policy-denied"), ("/x", None, "no-rule"), (LIVE, eve, "no-rule")):
        status, _, body = raw(token).ask(path)
        assert status == 403 and code in body.decode()
    assert len(live.received) == before


def test_extensions_are_not_asked_for(live, raw):
    live.respond = sends(frame(b"[]"))
    before = len(live.received)
    assert raw().ask(LIVE, Sec_WebSocket_Extensions="permessage-deflate", Sec_WebSocket_Protocol="a, b")[0] == 101
    sent = bytes(live.received[before:]).lower()
    assert KEY.lower().encode() not in sent, "a client chooses nothing of what a service is asked"
    assert b"extensions" not in sent and b"sec-websocket-protocol: a, b" in sent and b"upgrade: websocket" in sent


@pytest.mark.parametrize(
    "more",
    [
        {"Sec_WebSocket_Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"Sec_WebSocket_Accept": ""},
        {"Sec_WebSocket_Extensions": "permessage-deflate"},
        {"Sec_WebSocket_Protocol": "not-asked-for"},
        {"Upgrade": "tls/1.0"},
        {"Connection": "close"},
    ],
)
def test_a_service_that_does_not_agree_properly(live, raw, more):
    live.respond = sends(frame(ROW), **more)
    socket = raw()
    status, _, body = socket.ask(LIVE, Sec_WebSocket_Protocol="rows")
    assert status == 502 and "upgrade-refused" in body.decode()
    assert SSN.encode() not in socket.rest_within(body)


def test_a_service_that_says_no_is_read_as_ever(live, raw):
    live.respond = lambda request: json_response(ROW, status="426 Upgrade Required")
    status, headers, body = raw().ask(LIVE)
    assert status == 426 and json.loads(body)["ssn"] == MASKED and "upgrade" not in headers


def test_a_switch_that_nobody_asked_for(live, raw):
    live.respond = lambda request: (_ for _ in ()).throw(
        Cut(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + frame(ROW))
    )
    socket = raw()
    socket.send(socket.request("GET", LIVE))
    status, _, body = socket.response()
    assert status == 502 and SSN.encode() not in body + socket.rest_within(body)


def test_fields_of_the_answer_are_made_anew(live, raw):
    live.respond = sends(frame(b"[]"), Set_Cookie=f"ssn={SSN}", X_Row=SSN)
    status, headers, _ = raw().ask(LIVE)
    assert status == 101 and set(headers) == {"upgrade", "connection", "sec-websocket-accept"}


def test_a_service_without_the_setting_opens_none(gate, provider, live, raw):
    # The built-in chunk service of the policy says nothing of WebSocket, and lies at another port.
    status, _, body = raw().ask("/live/feed", Host="localhost:1")
    assert status in (403, 421), body


def test_http2_has_no_way_to_ask(gate, live, provider):
    """Extended CONNECT (RFC 8441) is not offered, and refused."""
    before = len(live.received)
    wire = Wire(gate.port, timeout=60)
    assert b" 200 " in wire.connect("localhost", live.port, provider.token("ada"))
    wire.tls(gate.gateway_ca, "localhost", ["h2"])
    config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False)
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    authority = f"localhost:{live.port}"
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", LIVE)]
    connection.send_headers(1, [*fields, (":authority", authority), ("sec-websocket-version", "13")])
    wire.send(connection.data_to_send())
    status = None
    with contextlib.suppress(OSError):
        while status is None and (data := wire.socket.recv(65536)):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RemoteSettingsChanged):
                    assert h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL not in event.changed_settings or (
                        event.changed_settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value == 0
                    )
                if isinstance(event, h2.events.ResponseReceived):
                    status = dict(event.headers)[b":status"]
                if isinstance(event, h2.events.ConnectionTerminated | h2.events.StreamReset):
                    status = b"ended"
    wire.close()
    assert status != b"200" and len(live.received) == before


def test_each_message_is_on_the_record(gate, talking, provider):
    secret = '{"password": "hunter2-and-more", "ssn": "987-65-4321"}'
    with talk(gate, talking, provider.token("ada")) as connection:
        connection.send(secret)
        connection.recv(100)
    recorded = flows(gate)
    mine = [flow for flow in recorded if flow.websocket and b"987-65-4321" in flow.websocket.messages[0].content]
    (sent,) = mine
    said = sent.metadata["sluicegate"]
    assert sent.websocket.messages[0].from_client and said["kind"] == "message" and said["rules"] == ["speak"]
    assert b"hunter2" not in sent.websocket.messages[0].content
    (came,) = [
        flow
        for flow in recorded
        if flow.websocket and flow.metadata["sluicegate"]["socket"] == said["socket"] and flow is not sent
    ]
    assert json.loads(came.websocket.messages[0].content)["ssn"] == "****4321"
    assert came.metadata["sluicegate"]["exposure"]["columns"]["ssn"] == "masked"
    (opened,) = [flow for flow in recorded if flow.id == said["socket"]]
    assert opened.response.status_code == 101 and not opened.websocket
    for command, codes in (("verify", (0, 5)), ("list", (0,)), (f"show {came.id}", (0,)), ("exposure --who ada", (0,))):
        done = replay(gate, *command.split())
        assert done.returncode in codes, done.stdout + done.stderr
        if command.startswith("show"):
            assert "****4321" in done.stdout and "from the service" in done.stdout
    stock = subprocess.run(
        [BIN / "mitmdump", "-n", "-r", str(next(iter(sorted((gate.state / "recordings").rglob("*.flows"))))), "-q"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert stock.returncode == 0 and not stock.stderr.strip(), stock.stderr


def test_what_was_refused_is_on_the_record_and_holds_nothing(gate, live, raw):
    planted = b"219-09-9999"
    live.respond = sends(frame(b"not JSON, and " + planted))
    socket = raw()
    assert socket.ask(LIVE)[0] == 101
    socket.frames()
    refused = [flow for flow in flows(gate) if flow.websocket and flow.websocket.messages[0].dropped]
    assert refused[-1].metadata["sluicegate"]["refusal"] == "unmaskable"
    assert refused[-1].websocket.messages[0].content == b""
    assert all(planted not in file.read_bytes() for file in (gate.state / "recordings").rglob("*.flows"))


def test_a_policy_that_changes_meanwhile_counts_for_the_next_message(gate, talking, provider):
    heard = len(talking.heard)
    with talk(gate, talking, provider.token("ada")) as connection:
        connection.send('{"a":1}')
        connection.recv(100)
        path = gate.folder / "policy.toml"
        before = path.read_text()
        try:
            path.write_text(before.replace('id = "speak"\neffect = "allow"', 'id = "speak"\neffect = "deny"'))
            gate.wait_for("is in force")
            connection.send('{"a":2}')
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(100)
            assert closed.value.rcvd.code == 1008 and talking.heard[heard:] == ['{"a":1}']
        finally:
            path.write_text(before)
            gate.wait_for("is in force")
