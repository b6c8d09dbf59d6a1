"""What a bundle says to somebody who has only stock tools: sha256sum, openssl, age, and any Python for one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHECK_PROOF = '''"""Checks a .tlog-proof against an entry: python3 check_proof.py PROOF ENTRY. Needs nothing but Python.

Prints the checkpoint's root when the entry is under it (RFC 6962, 2.1.1; RFC 9162, 2.1.3.2). Whether the checkpoint is
signed, openssl says: see README.txt.
"""

import base64
import hashlib
import sys


def node(left, right):
    return hashlib.sha256(b"\\\\x01" + left + right).digest()


def main(proof, entry):
    top, _, note = open(proof, encoding="utf-8").read().partition("\\\\n\\\\n")
    lines = [line for line in top.split("\\\\n")[1:] if not line.startswith("extra ")]
    index, path = int(lines[0].split()[1]), [base64.b64decode(line) for line in lines[1:]]
    _, size, root = note.split("\\\\n")[:3]
    found = hashlib.sha256(b"\\\\x00" + open(entry, "rb").read()).digest()
    at, last = index, int(size) - 1
    if not 0 <= at <= last:
        return False, root
    for sibling in path:
        if last == 0:
            return False, root
        if at % 2 or at == last:
            found = node(sibling, found)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            found = node(found, sibling)
        at, last = at // 2, last // 2
    return last == 0 and found == base64.b64decode(root), root


if __name__ == "__main__":
    good, root = main(sys.argv[1], sys.argv[2])
    print(("under the root " if good else "NOT under the root ") + root)
    sys.exit(0 if good else 1)
'''.replace("\\\\", "\\")

_README = """Recorded exchanges, with proofs.

What is here
  flows/      one exchange a file, as it was recorded; `mitmweb -r FILE` opens each
  entries/    what the ledger says of each exchange: the SHA-256 of the record, and where it stood
  proofs/     C2SP tlog-proof v1: that the entry is under a signed checkpoint of the ledger
  sealed/     unmasked originals, encrypted to the investigators, and their wrapped keys
  keys/       the public keys of the ledger, as C2SP vkey and as PEM. Compare them with what the gateway's operator
              gave you another way: a key in a bundle proves nothing by itself
  manifest.json   which exchange is in which file, the tool's version, and the command that made this

How to check it, in this folder (data/)

1. Nothing was changed since this was made:
     (cd .. && sha256sum -c manifest-sha256.txt && sha256sum -c tagmanifest-sha256.txt)

2. A flow is the one that the ledger speaks of: both lines are the same.
     sha256sum {flow} | cut -d' ' -f1
     grep -o '"sha256":"[0-9a-f]*"' {entry} | cut -d'"' -f4

3. The entry is under the checkpoint in its proof:
     python3 check_proof.py {proof} {entry}

4. The checkpoint is signed by the key of the ledger:
     sed '1,/^$/d' {proof} | sed '/^$/,$d' > /tmp/note.txt
     sed '1,/^$/d' {proof} | sed -n 's/^\u2014 [^ ]* //p' | head -n 1 | base64 -d | tail -c 64 > /tmp/note.sig
     openssl pkeyutl -verify -pubin -inkey {key} -rawin -in /tmp/note.txt -sigfile /tmp/note.sig

5. The key of a sealed original opens for an investigator who has an age identity (mine.txt):
     age -d -i mine.txt sealed/KEY.age > data.key
   `sluicegate-replay unseal` does the rest; docs/evidence.md has the format (HKDF-SHA256, AES-256-GCM).

What is not shown: that these are all the exchanges there were, and, without a witness's signature on the checkpoint,
that its owner has not written history anew.
"""


def readme(exchanges: Sequence[dict[str, Any]]) -> str:
    """The instructions, with the files of the first exchange that is proved."""
    shown = next((one for one in exchanges if any(proof["type"] == "outcome" for proof in one["proofs"])), None)
    if shown is None:
        return _README.format(flow="flows/FILE", entry="entries/FILE", proof="proofs/FILE", key="keys/KEY.pem")
    outcome = next(proof for proof in shown["proofs"] if proof["type"] == "outcome")
    return _README.format(flow=shown["flow"], entry=outcome["entry"], proof=outcome["proof"], key="keys/*.pem")
