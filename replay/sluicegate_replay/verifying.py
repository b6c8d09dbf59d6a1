"""What is proved of a folder of recordings or of one exchange, and how that is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluicegate.errors import Fault
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.note import NoteError, Verifier
from sluicegate.recording.verify import Finding, Removal, Report, folder_keys, verify, verify_one
from sluicegate_replay.catalog.build import Progress
from sluicegate_replay.escape import label, moment, plain

_LARGEST = 1 << 16
_SHOWN = 20
"""Findings on a screen; --json has all."""
MEANING = {
    "tampered": "Something was changed, added, or taken out of the middle.",
    "truncated": "The end of something is gone, or an older state stands in the place of a newer one.",
    "unsigned": "There are records behind the newest signed head: nothing is proved of them yet.",
    "cannot-tell": "What would prove it is not there, or cannot be read.",
}
_STYLES = {"tampered": "bold red", "truncated": "bold red", "unsigned": "bold yellow", "cannot-tell": "bold magenta"}


def keys(files: Sequence[Path]) -> list[Verifier]:
    """The keys in files, one a line. Raises Fault."""
    found = []
    for file in files:
        try:
            lines = [line.strip() for line in _text(file).splitlines()]
            found += [Verifier.parse(line) for line in lines if line and not line.startswith("#")]
        except (NoteError, ValueError) as error:
            raise Fault(f"{plain(file)} is not a file of public keys: {plain(error)}.") from None
    return found


def heads(files: Sequence[Path]) -> list[Head]:
    """The checkpoints in files. Raises Fault."""
    found = []
    for file in files:
        try:
            found.append(Head.parse(_text(file)))
        except (NoteError, ValueError) as error:
            raise Fault(f"{plain(file)} is not a checkpoint: {plain(error)}.") from None
    return found


def check(folder: Path, exchange: str, trusted: Sequence[Verifier], kept: Sequence[Head], progress: Progress) -> Report:
    """Verify a folder, or one exchange of it by its whole id. Raises OSError, Fault."""
    used = list(trusted) or folder_keys(folder)
    if exchange:
        return verify_one(folder, whole_id(folder, exchange), used)
    done = 0
    begun = False

    def told(now: int, total: int) -> None:
        nonlocal done, begun
        if not begun:
            progress.start("Verifying", total)
            begun = True
        progress.step(now - done)
        done = now

    try:
        return verify(folder, used, heads=kept, progress=told)
    finally:
        progress.stop()


def whole_id(folder: Path, beginning: str) -> str:
    """The id in the ledger that begins so; the text itself where it is a whole id or none begins so. Raises Fault."""
    from sluicegate.recording.ledger.store import FOLDER, Store
    from sluicegate.recording.ledger.tiles import WIDTH, TileError

    if len(beginning) >= 36:
        return beginning
    store = Store(folder / FOLDER)
    try:
        head = store.head()
    except (OSError, NoteError, TileError):
        head = None
    found: set[str] = set()
    size = head.checkpoint.size if head else 0
    needle = f'"id":"{beginning}'.encode()
    for number in range(-(-size // WIDTH)):
        try:
            bundle = store.bundle(number, min(WIDTH, size - number * WIDTH))
        except (OSError, TileError):
            continue
        for data in bundle:
            at = data.find(needle)
            if at >= 0:
                found.add(data[at + 6 : data.find(b'"', at + 6)].decode("utf-8", "replace"))
    if len(found) > 1:
        raise Fault(f"Several exchanges begin with {plain(beginning)!r}.", hint="Give more of the id.")
    return found.pop() if found else beginning


def as_json(result: Report, *, own_keys: bool) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "verdict": result.verdict or "proved",
        "origin": result.origin,
        "size": result.size,
        "root": result.root,
        "signed_by": [key.text() for key in result.signed_by],
        "keys": "beside the recordings" if own_keys else "given",
        "witnesses": result.witnesses,
        "until": result.until,
        "entries": result.counts,
        "records": result.records,
        "unsigned": result.unsigned,
        "deleted": result.deleted,
        "rotations": [
            {"at": one.at, "entry": one.entry, "old": one.old.text(), "new": one.new.text()} for one in result.rotations
        ],
        "removals": [asdict(one) for one in result.removals],
        "unknown": result.unknown,
        "findings": [_plain(finding) for finding in result.findings],
        "left_out": result.suppressed,
    }


def report(result: Report, *, own_keys: bool, one: str = "") -> RenderableType:
    """The report as it is shown."""
    return Group(*_parts(result, own_keys, one))


def _parts(result: Report, own_keys: bool, one: str) -> Iterator[RenderableType]:
    verdict = result.verdict
    if verdict is None:
        yield Text("Proved.", "bold green")
    else:
        yield Text.assemble((verdict.replace("-", " ").capitalize() + ".", _STYLES[verdict]), " ", MEANING[verdict])
        first = result.findings[0]
        worst = next(finding for finding in result.findings if finding.kind == verdict)
        yield Text("")
        yield Text.assemble(("First: ", "bold"), _shown(worst))
        rest = [finding for finding in result.findings if finding is not worst][: _SHOWN - 1]
        if first is not worst or rest:
            yield from (Text.assemble("       ", _shown(finding)) for finding in rest)
        more = len(result.findings) - 1 - len(rest) + result.suppressed
        if more:
            yield Text(f"       and {more} more (--json has them)", "dim")
    yield Text("")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(result, own_keys, one):
        table.add_row(name, value)
    yield table


def _facts(result: Report, own_keys: bool, one: str) -> Iterator[tuple[str, Text]]:
    if result.signed_by:
        what = f"exchange {plain(one)}" if one else f"{result.size} entries and {result.records} records"
        yield _fact("what", f"{what} of the log {plain(result.origin)}")
        for key in result.signed_by:
            yield _fact("signed by", f"{plain(key.name)}, key {key.id.hex()}")
        if own_keys:
            yield _fact(
                "",
                "This key lies beside the recordings: it shows that nobody else changed them, and not that its owner "
                "did not. Give a key that you got another way with --key.",
                "yellow",
            )
        for one_key in result.rotations:
            old, new = one_key.old.id.hex(), one_key.new.id.hex()
            yield _fact("key", f"{old} was followed by {new} on {moment(one_key.at)}, as both have signed")
        if result.until is not None:
            yield _fact("up to", moment(result.until))
        yield _fact("root", result.root)
    for name, at in result.witnesses.items():
        yield _fact("witness", f"{plain(name)}, last at {moment(at)}")
    if result.signed_by and not result.witnesses:
        yield _fact(
            "witness", "none: an older state that was signed once, put in the place of this one, would look whole"
        )
    if result.counts:
        yield _fact("entries", ", ".join(f"{plain(kind)} {count}" for kind, count in sorted(result.counts.items())))
    if result.unsigned:
        yield _fact("not signed", f"{result.unsigned} entries behind the signed head")
    if result.deleted:
        yield _fact("taken away", f"what {result.deleted} entries speak of, as the log says")
    for removal in result.removals[-_SHOWN:]:
        yield _fact(removal.kind, _removal(removal))
    if result.unknown:
        yield _fact("unknown", f"{len(result.unknown)} forwarded, outcome unknown: {_some(result.unknown)}", "magenta")


def _removal(one: Removal) -> str:
    what = {"shredded": f"{one.files} keys, ", "deleted": f"{one.files} files, "}.get(one.kind, "")
    by = f"by {' and '.join(plain(name) for name in one.by)}" if one.by else "at the end of their time"
    return f"{what}{by} on {moment(one.at)}{f': {plain(one.reason)}' if one.reason else ''}"


def _fact(name: str, text: str, style: str = "") -> tuple[str, Text]:
    return name, Text(text, style)


def _some(ids: Sequence[str]) -> str:
    return ", ".join(plain(one) for one in ids[:5]) + (" ..." if len(ids) > 5 else "")


def _shown(finding: Finding) -> Text:
    kind, _, rest = str(finding).partition(": ")
    return Text.assemble((kind, _STYLES[finding.kind]), ": ", label(rest))


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "file": finding.file,
        "offset": finding.offset,
        "entry": finding.entry,
        "exchange": finding.exchange,
        "detail": finding.detail,
    }


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST).decode()
    except OSError as error:
        raise Fault(f"{plain(file)} cannot be read: {error.strerror}.") from None
