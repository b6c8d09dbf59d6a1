"""Rotation of the key that signs heads: verification follows it from the old key to the new, and no forger does."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluicegate.recording.ledger import rotation
from sluicegate.recording.ledger.checkpoint import Checkpoint, Head
from sluicegate.recording.ledger.keys import LEDGER_KEY, NEXT_KEY, prepare_next, signing_key
from sluicegate.recording.ledger.note import NoteError, Signer, Verifier, sign
from sluicegate.recording.verify import folder_keys, verify, verify_one
from sluicegate.settings import State
from tests.recording.ledgers import KEYS, SIGNER, closed, fill, journal_at
from tests.recording.recorders import exchange_through, live, recorder

NEW = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
THIRD = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))


async def rotated(folder, old=SIGNER, new=NEW) -> list[str]:
    """A run of the old key that hands over to the new one, and a run of that alone; what was called in between."""
    called = []
    journal = journal_at(folder, signer=old, successor=new, handed_over=lambda: called.append("handed over"))
    await asyncio.to_thread(journal.open)
    await fill(journal, 100, 4)
    await asyncio.to_thread(journal.close)
    journal = journal_at(folder, signer=new)
    await asyncio.to_thread(journal.open)
    await fill(journal, 200, 4)
    await asyncio.to_thread(journal.close)
    return called


async def test_whoever_trusts_either_key_proves_all_of_it(tmp_path):
    await closed(tmp_path)
    before = Head.parse((tmp_path / "log/checkpoint").read_bytes())
    assert await rotated(tmp_path) == ["handed over"]
    assert await rotated(tmp_path, NEW, THIRD) == ["handed over"]
    for signer in (SIGNER, NEW, THIRD):
        report = verify(tmp_path, [signer.verifier], heads=[before])
        assert report.findings == []
        assert [key.id for key in report.signed_by] == [THIRD.verifier.id]
        assert [(one.old, one.new) for one in report.rotations] == [
            (SIGNER.verifier, NEW.verifier),
            (NEW.verifier, THIRD.verifier),
        ]
        assert verify_one(tmp_path, "x0000001", [signer.verifier]).findings == []
    assert verify(tmp_path, folder_keys(tmp_path)).findings == []


async def test_a_stranger_s_key_is_followed_by_nobody(tmp_path):
    await closed(tmp_path)
    await rotated(tmp_path)
    stranger = Signer(SIGNER.name, Ed25519PrivateKey.generate()).verifier
    assert verify(tmp_path, [stranger]).verdict == "tampered"


async def test_a_new_head_of_another_key_without_a_word_of_the_old_one_is_tampering(tmp_path):
    await closed(tmp_path)
    head = Head.parse((tmp_path / "log/checkpoint").read_bytes()).checkpoint
    forged = sign(Checkpoint(head.origin, head.size, head.root).text, [NEW])
    (tmp_path / "log/checkpoint").write_text(forged)
    (tmp_path / "log" / f"{NEW.verifier.id.hex()}.vkey").write_text(NEW.verifier.text() + "\n")
    assert verify(tmp_path, KEYS).verdict == "tampered"


async def test_the_old_key_signs_no_head_of_now_for_whoever_trusts_the_new_one(tmp_path):
    await closed(tmp_path)
    await rotated(tmp_path)
    head = Head.parse((tmp_path / "log/checkpoint").read_bytes()).checkpoint
    (tmp_path / "log/checkpoint").write_text(sign(Checkpoint(head.origin, head.size, head.root).text, [SIGNER]))
    assert verify(tmp_path, [NEW.verifier]).verdict == "tampered"


@pytest.mark.parametrize("name", ["old", "new", "signed_old", "signed_new"])
def test_an_entry_in_which_anything_is_another_is_none(name):
    fields = rotation.said(SIGNER, NEW)
    assert rotation.read(fields) == (SIGNER.verifier, NEW.verifier)
    other = rotation.said(THIRD, SIGNER)
    for value in (other[name], "", "!", None):
        with pytest.raises(NoteError):
            rotation.read({**fields, name: value})
    foreign = Signer("another/log", NEW.key)
    with pytest.raises(NoteError):
        rotation.read(rotation.said(SIGNER, foreign))


async def test_a_gateway_takes_the_next_key_into_use_and_keeps_the_name_of_its_log(tmp_path):
    async with recorder(tmp_path) as addon:
        await exchange_through(addon, *live())
        name = addon._records._log
    keys, folder = State(tmp_path).keys, State(tmp_path).recordings
    (first,) = [Verifier.parse(path.read_text()) for path in (folder / "log").glob("*.vkey")]
    coming = prepare_next(keys, "").public_key().public_bytes_raw()
    async with recorder(tmp_path) as addon:
        await exchange_through(addon, *live())
        assert addon._records._log == name
        assert not (keys / NEXT_KEY).exists(), "the old key is gone once the log says so"
        assert signing_key(keys).public_key().public_bytes_raw() == coming
        shutil.copytree(tmp_path, killed := tmp_path.with_name("killed"))
    for root in (tmp_path, killed):
        async with recorder(root) as addon:
            await exchange_through(addon, *live())
            assert addon._records._log == name
        report = verify(State(root).recordings, [first])
        assert report.findings == [] and [key.key for key in report.signed_by] == [coming]


async def test_a_kill_before_the_keys_change_places_hands_over_again(tmp_path):
    async with recorder(tmp_path) as addon:
        await exchange_through(addon, *live())
    keys = State(tmp_path).keys
    prepare_next(keys, "")
    old = (keys / LEDGER_KEY).read_bytes()
    async with recorder(tmp_path) as addon:
        await exchange_through(addon, *live())
    (keys / LEDGER_KEY).replace(keys / NEXT_KEY)  # as if the gateway had been killed before it renamed the key
    (keys / LEDGER_KEY).write_bytes(old)
    async with recorder(tmp_path) as addon:
        await exchange_through(addon, *live())
    folder = State(tmp_path).recordings
    report = verify(folder, folder_keys(folder))
    assert report.findings == [] and report.counts["key.rotated"] == 2
