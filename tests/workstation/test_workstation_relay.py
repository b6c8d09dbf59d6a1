"""The agent: who may use it, what it adds, what it never lets out, and how it fails."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.cli import credential_store
from sluicegate.cli.credential_store import Stored
from sluicegate.cli.workstation import holding, peers
from sluicegate.cli.workstation.head import NotForAProxy, authorised, word_in
from sluicegate.cli.workstation.relay import Relay
from sluicegate.cli.workstation.settings import Place

SECRET = "slg_" + "a" * 49
OURS = b"Proxy-Authorization: Basic " + base64.b64encode(b"sluicegate:" + SECRET.encode())
CONNECT = b"CONNECT chunks.test:443 HTTP/1.1\r\nHost: chunks.test:443\r\n"


class Gateway:
    """Listens as the gateway would; keeps the heads that came, says `OK`, then gives back what it gets."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.place = Place(*self.server.sockets[0].getsockname()[:2])
        return self

    async def _serve(self, reader, writer):
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()

    async def __aexit__(self, *_):
        self.server.close()


async def said(place, data, *, end=True):
    """What comes back on one connection; None where it was cut off without a byte."""
    reader, writer = await asyncio.open_connection(place.host, place.port)
    try:
        writer.write(data)
        if end:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.fixture
async def gateway():
    async with Gateway() as running:
        yield running


@pytest.fixture
async def relay(gateway):
    made = Relay(gateway.place, lambda: SECRET)
    await made.open()
    yield made
    await made.close()


async def test_what_passes_carries_the_credential_and_its_bytes_are_untouched(relay, gateway):
    payload = os.urandom(300_000)
    answer = await said(relay.address, CONNECT + b"\r\n" + payload)
    assert answer == b"HTTP/1.1 200 OK\r\n\r\n" + payload
    assert gateway.heads == [CONNECT + OURS + b"\r\n\r\n"]


async def test_a_credential_of_the_clients_own_does_not_pass(relay, gateway):
    await said(relay.address, CONNECT + b"proxy-AUTHORIZATION: Basic eDp5\r\nProxy-Authorization : Bearer z\r\n\r\n")
    assert gateway.heads[0].lower().count(b"proxy-authorization") == 1 and OURS in gateway.heads[0]


async def test_plain_http_is_one_request_a_connection(relay, gateway):
    await said(relay.address, b"GET http://clear.test/ HTTP/1.1\r\nHost: clear.test\r\nConnection: keep-alive\r\n\r\n")
    assert gateway.heads[0].lower().count(b"\r\nconnection:") == 1 and b"\r\nConnection: close\r\n" in gateway.heads[0]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET ftp://x/ HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\r\n\r\n",
        b"CONNECT x:443 HTTP/2\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\nProxy-Authorization: Basic x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nA: b\nProxy-Authorization: Basic x\r\n\r\n",
    ],
)
async def test_what_is_for_no_proxy_is_not_passed_on(relay, gateway, head):
    assert (await said(relay.address, head)).startswith(b"HTTP/1.1 400 Not passed on")
    assert not gateway.heads


async def test_no_end_of_a_head(relay, gateway):
    assert await said(relay.address, b"CONNECT x:443 HTTP/1.1\r\nA: " + b"x" * 200_000) == b""
    assert await said(relay.address, b"CONNECT x:443 HTTP/1.1\r\n") == b""
    assert await said(relay.address, b"") == b""
    assert not gateway.heads


