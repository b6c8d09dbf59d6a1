"""Vectors that others publish: Merkle proofs of transparency-dev, and the testkit of age."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from sluicegate.recording.ledger.merkle import HASH_SIZE, ProofError, check_consistency, check_inclusion
from sluicegate.recording.sealing.body import SealError
from sluicegate.recording.sealing.recipients import unwrap

VECTORS = Path(__file__).parent.parent / "vectors"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


PROOFS = lines("merkle/proofs.jsonl")


@pytest.mark.parametrize("vector", PROOFS, ids=[vector["name"] for vector in PROOFS])
def test_proofs_are_taken_and_refused_as_published(vector):
    proof = [base64.b64decode(item) for item in vector["proof"] or ()]

    def check() -> None:
        if "leafIdx" in vector:
            leaf, root = base64.b64decode(vector["leafHash"]), base64.b64decode(vector["root"])
            check_inclusion(vector["leafIdx"], vector["treeSize"], leaf, proof, root)
        else:
            roots = [base64.b64decode(vector[name] or "") for name in ("root1", "root2")]
            if vector["size1"] == 0:
                # For the log itself anything follows from the empty tree; for somebody who has a head of it nothing does.
                raise ProofError("no head says that")
            check_consistency(vector["size1"], vector["size2"], proof, *roots)

    if vector["wantErr"]:
        with pytest.raises(ProofError):
            check()
    elif "root1" in vector and len(base64.b64decode(vector["root1"])) != HASH_SIZE:
        pytest.skip("a root that nobody can have signed")
    else:
        check()


KIT = lines("age/testkit.jsonl")
LENIENT = {"stanza_missing_body", "stanza_missing_final_line"}
"""What the age library takes although the specification does not. What is in such a file is authenticated all the same."""
STRICT = {"armor_whitespace_outside"}
"""What it refuses although it may be taken. We write no such file."""


def of(file: bytes) -> tuple[dict[str, list[str]], bytes]:
    """The header of a vector, and the age file."""
    head, _, body = file.partition(b"\n\n")
    said: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        name, _, value = line.partition(": ")
        said.setdefault(name, []).append(value)
    return said, zlib.decompress(body) if said.get("compressed") == ["zlib"] else body


@pytest.mark.parametrize("vector", KIT, ids=[vector["name"] for vector in KIT])
def test_wrapped_keys_are_opened_and_refused_as_the_testkit_says(vector):
    said, file = of(base64.b64decode(vector["file"]))
    ours = not said.get("passphrase") and not any(
        text.startswith("AGE-SECRET-KEY-PQ-") for text in said.get("identity", ())
    )
    opens = ours and said["expect"] == ["success"] and vector["name"] not in STRICT
    if opens or vector["name"] in LENIENT:
        secret = unwrap(file, said["identity"])
        if opens:
            assert hashlib.sha256(secret).hexdigest() == said["payload"][0]
    else:
        with pytest.raises(SealError):
            unwrap(file, said.get("identity", []))
