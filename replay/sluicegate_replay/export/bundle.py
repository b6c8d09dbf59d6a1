"""A bundle: a BagIt folder (RFC 8493) with flows, proofs, keys and instructions, for somebody who has nothing of ours.

Everything in it is the bytes as recorded, so that the proofs fit; so people stand in it by their names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluicegate import __version__
from sluicegate.errors import Fault
from sluicegate.recording.flow_reader import element_at
from sluicegate.recording.ledger.merkle import ProofError
from sluicegate.recording.ledger.note import NoteError
from sluicegate.recording.ledger.tiles import TileError
from sluicegate.recording.sealing.body import SealError, header_of
from sluicegate.recording.verify import folder_keys
from sluicegate_replay.escape import moment, plain
from sluicegate_replay.export.instructions import CHECK_PROOF, readme
from sluicegate_replay.export.proofs import Proved, proofs_of
from sluicegate_replay.rows import Line


@dataclass(slots=True)
class Bundle:
    """A bundle that is being filled. `manifest` is what the bundle says of itself."""

    folder: Path
    recordings: Path
    command: list[str]
    now: float
    exchanges: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fill(self, lines: Iterable[Line]) -> None:
        """Put everything in. Raises Fault where the recordings cannot be proved at all, OSError for the disk."""
        for line in lines:
            self._flow(line)
        try:
            head = ""
            for proved in proofs_of(self.recordings, set(self.exchanges)):
                self._proof(proved)
                head = proved.proof.head.note.text
        except (ProofError, NoteError, TileError) as error:
            raise Fault(
                f"The ledger of {plain(self.recordings)} gives no proofs: {plain(error)}.",
                hint="`sluicegate-replay verify` says what is wrong.",
                exit_code=1,
            ) from None
        keys = [key.text() for key in folder_keys(self.recordings)]
        for path in sorted((self.recordings / "log").glob("*.*")):
            if path.suffix in (".vkey", ".pem"):
                self._put(f"keys/{path.name}", path.read_bytes())
        self._put("check_proof.py", CHECK_PROOF.encode())
        self._put("manifest.json", json.dumps(self._manifest(keys, head), indent=2).encode() + b"\n")
        self._put("README.txt", readme(list(self.exchanges.values())).encode())
        self._tags()

    @property
    def without_proof(self) -> list[str]:
        """Exchanges of which no entry is under the signed head."""
        return [one for one, about in self.exchanges.items() if not about["proofs"]]

    def _flow(self, line: Line) -> None:
        try:
            data = element_at(self.recordings, line.file, line.offset)
        except (OSError, ValueError) as error:
            raise Fault(f"{plain(line.id)} cannot be read: {plain(error)}.", exit_code=1) from None
        number = len(self.exchanges) + 1
        name = f"flows/{number:06d}.flows"
        self._put(name, data)
        if line.id in self.exchanges:
            raise Fault(f"{plain(line.id)} stands in the recordings more than once.", exit_code=1)
        self.exchanges[line.id] = {
            "id": line.id,
            "flow": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "recorded_in": {"file": line.file, "offset": line.offset, "length": len(data)},
            "proofs": [],
            "sealed": [],
        }

    def _proof(self, proved: Proved) -> None:
        about = self.exchanges[proved.exchange]
        stem = f"{Path(about['flow']).stem}.{len(about['proofs']) + 1}-{_safe(proved.kind)}"
        self._put(f"proofs/{stem}.tlog-proof", proved.proof.text().encode())
        self._put(f"entries/{stem}.json", proved.entry)
        about["proofs"].append(
            {
                "type": proved.kind,
                "proof": f"proofs/{stem}.tlog-proof",
                "entry": f"entries/{stem}.json",
                "index": proved.proof.index,
            }
        )
        if proved.kind == "sealed" and proved.place is not None:
            self._sealed(about, stem, proved.place)

    def _sealed(self, about: dict[str, Any], stem: str, place: tuple[str, int, int]) -> None:
        name, offset, length = place
        record = _bytes_at(self.recordings, name, offset, length)
        told = {"record": f"sealed/{stem}.sealed", "key": None}
        self._put(f"sealed/{stem}.sealed", record)
        try:
            key = header_of(record)["key"]
            wrapped = (self.recordings / "keys" / f"{key}.age").read_bytes() if key.isalnum() else None
        except (SealError, FileNotFoundError):
            wrapped = None  # shredded: the proof stands, and nobody can open it
        if wrapped is not None:
            told["key"] = f"sealed/{key}.age"
            self._put(f"sealed/{key}.age", wrapped, again=True)
        about["sealed"].append(told)

    def _manifest(self, keys: list[str], head: str) -> dict[str, Any]:
        return {
            "tool": f"sluicegate-replay {__version__}",
            "command": self.command,
            "made": self.now,
            "recordings": str(self.recordings.resolve()),
            "keys": keys,
            "head": head,
            "exchanges": list(self.exchanges.values()),
        }

    def _put(self, name: str, data: bytes, *, again: bool = False) -> None:
        path = self.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if again and path.exists():
            return
        _write(path, data)

    def _tags(self) -> None:
        """The files that make it a bag, with the SHA-256 of everything in it."""
        payload = sorted(path for path in (self.folder / "data").rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in payload)
        tags = {
            "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
            "bag-info.txt": (
                f"Bag-Software-Agent: sluicegate-replay {__version__}\nBagging-Date: {moment(self.now)[:10]}\n"
                f"Payload-Oxum: {size}.{len(payload)}\n"
            ),
            "manifest-sha256.txt": "".join(_sums(self.folder, payload)),
        }
        for name, text in tags.items():
            _write(self.folder / name, text.encode())
        _write(
            self.folder / "tagmanifest-sha256.txt",
            "".join(_sums(self.folder, [self.folder / name for name in sorted(tags)])).encode(),
        )


def _sums(root: Path, paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        with path.open("rb") as file:
            yield f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(root).as_posix()}\n"


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _bytes_at(folder: Path, name: str, offset: int, length: int) -> bytes:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise Fault(f"An entry of the ledger speaks of {plain(name)}, which is not among the recordings.", exit_code=1)
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def _safe(kind: str) -> str:
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in kind)[:40]
