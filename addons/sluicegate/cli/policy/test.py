"""sluicegate policy test: the cases beside the policy, each through the real reader and the real rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from xml.etree import ElementTree

import typer
from rich.console import Console
from rich.text import Text

from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.policy.asking import NOON, asked_in, load_to_ask, principal_of
from sluicegate.cli.policy.layout import Row, rows
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault
from sluicegate.policy.cases import BESIDE, Asking, load_cases
from sluicegate.policy.expect import differences, owed
from sluicegate.settings import Loaded

if TYPE_CHECKING:
    from sluicegate.pipeline.rehearsal import Judged, Rehearsal


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, what became of it, and where that is not what was expected."""

    asking: Asking
    judged: Judged
    failures: tuple[str, ...]


def test(
    policy: Policy = DEFAULT_POLICY,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FILE", help="The cases. [default: policy.tests.toml beside policy.toml]"),
    ] = None,
    only: Annotated[str, typer.Option("-k", "--only", metavar="TEXT", help="Only cases with this in the name.")] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a report for CI systems too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run the cases beside the policy.

    Each request is read and judged as the gateway would, without a network.

    Exit code 0 when all are as expected, 1 when one is not, 2 when there is nothing to run or something cannot be read.

    Example: sluicegate policy test --policy policy.toml --junit report.xml
    """
    file = cases or beside(policy)
    loaded = load_to_ask(policy)
    askings = [asking for asking in load_cases(file) if only.casefold() in asking.name.casefold()]
    if not askings:
        raise Fault(f"No case in {file} has {only!r} in its name.")
    outcomes = run(loaded, askings, file.parent)
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    if junit is not None:
        _write(junit, report(outcomes, file))
    if as_json:
        document = {"policy": str(policy), "digest": loaded.digest, "cases": [plain(o, file) for o in outcomes]}
        typer.echo(json.dumps({**document, "failed": failed}, indent=2))
    else:
        _show(outcomes, file, failed)
    raise typer.Exit(1 if failed else 0)


def beside(policy: Path) -> Path:
    """Where the cases of a policy are when nothing else is said."""
    return policy.with_name(policy.name.removesuffix(".toml") + BESIDE)


def run(loaded: Loaded, askings: list[Asking], folder: Path) -> list[Outcome]:
    """Each case by itself: nothing that one leaves behind is known to the next. Raises Fault for a bad request."""
    from sluicegate.pipeline.rehearsal import Rehearsal

    rehearsal = Rehearsal(loaded)
    outcomes = []
    for asking in askings:
        rehearsal.forget()
        judged = judge(rehearsal, asking, folder)
        found = tuple(differences(asking.case.expect, judged.operation, judged.verdict, judged.refusal))
        outcomes.append(Outcome(asking, judged, found))
    return outcomes


def judge(rehearsal: Rehearsal, asking: Asking, folder: Path) -> Judged:
    """What becomes of one case. Raises Fault for a bad request."""
    principal = principal_of(rehearsal.loaded, asking.subject, asking.person)
    settings = rehearsal.loaded.settings
    zones = frozenset(rule.budget.zone for rule in settings.rules if rule.budget is not None)
    at = asking.case.at.timestamp() if asking.case.at is not None else NOON
    try:
        return rehearsal.judge(principal, asked_in(asking, folder), asking.case.given.context(at, zones))
    except ValueError as error:
        raise Fault(f"The case {asking.name!r} in line {asking.line}: {error}.") from None


def plain(outcome: Outcome, file: Path) -> dict[str, Any]:
    """An outcome for JSON."""
    asking, judged = outcome.asking, outcome.judged
    return {
        "name": asking.name,
        "file": str(file),
        "line": asking.line,
        "passed": not outcome.failures,
        "failures": list(outcome.failures),
        "effect": judged.effect,
        "rules": list(judged.verdict.rules) if judged.verdict else [],
        "masks": owed(judged.verdict.obligations) if judged.verdict else {},
        "code": judged.refusal.code if judged.refusal else None,
    }


def report(outcomes: list[Outcome], file: Path) -> str:
    """The outcomes in the form of JUnit, which CI systems read."""
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    suites = ElementTree.Element("testsuites")
    counts = {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0", "skipped": "0"}
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _xml(file), **counts})
    for outcome in outcomes:
        known = {"classname": _xml(file.stem), "name": _xml(outcome.asking.name), "time": "0"}
        case = ElementTree.SubElement(
            suite, "testcase", {**known, "file": _xml(file), "line": str(outcome.asking.line)}
        )
        if outcome.failures:
            failure = ElementTree.SubElement(case, "failure", {"message": _xml(outcome.failures[0])})
            failure.text = _xml("\n".join(outcome.failures))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: object) -> str:
    """Without the characters that XML cannot hold."""
    return "\n".join(safe(line) for line in str(text).split("\n"))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Fault(f"The report cannot be written to {path}: {error.strerror}.") from None


def _show(outcomes: list[Outcome], file: Path, failed: int) -> None:
    console = Console(highlight=False)
    rows(console, [_row(outcome) for outcome in outcomes])
    for outcome in outcomes:
        if outcome.failures:
            console.print()
            console.print(Text(safe(f"{file}:{outcome.asking.line}: {outcome.asking.name}"), "bold"), soft_wrap=True)
            for failure in outcome.failures:
                console.print(Text(f"  {safe(failure)}"), soft_wrap=True)
    count = f"{len(outcomes)} case{'' if len(outcomes) == 1 else 's'}"
    console.print(f"\n{count}, {failed} failed" if failed else f"\n{count}, all as expected")


def _row(outcome: Outcome) -> Row:
    judged = outcome.judged
    mark = Text("FAIL", "bold red") if outcome.failures else Text("ok", "green")
    by = ", ".join(judged.verdict.rules) if judged.verdict else judged.refusal.code if judged.refusal else ""
    return (mark, Text(judged.effect)), outcome.asking.name + (f" [{by}]" if by else "")
