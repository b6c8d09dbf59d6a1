"""Others verify our log: Go's sumdb/note and tlog, and openssl. And we verify what others publish."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.recording.ledger import entry, merkle
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import Range, check_consistency, check_inclusion, consistency, inclusion
from sluicegate.recording.ledger.note import Note, NoteError, Verifier
from tests.recording.ledgers import KEYS, SIGNER, closed

GO = Path("/usr/share/gocode")
PROGRAM = Path(__file__).parent / "go/verify.go"

# RFC 6962 roots of the first leaves of the test log that Certificate Transparency implementations share.
LEAVES = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

# The example of the C2SP signed-note specification's text, with the vkey of Go's sumdb/note documentation.
NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
NOTE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def subtree(leaves):
    return lambda level, index: merkle.root_of(leaves[index << level : (index + 1) << level])


def test_the_published_roots():
    tree = Range()
    hashed = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    assert tree.root().hex() == ROOTS[0]
    for size, leaf in enumerate(hashed, 1):
        tree.append(leaf)
        assert tree.root().hex() == ROOTS[size]
        for index in range(size):
            check_inclusion(index, size, hashed[index], inclusion(index, size, subtree(hashed)), tree.root())
        for old in range(size + 1):
            proof = consistency(old, size, subtree(hashed))
            check_consistency(old, size, proof, bytes.fromhex(ROOTS[old]), tree.root())


@given(st.integers(1, 70), st.data())
def test_a_proof_with_any_change_proves_nothing(size, data):
    hashed = [merkle.leaf_hash(b"%d" % number) for number in range(size)]
    root = merkle.root_of(hashed)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(index, size, subtree(hashed))
    check_inclusion(index, size, hashed[index], proof, root)
    other = data.draw(st.integers(0, size + 3).filter(lambda number: number != index))
    with pytest.raises(merkle.ProofError):
        check_inclusion(other, size, hashed[index], proof, root)
    for changed in (proof[:-1], [*proof, bytes(32)]) if proof else ([bytes(32)],):
        with pytest.raises(merkle.ProofError):
            check_inclusion(index, size, hashed[index], changed, root)
    old = data.draw(st.integers(1, size))
    between = consistency(old, size, subtree(hashed))
    check_consistency(old, size, between, merkle.root_of(hashed[:old]), root)
    with pytest.raises(merkle.ProofError):
        check_consistency(old, size, between, bytes(32), root)
    if between:
        with pytest.raises(merkle.ProofError):
            check_consistency(old, size, between[:-1], merkle.root_of(hashed[:old]), root)


def test_a_published_note_is_verified_and_a_changed_one_is_not():
    key = Verifier.parse(NOTE_KEY)
    assert key.text() == NOTE_KEY
    assert list(Note.parse(NOTE).by([key])) == [key]
    assert str(Note.parse(NOTE)) == NOTE
    with pytest.raises(NoteError):
        Note.parse(NOTE.replace("answer", "Answer")).by([key])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcZ_0", max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcdefg", min_size=1, max_size=4), json_values, max_size=4), st.floats(0, 4e9))
def test_entries_are_canonical_by_another_implementation(fields, at):
    data = entry.encode(7, "outcome", at, fields)
    assert rfc8785.dumps(entry.decode(data, 7)) == data


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_openssl_verifies_the_head(tmp_path):
    await closed(tmp_path, 3)
    head = Head.parse((tmp_path / "log/checkpoint").read_bytes())
    (tmp_path / "text").write_text(head.note.text)
    (tmp_path / "signature").write_bytes(head.note.signatures[0].data)
    (pem,) = (tmp_path / "log").glob("*.pem")
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(pem), "-rawin", "-in", str(tmp_path / "text"), "-sigfile", str(tmp_path / "signature")]  # fmt: skip
    assert subprocess.run(command, capture_output=True).returncode == 0
    (tmp_path / "text").write_text(head.note.text.replace("gate", "date"))
    assert subprocess.run(command, capture_output=True).returncode != 0


@pytest.mark.skipif(
    shutil.which("go") is None or not (GO / "src/golang.org/x/mod/sumdb").is_dir(),
    reason="Go's x/mod is not installed (apt install golang-go golang-golang-x-mod-dev)",
)
async def test_the_reference_implementation_in_go_verifies_a_log(tmp_path):
    log = tmp_path / "recordings"
    await closed(log, 300)
    named = {"GOPATH": str(GO), "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(tmp_path / "cache")}
    environment = {**os.environ, **named}
    program = tmp_path / "verify"
    built = subprocess.run(["go", "build", "-o", str(program), str(PROGRAM)], env=environment, capture_output=True, text=True)  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program), KEYS[0].text(), str(log / "log")], capture_output=True, text=True)
    assert done.stdout.startswith(f"verified {SIGNER.name} 603"), done.stdout
    bundle = log / "log/tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(b"aaaa", b"aaab", 1))
    done = subprocess.run([str(program), KEYS[0].text(), str(log / "log")], capture_output=True, text=True)
    assert "root mismatch" in done.stdout