async def test_nobody_is_signed_in(gateway):
    relay = Relay(gateway.place, lambda: "")
    await relay.open()
    answer = await said(relay.address, CONNECT + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 511 Sign in first: run `sluicegate login`") and not gateway.heads
    await relay.close()


async def test_the_gateway_does_not_answer():
    probe = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    place = Place(*probe.sockets[0].getsockname()[:2])
    probe.close()
    relay = Relay(place, lambda: SECRET)
    await relay.open()
    answer = await said(relay.address, CONNECT + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 502 The gateway at") and SECRET.encode() not in answer
    await relay.close()


async def test_the_end_of_the_agent_ends_what_is_open(relay, gateway):
    reader, writer = await asyncio.open_connection(relay.address.host, relay.address.port)
    writer.write(CONNECT + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    await relay.close()
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()


async def test_another_users_program_is_cut_off(relay, gateway):
    if os.name != "posix" or os.geteuid() != 0 or not peers.known():
        pytest.skip("being another user needs root, and the list of sockets of Linux")
    ask = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20);"
        "s.sendall(b'CONNECT chunks.test:443 HTTP/1.1\\r\\n\\r\\n'); s.shutdown(1); print(s.recv(100))"
    )
    command = ["/usr/bin/env", "python3", "-c", ask, str(relay.address.port)]
    done = await asyncio.to_thread(
        subprocess.run, ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", *command[2:]],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    if "No such file" in done.stderr and "setpriv" in done.stderr:
        pytest.skip("setpriv and a Python for everybody are needed")
    assert done.stdout.strip() == "b''" or "reset" in done.stderr, done
    assert not gateway.heads
    mine = await asyncio.to_thread(
        subprocess.run, [sys.executable, *command[2:]], capture_output=True, text=True, timeout=60
    )
    assert "200 OK" in mine.stdout and len(gateway.heads) == 1


async def test_where_the_system_does_not_say_whose_it_is_a_word_is_needed(gateway):
    relay = Relay(gateway.place, lambda: SECRET, by_user=False)
    await relay.open()
    for field in (b"", b"Proxy-Authorization: Basic eDp5\r\n", b"Proxy-Authorization: Basic \xff\r\n"):
        answer = await said(relay.address, CONNECT + field + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 407 ") and b"\r\nProxy-Authenticate: Basic" in answer
    assert len(relay.word) >= 32 and not gateway.heads
    pair = base64.b64encode(f"sluicegate:{relay.word}".encode())
    await said(relay.address, CONNECT + b"Proxy-Authorization: Basic " + pair + b"\r\n\r\n")
    assert gateway.heads == [CONNECT + OURS + b"\r\n\r\n"]
    await relay.close()


def test_the_kernels_list_is_read_from_the_peers_end(tmp_path):
    table = tmp_path / "tcp"
    line = "   {n}: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0 20 0 0 10 -1\n"
    rows = (
        ("0100007F:1F8F", "0100007F:C350", "01", 0, 3),  # our end
        ("0100007F:C350", "0100007F:1F8F", "06", 7, 0),  # time wait: somebody else had that port
        ("0100007F:C350", "0100007F:1F8F", "05", 0, 0),  # nobody's any more, which shows as root's
        ("0100007F:C350", "0100007F:1F90", "01", 8, 4),
        ("0100007F:C350", "0100007F:1F8F", "01", 1000, 5),
    )
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    table.write_text(
        head
        + "".join(
            line.format(n=n, local=a, remote=b, state=s, uid=u, inode=i) for n, (a, b, s, u, i) in enumerate(rows)
        )
    )
    assert peers.user_of(("127.0.0.1", 50000), ("127.0.0.1", 8079), tmp_path) == 1000
    assert peers.user_of(("127.0.0.1", 50001), ("127.0.0.1", 8079), tmp_path) is None
    mapped = "0000000000000000FFFF0000"
    local, remote = f"{mapped}0100007F:C352", f"{mapped}0100007F:1F8F"
    (tmp_path / "tcp6").write_text(head + line.format(n=0, local=local, remote=remote, state="01", uid=7, inode=9))
    assert peers.user_of(("127.0.0.1", 50002), ("127.0.0.1", 8079), tmp_path) == (
        7 if sys.byteorder == "little" else None
    )


fields = st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=6)


@given(st.sampled_from([b"CONNECT a:1 HTTP/1.1", b"GET http://a/ HTTP/1.0", b"POST HTTPS://a/ HTTP/1.1"]), fields)
def test_exactly_one_credential_whatever_the_fields_are(line, others):
    try:
        head = authorised(b"\r\n".join([line, *others, b"", b""]), SECRET)
    except NotForAProxy:
        return
    names = [field.partition(b":")[0].strip().lower() for field in head.split(b"\r\n")[1:-2]]
    assert names.count(b"proxy-authorization") == 1 and word_in(head) == SECRET
    assert (head.endswith(b"\r\n\r\n") and head.count(b"\r\n\r\n") == 1) or b"" in others


def stored(handle="slg_one", gateway="gate.test:8080"):
    return Stored(handle=handle, console="http://127.0.0.1:9", gateway=gateway, session="s")


def test_a_sign_in_counts_at_once_and_for_its_gateway_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICEGATE_CONFIG", str(tmp_path))
    held = holding.Holding("gate.test:8080")
    assert held.secret() == ""
    credential_store.save(stored())
    assert held.secret() == "slg_one"
    credential_store.save(stored("slg_two"))
    assert held.secret() == "slg_two"
    credential_store.save(stored("slg_three", gateway="another.test:8080"))
    assert held.secret() == ""
    credential_store.save(stored())
    credential_store.place().chmod(0o644)
    assert held.secret() == ""  # others could have read it
    credential_store.save(stored())
    credential_store.forget()
    assert held.secret() == ""


async def test_the_handle_is_renewed_unless_somebody_signed_in_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICEGATE_CONFIG", str(tmp_path))
    held = holding.Holding("gate.test:8080")
    credential_store.save(stored())
    turns = iter(["fine", "raises", "late", "none"])
    seen = []

    def renew(found):
        seen.append(found.handle)
        match next(turns):
            case "fine":
                return msgspec.structs.replace(found, handle="slg_fine")
            case "raises":
                raise OSError("down")
            case "late":
                credential_store.save(stored("slg_signed_in_again"))
                return msgspec.structs.replace(found, handle="slg_late")
        return None

    waits = 0

    async def wait(seconds):
        nonlocal waits
        waits += 1
        if waits > 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await holding.keep_fresh(held, renew, wait)
    assert seen == ["slg_one", "slg_fine", "slg_fine", "slg_signed_in_again"]
    assert held.secret() == "slg_signed_in_again"
