"""The words of a statement, as they were written."""

from __future__ import annotations

from itertools import pairwise

from sqlglot.tokenizer_core import Token


def bare(tokens: list[Token], text: str) -> str:
    """The words of a statement as they were written, without comments."""
    out = [text[tokens[0].start : tokens[0].end + 1]]
    for last, token in pairwise(tokens):
        if last.end + 1 != token.start:
            out.append(" ")
        out.append(text[token.start : token.end + 1])
    return "".join(out)
