"""A witness signs what continues what it saw, and nothing else; the gateway keeps what it signs."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluicegate.clock import SetClock
from sluicegate.recording.ledger.checkpoint import Checkpoint, Head
from sluicegate.recording.ledger.merkle import consistency
from sluicegate.recording.ledger.note import COSIGNATURE, Signer, Verifier, sign
from sluicegate.recording.ledger.store import Store
from sluicegate.recording.verify import verify
from sluicegate.recording.witness.client import Heads
from sluicegate.recording.witness.core import Request, Witness
from tests.recording.ledgers import KEYS, SIGNER, START, fill, journal_at
from tests.running import BIN, free_port, listening

COSIGNER = Signer("w.example/one", Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)), COSIGNATURE)


@pytest.fixture
def witness(tmp_path) -> Witness:
    (tmp_path / "witness").mkdir()
    return Witness(tmp_path / "witness", COSIGNER, {SIGNER.name: KEYS})


async def grow(folder: Path, run: int, count: int = 20) -> Head:
    journal = journal_at(folder, SetClock(START + run * 7200))
    await asyncio.to_thread(journal.open)
    await fill(journal, run * 1000, count)
    await asyncio.to_thread(journal.close)
    return Head.parse((folder / "log/checkpoint").read_bytes())


def asked(folder: Path, head: Head, old: int) -> bytes:
    size = head.checkpoint.size
    return Request(old, tuple(consistency(old, size, Store(folder / "log").subtree(size))), head).encode()


async def test_the_protocol_answer_by_answer(witness, tmp_path):
    one = await grow(tmp_path / "log1", 0)
    first = asked(tmp_path / "log1", one, 0)
    size = one.checkpoint.size
    assert witness.add(b"nonsense", 1.0).status == 400
    assert witness.add(first.replace(b"old 0", b"old 00"), 1.0).status == 400
    stranger = Checkpoint("other.example/log", 1, bytes(32))
    assert witness.add(Request(0, (), Head.parse(sign(stranger.text, [SIGNER]))).encode(), 1.0).status == 404
    forger = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    forged = Head.parse(sign(one.checkpoint.text, [forger]))
    assert witness.add(Request(0, (), forged).encode(), 1.0).status == 403
    answer = witness.add(first, 1_795_000_000.0)
    assert answer.status == 200
    both = Head.parse(f"{one.note}{answer.text}")
    assert both.note.by([COSIGNER.verifier]) == {COSIGNER.verifier: 1_795_000_000}
    again = witness.add(first, 2.0)
    assert (again.status, again.text, again.type) == (409, f"{size}\n", "text/x.tlog.size")
    two = await grow(tmp_path / "log1", 1)
    bad = Request(size, (bytes(32),), two).encode()
    assert witness.add(bad, 2.0).status == 422
    assert witness.add(asked(tmp_path / "log1", two, size), 2.0).status == 200
    assert witness.add(Request(two.checkpoint.size + 1, (), two).encode(), 2.0).status == 400
    # Another history of the same size, and an older head: neither is ever signed.
    rolled = witness.add(asked(tmp_path / "log1", one, 0), 3.0)
    assert rolled.status == 409
    fork = Head.parse(sign(Checkpoint(SIGNER.name, two.checkpoint.size, bytes(32)).text, [SIGNER]))
    assert witness.add(Request(two.checkpoint.size, (), fork).encode(), 3.0).status == 409


async def test_it_remembers_before_it_answers_and_does_not_forget(witness, tmp_path, monkeypatch):
    head = await grow(tmp_path / "log1", 0)
    body = asked(tmp_path / "log1", head, 0)
    with monkeypatch.context() as broken:
        broken.setattr(
            "sluicegate.recording.witness.core.sync_files", lambda *_: (_ for _ in ()).throw(OSError(5, "x"))
        )
        with pytest.raises(OSError):
            witness.add(body, 1.0)
    (kept,) = (tmp_path / "witness").glob("*.checkpoint")
    kept.write_bytes(b"damaged")
    with pytest.raises(OSError):
        witness.add(body, 1.0)


async def test_a_gateway_and_a_witness_process(tmp_path):
    folder, beside, port = tmp_path / "log1", tmp_path / "other disk", free_port()
    await grow(folder, 0)
    process = subprocess.Popen(
        [BIN / "sluicegate", "witness", "--state", str(tmp_path / "w"), "--log", SIGNER.verifier.text(), "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        key = re.search(r"witness_key = (\S+)", process.stdout.readline())[1]
        heads = Heads(folder, url=f"http://127.0.0.1:{port}", key=key, beside=beside)
        while not listening(port):  # the process says its key before it listens
            assert process.poll() is None
        await asyncio.to_thread(heads.send)
        await grow(folder, 1)
        await asyncio.to_thread(heads.send)
        fresh = Heads(folder, url=f"http://127.0.0.1:{port}", key=key)  # a gateway that was started anew
        old = Path(shutil.copytree(folder, tmp_path / "old"))
        await grow(folder, 2)
        await asyncio.to_thread(fresh.send)
        report = verify(folder, [*KEYS, Verifier.parse(key)])
        assert report.findings == [] and list(report.witnesses) == ["sluicegate/witness"]
        # Rolled back, the log is refused by the witness, and found out by the head that it holds.
        with pytest.raises(ValueError, match="has seen"):
            await asyncio.to_thread(Heads(old, url=f"http://127.0.0.1:{port}", key=key).send)
        kept = Head.parse((folder / "log/witnessed").read_bytes())
        assert verify(old, KEYS, heads=[kept]).verdict == "truncated"
        assert (beside / "checkpoint").exists()
    finally:
        process.terminate()
        process.wait(60)
