"""What the detectors find, and what they take for something that it is not, on data that was not written here.

`python -m bench.detectors` prints one table. The sentences are presidio-research's (its package on PyPI carries them in
its source archive, which is fetched once into `.bench`); numbers of states are the examples of python-stdnum,
phone numbers those that phonenumbers has for each region. A hit covers the whole value.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import phonenumbers
from rich.console import Console
from rich.table import Table

from sluicegate.exchange import Obligation
from sluicegate.mask_method import Detector
from sluicegate.masking.detectors.national import KINDS, national_ids
from sluicegate.masking.detectors.people import phones
from sluicegate.masking.detectors.spans import Look
from sluicegate.masking.detectors.table import FINDERS
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

CACHE = Path(".bench")
SENTENCES = "presidio-evaluator==0.3.2"
KINDS_OF: dict[str, Detector] = {
    "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "card",
    "US_SSN": "national-id",
    "IBAN_CODE": "iban",
    "PHONE_NUMBER": "phone",
}
EVERYTHING: tuple[Detector, ...] = tuple(sorted(FINDERS))


class Line(NamedTuple):
    """One line of the table."""

    what: str
    values: int
    found: int
    wrong: int | None


def sentences() -> list[Any]:
    """The sentences with what is in them, fetched by pip where they are not here yet."""
    CACHE.mkdir(exist_ok=True)
    archives = list(CACHE.glob("presidio_evaluator-*.tar.gz"))
    if not archives:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(CACHE)]
        subprocess.run([*command, SENTENCES], check=True)
        archives = list(CACHE.glob("presidio_evaluator-*.tar.gz"))
    with tarfile.open(archives[0]) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("data/synth_dataset_v2.json")]
        file = archive.extractfile(name)
        return list(json.load(file)) if file is not None else []


def told(entries: list[Any]) -> Iterator[Line]:
    """Each detector on all sentences; what is found where nothing of its kind is counts as wrong."""
    values: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for entry in entries:
        gold = [(s["start_position"], s["end_position"], KINDS_OF.get(s["entity_type"])) for s in entry["spans"]]
        for name in EVERYTHING:
            spans = list(FINDERS[name](Look(entry["full_text"])))
            for start, end, kind in gold:
                if kind == name:
                    values[name] += 1
                    found[name] += any(a <= start and b >= end for a, b in spans)
            for start, end in spans:
                wrong[name] += not any(kind == name and start < b and end > a for a, b, kind in gold)
    for name in EVERYTHING:
        yield Line(f"{name}, sentences", values[name], found[name], wrong[name])


def numbers_of_states() -> Iterator[Line]:
    """Examples that python-stdnum calls valid: beside a word that says what they are, and alone."""
    examples = [(key, text) for key, kind in KINDS.items() if kind.module for text in _examples(kind.module)]
    for what, name in (("beside a word", "national id number"), ("alone", "")):
        found = sum(_covers(national_ids(Look(text, name, (key[:2],))), text) for key, text in examples)
        yield Line(f"national-id, python-stdnum, {what}", len(examples), found, None)


def _examples(module: str) -> list[str]:
    room = importlib.import_module(f"stdnum.{module}")
    texts = re.findall(r">>> (?:validate|is_valid)\((['\"])(.+?)\1\)", room.__doc__ or "")
    return sorted({text for _, text in texts if room.is_valid(text)})


def numbers_of_phones() -> Iterator[Line]:
    """The example of each region: with its prefix in a sentence, and as people there write it under `phone`."""
    examples = [(region, number) for region in sorted(phonenumbers.SUPPORTED_REGIONS) if (number := _example(region))]
    for what, form in (("with prefix", "INTERNATIONAL"), ("national", "NATIONAL")):
        found = 0
        for region, number in examples:
            text = phonenumbers.format_number(number, getattr(phonenumbers.PhoneNumberFormat, form))
            look = Look(text, "phone", (region,)) if form == "NATIONAL" else Look(text)
            found += _covers(phones(look), text)
        yield Line(f"phone, phonenumbers, {what}", len(examples), found, None)


def _example(region: str) -> Any:
    return phonenumbers.example_number(region)


def _covers(spans: Iterator[tuple[int, int]], text: str) -> int:
    return int(any(end - start >= len(text.strip()) for start, end in spans))


def speed(entries: list[Any]) -> list[tuple[str, float]]:
    """MB/s of the whole pass, on the sentences and on rows without anything to find."""
    plan = Plan((Obligation("m", "redact", detect=frozenset(EVERYTHING)),), Methods(b"k" * 32))
    dense = [entry["full_text"] for entry in entries] * 4
    sparse = [f"Name {n}, nothing in particular, 2026-01-02T03:04:05.678901Z, a few words" for n in range(20_000)]
    found = []
    for what, texts in (("sentences", dense), ("rows with nothing in them", sparse)):
        size = sum(map(len, texts))
        best = min(_seconds(plan, texts) for _ in range(3))
        found.append((what, size / best / 1e6))
    return found


def _seconds(plan: Plan, texts: list[str]) -> float:
    begun = time.process_time()
    if plan.content is not None:
        plan.content.texts(texts, "", {})
    return time.process_time() - begun


def main() -> None:
    """Print the tables."""
    entries = sentences()
    table = Table("what", "values", "found", "wrong", "recall", "precision")
    for line in (*told(entries), *numbers_of_states(), *numbers_of_phones()):
        recall = f"{line.found / line.values:.3f}" if line.values else ""
        precision = f"{line.found / (line.found + line.wrong):.3f}" if line.wrong is not None and line.found else ""
        wrong = "" if line.wrong is None else str(line.wrong)
        table.add_row(line.what, str(line.values), str(line.found), wrong, recall, precision)
    console = Console()
    console.print(table)
    for what, rate in speed(entries):
        console.print(f"all detectors, {what}: {rate:.0f} MB/s")


if __name__ == "__main__":
    main()
