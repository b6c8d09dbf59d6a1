"""The words of exchanges, for searching: what was asked, what was answered, and what was decided about it.

Words are runs of letters and digits, in any case and without accents; a text is found as words that follow each other,
of which the last may be a beginning. What is no text (Parquet, Arrow, images) has no words.
"""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import unquote_plus

from sluicegate.codings import CodingError, decode
from sluicegate.recording.flow_reader import read_at
from sluicegate.recording.recorded import Message, Recorded
from sluicegate.recording.shown import findings
from sluicegate_replay.catalog.build import LARGE, Progress, workers

MAX_TEXT = 1 << 20
"""Characters of a body whose words are kept; `search --anywhere` looks at all of it."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def text_of(item: Recorded, most: int = MAX_TEXT) -> str:
    """Everything of an exchange in which words are looked for, a line each; bodies at the end."""
    target = item.url
    parts = [
        *(item.id, item.text("name"), item.text("subject"), item.text("session"), item.text("service")),
        *(item.text("dataset"), item.text("job"), item.text("refusal"), item.text("detail"), item.text("approval")),
        *item.texts("groups"),
        *item.texts("rules"),
        *item.texts("reasons"),
        *(str(one.get(key)) for one in findings(item) for key in ("indicator", "detail")),
        target,
    ]
    if "%" in target or "+" in target:
        parts.append(unquote_plus(target))
    for message in (item.request, item.response):
        if message is not None:
            parts += [value for _, value in message.headers]
            parts.append(body_text(message, most))
    return "\n".join(parts)


def body_text(message: Message, most: int) -> str:
    """The body as text, at most so many characters; empty where it is none."""
    if not message.body:
        return ""
    try:
        body = decode(message.body, message.header("content-encoding"), max(most * 4, 4 << 20))
        text = body.decode()
    except (CodingError, UnicodeDecodeError):
        return ""
    text = text[:most]
    return _ESCAPED.sub(_character, text) if "\\u" in text else text


def phrase(text: str) -> str | None:
    """What FTS5 is asked for a text; None when there is no word in it."""
    if not any(character.isalnum() for character in text):
        return None
    return '"' + text.replace('"', '""').replace("\0", " ") + '"*'


def index(connection: sqlite3.Connection, folder: Path, progress: Progress) -> None:
    """Keep the words of every segment that they are not yet kept of. Raises sqlite3.Error."""
    lacking = list(
        connection.execute(
            "SELECT id, name, bytes FROM stem s WHERE NOT EXISTS (SELECT 1 FROM indexed i WHERE i.stem = s.id)"
            " ORDER BY name"
        )
    )
    if not lacking:
        return
    progress.start("Reading the words", sum(size for *_, size in lacking))
    try:
        for stem, size, texts in _read(connection, folder, lacking):
            connection.executemany("INSERT INTO said (rowid, text) VALUES (?, ?)", texts)
            connection.execute("INSERT INTO indexed (stem) VALUES (?)", (stem,))
            connection.commit()
            progress.step(size)
    finally:
        progress.stop()


Texts = list[tuple[int, str]]


def texts_at(folder: Path, name: str, places: list[tuple[int, int]]) -> Texts:
    """Number and text of the exchanges at these (number, offset)."""
    found = []
    for number, offset in places:
        item = read_at(folder, name, offset)
        if isinstance(item, Recorded):
            found.append((number, text_of(item).encode("utf-8", "replace").decode()))
    return found


def _read(
    connection: sqlite3.Connection, folder: Path, lacking: list[tuple[int, str, int]]
) -> Iterator[tuple[int, int, Texts]]:
    def places(stem: int) -> list[tuple[int, int]]:
        return list(connection.execute("SELECT n, offset FROM exchange WHERE stem = ? ORDER BY n", (stem,)))

    count = workers(len(lacking))
    if sum(size for *_, size in lacking) < LARGE or count < 2:
        for stem, name, size in lacking:
            yield stem, size, texts_at(folder, f"{name}.flows", places(stem))
        return
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        waiting = []
        try:
            for stem, name, size in lacking:
                waiting.append((stem, size, pool.submit(texts_at, folder, f"{name}.flows", places(stem))))
                if len(waiting) > count:
                    first, done, future = waiting.pop(0)
                    yield first, done, future.result()
            while waiting:
                first, done, future = waiting.pop(0)
                yield first, done, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _character(match: re.Match[str]) -> str:
    value = int(match[1], 16)
    return chr(value) if value >= 32 and not 0xD800 <= value <= 0xDFFF else " "
