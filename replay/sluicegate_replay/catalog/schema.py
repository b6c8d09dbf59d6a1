"""The tables of the catalog. What repeats (names, rules, hosts) stands once in `word` and is named by its number.

The URLs of a segment stand in `addresses` once more, side by side (JSON): a pattern that fits nothing looks at all of
them, and to read a million rows takes longer than to look.

An intent whose outcome stands in another segment is not `unknown`. It stays in `open`: that segment may be read anew.
"""

from __future__ import annotations

VERSION = 2
"""A catalog of another version is made anew."""

TABLES = """
CREATE TABLE stem (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, state TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE damage (stem INTEGER NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE word (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE);
CREATE TABLE exchange (
    n INTEGER PRIMARY KEY, stem INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, id TEXT NOT NULL,
    started REAL NOT NULL, subject INTEGER, name INTEGER, session INTEGER, service INTEGER, dataset INTEGER,
    kind INTEGER, verdict INTEGER, rules INTEGER, masked INTEGER, indicators INTEGER, approval INTEGER,
    status INTEGER, risk REAL, rows INTEGER, answered INTEGER NOT NULL, broken INTEGER NOT NULL,
    doubtful INTEGER NOT NULL, method INTEGER, host INTEGER, shown_host INTEGER, base INTEGER, target TEXT NOT NULL
);
CREATE TABLE addresses (
    stem INTEGER PRIMARY KEY, first INTEGER NOT NULL, bases BLOB NOT NULL, targets BLOB NOT NULL
);
CREATE TABLE open (id TEXT NOT NULL, stem INTEGER NOT NULL, line TEXT NOT NULL);
CREATE VIEW unknown AS SELECT id, line FROM open o WHERE NOT EXISTS (SELECT 1 FROM exchange e WHERE e.id = o.id);
CREATE TABLE indexed (stem INTEGER PRIMARY KEY);
"""
SAID = "CREATE VIRTUAL TABLE said USING fts5(text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');"
"""The words of texts, without the texts. So those of one exchange cannot be taken out: all go, and are read anew."""
INDEXES = """
CREATE INDEX IF NOT EXISTS exchange_started ON exchange (started);
CREATE INDEX IF NOT EXISTS exchange_id ON exchange (id);
CREATE INDEX IF NOT EXISTS exchange_session ON exchange (session, started);
CREATE INDEX IF NOT EXISTS exchange_stem ON exchange (stem);
"""
WORDS = (
    *("subject", "name", "session", "service", "dataset", "kind", "verdict", "rules", "masked", "indicators"),
    *("approval", "method", "host", "shown_host", "base"),
)
"""Columns that hold the number of a word."""
PLAIN = ("offset", "length", "id", "started", "status", "risk", "rows", "answered", "broken", "doubtful", "target")
