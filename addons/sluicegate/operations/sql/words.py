"""Statements that are not understood any further: their first words at least say their kind."""

from __future__ import annotations

from dataclasses import replace

from sqlglot.tokenizer_core import Token, TokenType

from sluicegate.exchange import Operation
from sluicegate.operations.copied import SOMEWHERE
from sluicegate.operations.destination import UNREADABLE
from sluicegate.operations.sql.kinds import KINDS
from sluicegate.operations.sql.reading import Context, digest, opaque
from sluicegate.operations.sql.tokens import bare

_FIRST = {
    "ADD": "load_extension",
    "ANALYZE": "analyze",
    "ATTACH": "attach",
    "BACKUP": "backup",
    "BEGIN": "script_block",
    "CALL": "call",
    "COPY": "copy_out",
    "DECLARE": "script_block",
    "DELETE": "delete",
    "DETACH": "attach",
    "DO": "script_block",
    "DROP": "drop",
    "ALTER": "alter",
    "EXEC": "call",
    "EXECUTE": "execute",
    "EXPORT": "export",
    "FOR": "script_block",
    "GET": "get",
    "GRANT": "grant",
    "IF": "script_block",
    "IMPORT": "load_data",
    "INSERT": "insert",
    "INSTALL": "load_extension",
    "KILL": "kill",
    "LIST": "stage",
    "LOAD": "load_extension",
    "LOOP": "script_block",
    "LS": "stage",
    "MERGE": "merge",
    "PUT": "put",
    "REMOVE": "stage",
    "REPLACE": "insert",
    "REVOKE": "revoke",
    "RM": "stage",
    "TRUNCATE": "truncate",
    "UNLOAD": "unload",
    "UPDATE": "update",
    "WHILE": "script_block",
}
_CREATED = {
    "EXTENSION": "load_extension",
    "FUNCTION": "create_udf",
    "PROCEDURE": "create_procedure",
    "SHARE": "share",
    "SNAPSHOT": "clone",
    "STAGE": "create_stage",
    "TASK": "create_task",
    "TRIGGER": "create_trigger",
    "USER": "create_user",
    "ROLE": "create_user",
    "VIEW": "create_view",
    "TABLE": "create_table",
}


def by_words(tokens: list[Token], text: str, context: Context, why: str) -> tuple[Operation, ...]:
    """An operation of the kind that the words say, with why nothing more is known.

    Where it could carry rows from any table into another, that is said as well.
    """
    words = [token.text.upper() for token in tokens if token.token_type not in _TEXTS]
    kind = _kind(words)
    operation = _by_kind(kind, tokens, text, context, why)
    if kind not in _CARRYING:
        return (operation,)
    carried = opaque(context.known.service, why, kind)
    return operation, replace(carried, kind="share", into=(SOMEWHERE,))


_CARRYING = frozenset(
    {"alter", "clone", "create_other", "create_table", "create_view", "insert", "merge", "update", "load_data"}
)


def _by_kind(kind: str | None, tokens: list[Token], text: str, context: Context, why: str) -> Operation:
    if kind is None:
        return opaque(context.known.service, why)
    what = KINDS[kind]
    operation = replace(opaque(context.known.service, why, kind), kind="unknown" if what == "read" else what)
    if what == "export":
        texts = [token.text for token in tokens if token.token_type is TokenType.STRING]
        shown = "".join(c if c.isprintable() else "\ufffd" for c in (texts[0] if texts else "not said")[:200])
        return replace(operation, destination=UNREADABLE + shown, destination_side="external")
    if what == "script":
        return replace(operation, script_digest=digest(bare(tokens, text)))
    return operation


_TEXTS = frozenset({TokenType.STRING, TokenType.IDENTIFIER, TokenType.HEREDOC_STRING, TokenType.RAW_STRING})


def _kind(words: list[str]) -> str | None:
    if not words:
        return None
    for at, word in enumerate(words[:-1]):
        if word == "INTO" and words[at + 1] in ("OUTFILE", "DUMPFILE"):
            return "export"
        if word == "DIRECTORY" and words[0] == "INSERT":
            return "insert_directory"
        if word == "CLONE" and words[0] == "CREATE":
            return "clone"
    first = words[0].split()[0] if words[0] else ""
    if first == "CREATE":
        return next((_CREATED[word] for word in words[1:6] if word in _CREATED), "create_other")
    if first == "ALTER" and "SHARE" in words[1:3]:
        return "share"
    if first == "LOAD" and "DATA" in words[1:2]:
        return "load_data"
    if first == "VACUUM" and "INTO" in words:
        return "export"
    return _FIRST.get(first)
