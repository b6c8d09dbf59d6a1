"""Text from the wire on a terminal: statements and names are written by whoever asks, escape sequences included."""

from __future__ import annotations


def safe(text: object) -> str:
    """The text with everything that is not plainly visible written as an escape, so that one line stays one line.

    Among those are control characters, and the marks that turn the direction of text round.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def safe_lines(text: object) -> list[str]:
    """Each line of the text made safe."""
    return [safe(line) for line in str(text).split("\n")]
