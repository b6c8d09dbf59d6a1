"""Sealed bodies: the gateway can write them, two investigators can read them, and nobody else can."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess

import pyrage
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Original
from sluicegate.recording import ahead as ahead_module
from sluicegate.recording.flow_reader import read_folder
from sluicegate.recording.journal import RecorderDown
from sluicegate.recording.sealing import body as body_module
from sluicegate.recording.sealing.body import SealError, body_key, extract, open_body, seal
from sluicegate.recording.sealing.opening import find, unseal
from sluicegate.recording.sealing.recipients import new_identity
from sluicegate.recording.verify import folder_keys, verify
from sluicegate.settings import State
from tests.recording.recorders import exchange_through, live, recorder

ONE, OTHER, STRANGER = new_identity(), new_identity(), new_identity()
RECIPIENTS = [ONE[1], OTHER[1]]
SSN = b"078-05-1120"


def masked(number: int = 1):
    """An exchange whose response was masked: the original is still at hand."""
    flow, exchange = live(f"/datasets/customers/chunks/{number}")
    exchange.original = Original(b'{"rows": [{"id": %d, "ssn": "%b"}]}' % (number, SSN), "application/json", "")
    return flow, exchange


@given(st.binary(max_size=300), st.text(max_size=40), st.binary(min_size=32, max_size=32))
def test_a_body_comes_back_as_it_was_and_its_key_is_that_of_hkdf(body, exchange, data_key):
    prk = extract(data_key)
    record, commitment = seal(prk, "ab", exchange, "text/plain", "gzip", body)
    opened = open_body(data_key, record)
    assert (opened.exchange, opened.body, opened.type, opened.coding) == (exchange, body, "text/plain", "gzip")
    assert opened.commitment == commitment
    kdf = HKDF(hashes.SHA256(), 32, None, body_module._INFO + exchange.encode("utf-8", "surrogatepass"))
    assert body_key(prk, exchange) == kdf.derive(data_key)


@given(st.data())
def test_any_change_of_a_record_is_found(data):
    record, _ = seal(extract(bytes(32)), "ab", "x", "t", "", b"secret body")
    at = data.draw(st.integers(0, len(record) - 1))
    changed = bytearray(record)
    changed[at] ^= data.draw(st.integers(1, 255))
    if at == len(record) - 1:
        return  # the line feed behind it is of no meaning; the ledger's hash covers it
    with pytest.raises(SealError):
        open_body(bytes(32), bytes(changed))


async def test_either_investigator_opens_what_the_gateway_sealed_and_it_cannot(tmp_path):
    async with recorder(tmp_path, recipients=RECIPIENTS) as addon:
        pairs = [masked(number) for number in range(3)]
        for pair in pairs:
            await exchange_through(addon, *pair)
        plain, other = live("/plain")
        await exchange_through(addon, plain, other)
    folder = State(tmp_path).recordings
    for path in State(tmp_path).root.rglob("*"):
        assert not path.is_file() or SSN not in path.read_bytes(), path
    report = verify(folder, folder_keys(folder))
    assert report.findings == []
    assert (report.counts["sealed"], report.counts["key.made"]) == (3, 1)
    assert len(list((folder / "keys").iterdir())) == 1
    for identity in (ONE, OTHER):
        for number, (_, exchange) in enumerate(pairs):
            assert exchange.original is None, "the original stays in memory although it is sealed"
            (sealed,) = find(folder, exchange.id)
            assert sealed.signed
            opened = unseal(folder, sealed, [identity[0]])
            assert opened.body == b'{"rows": [{"id": %d, "ssn": "%b"}]}' % (number, SSN)
            assert opened.type == "application/json"
    with pytest.raises(SealError, match="none of these keys"):
        unseal(folder, find(folder, pairs[0][1].id)[0], [STRANGER[0]])
    assert find(folder, other.id) == []
    told = {item.id: item.summary.get("sealed") for item in read_folder(folder)}
    assert told[other.id] is False and told[pairs[0][1].id] is True


async def test_deleting_the_wrapped_key_shreds_the_body(tmp_path):
    async with recorder(tmp_path, recipients=RECIPIENTS) as addon:
        pair = masked()
        await exchange_through(addon, *pair)
    folder = State(tmp_path).recordings
    (sealed,) = find(folder, pair[1].id)
    (folder / sealed.key_file).unlink()
    with pytest.raises(SealError, match="shredded"):
        unseal(folder, sealed, [ONE[0]])
    report = verify(folder, folder_keys(folder))
    assert [finding.file for finding in report.findings] == [sealed.key_file], "nobody said that it was shredded"


async def test_keys_are_for_one_session_class_and_hour(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        for step in (0, 10, 3600, 0):
            clock.advance(step)
            await exchange_through(addon, *masked())
    assert len(list((State(tmp_path).recordings / "keys").iterdir())) == 2


async def test_without_recipients_nothing_is_sealed(tmp_path):
    async with recorder(tmp_path) as addon:
        await exchange_through(addon, *masked())
    folder = State(tmp_path).recordings
    assert not list(folder.rglob("*.sealed")) and not (folder / "keys").exists()


async def test_what_cannot_be_sealed_is_refused_and_another_try_is_sealed(tmp_path, monkeypatch):
    async with recorder(tmp_path, recipients=RECIPIENTS) as addon:
        pair = masked()
        await addon.request(*pair)
        with monkeypatch.context() as broken:
            broken.setattr(ahead_module, "_put", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
            with pytest.raises(Refusal, match="recorder-down"):
                await addon.response(*pair)
        await addon.response(*pair)
    folder = State(tmp_path).recordings
    assert unseal(folder, find(folder, pair[1].id)[-1], [ONE[0]]).body.count(SSN) == 1


@pytest.mark.skipif(shutil.which("age") is None, reason="the stock age command is not installed (apt install age)")
async def test_the_stock_age_command_opens_keys_and_the_first_key_of_the_tail(tmp_path):
    async with recorder(tmp_path, recipients=RECIPIENTS) as addon:
        pair = masked()
        await exchange_through(addon, *pair)
    folder = State(tmp_path).recordings
    identity = tmp_path / "identity.txt"
    identity.write_text(OTHER[0] + "\n")
    (sealed,) = find(folder, pair[1].id)
    done = subprocess.run(["age", "-d", "-i", str(identity), str(folder / sealed.key_file)], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert SSN in open_body(done.stdout, sealed.record).body
    entries = b"".join(path.read_bytes() for path in (folder / "log/tile/entries").rglob("*") if path.is_file())
    armored = re.search(rb'"ratchet":"(.*?)"', entries)[1].replace(b"\\n", b"\n")
    done = subprocess.run(["age", "-d", "-i", str(identity)], input=armored, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 32 and base64.b64encode(done.stdout)
    assert pyrage.decrypt(armored, [pyrage.x25519.Identity.from_str(ONE[0])]) == done.stdout


async def test_a_key_without_an_entry_is_taken_away_by_the_next_start(tmp_path):
    """Killed between the wrapped key and its entry: nothing was sealed under it, and nobody put it there."""
    async with recorder(tmp_path, recipients=RECIPIENTS) as addon:
        kept = masked(1)
        await exchange_through(addon, *kept)
        orphan = addon._sealer._keys.make("another", "class", SetClock().now())
        folder = State(tmp_path).recordings
        assert (folder / orphan.key.file).exists()
    assert [one.file for one in verify(folder, folder_keys(folder)).findings] == [orphan.key.file]
    async with recorder(tmp_path, recipients=RECIPIENTS):
        pass
    assert not (folder / orphan.key.file).exists()
    assert verify(folder, folder_keys(folder)).findings == []
    assert unseal(folder, find(folder, kept[1].id)[0], [ONE[0]]).body


@pytest.mark.parametrize("entered", [True, False])
async def test_a_key_whose_entry_failed_is_no_alarm_and_no_loss(tmp_path, entered):
    """Whether the entry reached the disk is not known then: the next start looks."""
    folder = State(tmp_path).recordings
    async with recorder(tmp_path, recipients=RECIPIENTS) as addon:
        enter = addon._sealer._enter

        async def fails(*args):
            if entered:
                await enter(*args)
            raise RecorderDown("the disk is full")

        addon._sealer._enter = fails
        flow, exchange = masked(1)
        await addon.request(flow, exchange)
        with pytest.raises(Refusal):
            await addon.response(flow, exchange)
        exchange.refusal = Refusal(503, "recorder-down", "x", "x")
        await addon.response(flow, exchange)
        assert list((folder / "keys").glob("[0-9a-f]*")) == []
    if not entered:
        assert verify(folder, folder_keys(folder)).findings == []
    async with recorder(tmp_path, recipients=RECIPIENTS):
        pass
    assert verify(folder, folder_keys(folder)).findings == []
    assert len(list((folder / "keys").iterdir())) == entered
