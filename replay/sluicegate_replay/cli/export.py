"""sluicegate-replay export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.clock import SystemClock
from sluicegate.errors import Fault
from sluicegate.recording.flow_reader import element_at
from sluicegate.recording.recorded import Recorded
from sluicegate_replay import case as log
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.progress import Shown
from sluicegate_replay.cli.screen import finish
from sluicegate_replay.export import curl, flows, har, lines, ocsf
from sluicegate_replay.export.pseudonyms import Pseudonyms, key_in
from sluicegate_replay.export.writing import new_folder, outside, write_file
from sluicegate_replay.rows import Line
from sluicegate_replay.source import Source


class Format(StrEnum):
    """What an export can be."""

    har = "har"
    jsonl = "jsonl"
    csv = "csv"
    curl = "curl"
    flows = "flows"
    ocsf = "ocsf"
    bundle = "bundle"


_WRITERS = {"har": har.write, "jsonl": lines.jsonl, "csv": lines.table, "curl": curl.write, "ocsf": ocsf.write}


def export(
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="har, jsonl, csv, curl, flows, ocsf or bundle.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PLACE", help="A new file, or folder for a bundle. [default: stdout]"),
    ] = None,
    folder: given.From = None,
    who: given.Who = "",
    since: given.Since = "",
    until: given.Until = "",
    service: given.Service = "",
    dataset: given.Dataset = "",
    kind: given.Kind = "",
    verdict: given.Verdict = "",
    rule: given.Rule = "",
    finding: given.Finding = "",
    session: given.Session = "",
    expression: Annotated[str, typer.Option("--filter", help="As in mitmproxy: ~m POST & ~u chunks.")] = "",
    identities: Annotated[
        bool, typer.Option("--identities", help="Name people. It stands in the case log; a bundle needs it.")
    ] = False,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option("--pseudonym-key", metavar="FILE", help="So that exports agree. [default: a new key, not kept]"),
    ] = None,
    without_bodies: Annotated[bool, typer.Option("--without-bodies", help="Leave bodies out.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the case log.")] = "",
    case: given.Case = None,
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
) -> None:
    """Export exchanges, the oldest first, with pseudonyms in the place of people unless --identities is given.

    A bundle is a BagIt folder with flows, proofs, keys and instructions for stock tools.

    Example: sluicegate-replay export bundle --identities --session 9905a7cc --output case-17 --reason "case 17"
    """
    chosen = given.selection(
        who=who,
        since=since,
        until=until,
        service=service,
        dataset=dataset,
        kind=kind,
        verdict=verdict,
        rule=rule,
        finding=finding,
        session=session,
        expression=expression,
    )
    where = given.recordings(folder)
    _check_use(form, output, identities=identities, without_bodies=without_bodies)
    if output is not None:
        outside(output, where)
    key = key_in(pseudonym_key) if pseudonym_key else None
    with given.reading(folder, cache, no_cache=no_cache) as source:
        if identities:
            said = {"format": form.value, "output": str(output or "stdout"), "reason": reason, "command": sys.argv[1:]}
            log.note(case or log.default_case(), where, "export", SystemClock().now(), said)
        pseudonyms = None if identities else Pseudonyms(source.catalog.people(), key)
        if form is Format.bundle:
            assert output is not None
            _bundle(source, chosen, output)
        elif form is Format.flows:
            write_file(output, _elements(source, chosen, pseudonyms))
        else:
            items = _items(source, chosen, pseudonyms)
            write_file(output, _WRITERS[form.value](items, not without_bodies))
        finish(source)


def _check_use(form: Format, output: Path | None, *, identities: bool, without_bodies: bool) -> None:
    if form is Format.bundle and output is None:
        raise Fault("A bundle is a folder.", hint="Name it with --output.")
    if form is Format.bundle and not identities:
        raise Fault(
            "A bundle holds the bytes as they were recorded, and those name people.",
            hint="Say --identities, or export another form.",
        )
    if form in (Format.bundle, Format.flows) and without_bodies:
        raise Fault("Flows are with their bodies.", hint="Leave --without-bodies out.")
    if form is Format.flows and output is None and sys.stdout.isatty():
        raise Fault("A flow file is not for a screen.", hint="Name a file with --output.")


def _lines(source: Source, chosen: Selection) -> Iterator[Line]:
    progress = Shown()
    progress.start("Exporting", source.catalog.count(chosen))
    try:
        for line in source.oldest_first(chosen):
            yield line
            progress.step(1)
    finally:
        progress.stop()


def _items(source: Source, chosen: Selection, pseudonyms: Pseudonyms | None) -> Iterator[Recorded]:
    for line in _lines(source, chosen):
        item = source.again(line)
        yield pseudonyms.hide(item) if pseudonyms is not None else item


def _elements(source: Source, chosen: Selection, pseudonyms: Pseudonyms | None) -> Iterator[bytes]:
    for line in _lines(source, chosen):
        item = source.again(line)
        element = element_at(source.folder, line.file, line.offset)
        yield element if pseudonyms is None else flows.hidden(element, item, pseudonyms)


def _bundle(source: Source, chosen: Selection, output: Path) -> None:
    from sluicegate_replay.export.bundle import Bundle

    with new_folder(output) as beside:
        made = Bundle(beside, source.folder, ["sluicegate-replay", *sys.argv[1:]], SystemClock().now())
        made.fill(_lines(source, chosen))
    count = len(made.exchanges)
    print(f"sluicegate-replay: {count} exchanges are in {output}; begin with its data/README.txt", file=sys.stderr)
    if made.without_proof:
        print(f"sluicegate-replay: no signed entry speaks of {len(made.without_proof)} of them yet", file=sys.stderr)
        raise typer.Exit(1)
