"""sluicegate policy diff: what would come out otherwise, on cases and on recordings, and which entries differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sluicegate.cli.policy import recordings
from sluicegate.cli.policy.asking import load_to_ask, moment
from sluicegate.cli.policy.test import beside, judge
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault
from sluicegate.policy.cases import load_cases
from sluicegate.policy.compare import ORDER, Change, Difference, changed, masks_changed, structural
from sluicegate.policy.explain import asked as in_words
from sluicegate.settings import Loaded

if TYPE_CHECKING:
    from sluicegate.pipeline.rehearsal import Judged

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Changed:
    """Questions of one kind whose verdict changes in one way."""

    change: Change
    what: str
    old: str
    new: str
    masks: tuple[tuple[str, str, str], ...] = ()


@dataclass(slots=True)
class Found:
    """What asking both policies brought up."""

    asked: int = 0
    changes: Counter[Changed] | None = None
    examples: dict[Changed, str] | None = None
    skipped: list[str] | None = None


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The policy as it was.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The policy as it would be.")],
    cases: Annotated[
        list[Path] | None,
        typer.Option(
            "--cases", metavar="FILE", help="Ask these cases. [default: those beside NEW, or OLD]", show_default=False
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Ask what was recorded there: a folder of recordings."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what was recorded from then on (ISO 8601).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare two policies: entries and verdicts.

    Which rules, masks and tables differ, and which verdicts change. Verdicts are compared on the cases beside the
    policy, and on recordings with --from. Exit code 0 when nothing changes, 1 when something does.

    Example: sluicegate policy diff policy.toml proposed.toml --from .sluicegate/recordings --since 2026-01-01T00:00:00Z
    """
    before, after = load_to_ask(old), load_to_ask(new)
    entries = list(structural(before, after))
    files = list(cases or [])
    if not files:
        files = [file for file in (beside(new), beside(old)) if file.is_file()][:1]
    found = Found(0, Counter(), {}, [])
    for file in files:
        _ask_cases(found, before, after, file)
    if folder is not None:
        _ask_recordings(found, before, after, folder, moment(since, 0.0))
    elif since is not None:
        raise Fault("--since means nothing without recordings.", hint="Add --from FOLDER.")
    if as_json:
        typer.echo(json.dumps(_document(before, after, entries, found), indent=2, default=str))
    else:
        _show(entries, found)
    raise typer.Exit(1 if entries or found.changes else 0)


def _ask_cases(found: Found, old: Loaded, new: Loaded, file: Path) -> None:
    from sluicegate.pipeline.rehearsal import Rehearsal

    before, after = Rehearsal(old), Rehearsal(new)
    for asking in load_cases(file):
        before.forget()
        after.forget()
        one, other = judge(before, asking, file.parent), judge(after, asking, file.parent)
        _compare(found, one, other, f"case: {asking.name}", f"{file}:{asking.line}")


def _ask_recordings(found: Found, old: Loaded, new: Loaded, folder: Path, since: float) -> None:
    from sluicegate.pipeline.rehearsal import Rehearsal

    before, after = Rehearsal(old), Rehearsal(new)
    skipped = found.skipped if found.skipped is not None else []
    for item in recordings.questions(folder, since):
        if isinstance(item, str):
            skipped.append(item)
            continue
        try:
            one = recordings.judge(before, item, old.settings.gateway.max_body_bytes)
            other = recordings.judge(after, item, new.settings.gateway.max_body_bytes)
        except ValueError as error:
            skipped.append(f"{item.recorded.id}: {error}")
            continue
        operation = other.operation or one.operation
        what = (
            in_words(operation) if operation else f"ask {item.recorded.text('host')} for {item.recorded.text('path')}"
        )
        _compare(found, one, other, f"{item.principal.label}: {what}", item.recorded.id)


def _compare(found: Found, old: Judged, new: Judged, what: str, where: str) -> None:
    found.asked += 1
    change = changed(old.verdict, new.verdict)
    if change is None or found.changes is None or found.examples is None:
        return
    masks: tuple[tuple[str, str, str], ...] = ()
    if change == "masks changed" or "deny" not in (old.effect, new.effect):
        masks = tuple((n, a, b) for n, (a, b) in masks_changed(old.verdict, new.verdict).items())
    entry = Changed(change, what, _said(old), _said(new), masks)
    found.changes[entry] += 1
    found.examples.setdefault(entry, where)


def _said(judged: Judged) -> str:
    rules = judged.verdict.rules if judged.verdict is not None else ()
    return f"{judged.effect} ({', '.join(rules)})" if rules else judged.effect


def _document(old: Loaded, new: Loaded, entries: list[Difference], found: Found) -> dict[str, Any]:
    changes = found.changes or Counter()
    return {
        "old": {"policy": str(old.path), "digest": old.digest},
        "new": {"policy": str(new.path), "digest": new.digest},
        "entries": [asdict(entry) for entry in entries],
        "asked": found.asked,
        "changes": [
            {**asdict(entry), "count": count, "example": (found.examples or {}).get(entry)}
            for entry, count in changes.items()
        ],
        "skipped": found.skipped,
    }


def _show(entries: list[Difference], found: Found) -> None:
    console = Console(highlight=False)
    changes, skipped = found.changes or Counter(), found.skipped or []
    for line in _entries(entries):
        console.print(line, soft_wrap=True)
    for change in ORDER:
        group = [(entry, count) for entry, count in changes.items() if entry.change == change]
        if group:
            console.print()
            console.print(Text(f"{change[0].upper()}{change[1:]} ({sum(count for _, count in group)})", "bold"))
            for entry, count in group[:_SHOWN]:
                times = f" ({count} times)" if count > 1 else ""
                where = (found.examples or {}).get(entry, "")
                console.print(Text(safe(f"  {entry.what}{times} [{where}]")), soft_wrap=True)
                if entry.old != entry.new:
                    console.print(Text(safe(f"    {entry.old} -> {entry.new}"), "dim"), soft_wrap=True)
                for name, one, other in entry.masks:
                    console.print(Text(safe(f"    {name}: {one} -> {other}"), "dim"), soft_wrap=True)
            if len(group) > _SHOWN:
                console.print(f"  and {len(group) - _SHOWN} more kinds; --json lists all")
    if entries or changes:
        console.print()
    console.print(_conclusion(entries, found), soft_wrap=True)
    for why in skipped[:_SHOWN]:
        console.print(Text(safe(f"not asked: {why}")), soft_wrap=True)
    if len(skipped) > _SHOWN:
        console.print(f"and {len(skipped) - _SHOWN} more that could not be asked")


def _entries(entries: list[Difference]) -> Iterator[Text]:
    signs = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
    for entry in entries:
        sign, colour = signs[entry.change]
        yield Text.assemble((sign, colour), safe(f" {entry.table} {entry.name}".rstrip()))
        if entry.change == "changed":
            for key, one, other in entry.keys:
                yield Text(safe(f"    {key}: {_toml(one)} -> {_toml(other)}"))


def _toml(value: Any) -> str:
    return "(left out)" if value in (None, "", []) else json.dumps(value, ensure_ascii=False, default=str)


def _conclusion(entries: list[Difference], found: Found) -> str:
    count = sum((found.changes or Counter()).values())
    parts = [
        f"{len(entries)} {'entry differs' if len(entries) == 1 else 'entries differ'}"
        if entries
        else "no entry differs"
    ]
    if found.asked:
        parts.append(f"{count or 'none'} of {found.asked} verdicts change{'s' if count <= 1 else ''}")
    else:
        parts.append("no verdicts were compared (there are no cases beside the policies, and no --from)")
    return "; ".join(parts)
