"""Statements about the session: what names mean from now on, transactions, and questions about the database itself."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from sluicegate.exchange import Operation
from sluicegate.operations.sql.clickhouse import check_setting
from sluicegate.operations.sql.kinds import KINDS
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.query import read_query
from sluicegate.operations.sql.reading import Context, Statement, Uses
from sluicegate.operations.sql.tokens import bare

_SCHEMAS = frozenset({"search_path", "schema", "current_schema", "currentschema"})
_CATALOGS = frozenset({"catalog", "database", "current_catalog"})
_READS = """
    names character_set_client character_set_connection character_set_results character set sql_mode client_encoding
    standard_conforming_strings backslash_quote escape_string_warning quoted_identifiers_ignore_case quoted_identifier
    ansi_quotes dialect allow_experimental_prql_dialect case_sensitive_inserter multi_statement_count
    prefer_column_name_to_alias sql_dialect quotedregexcolumnnames identifiers
"""
READS = frozenset(_READS.split())
"""Settings that change how the service reads statements. Nobody changes those through the gateway."""
_BELOW: dict[str, str] = {"snowflake": "public", "databricks": "default", "tsql": "dbo", "duckdb": "main"}
"""The schema that one is in after choosing a catalog."""


def read_session(node: exp.Expr, tokens: list[Token], text: str, context: Context) -> Statement | None:
    """A statement about the session; None for others. Raises Opaque."""
    if isinstance(node, exp.Use):
        return _plain("use", tokens, text, context, _used(node, context))
    if isinstance(node, exp.Set):
        return _plain("set", tokens, text, context, _set(node, context))
    if isinstance(node, exp.Describe):
        if isinstance(node.this, exp.Query):
            found = read_query(node.this, context, "describe")
            return Statement((replace(found[0], outputs=None, rows=None), *found[1:]), bare(tokens, text))
        if not isinstance(node.this, exp.Table) or str(node.args.get("style") or "").upper() == "HISTORY":
            raise Opaque("it is not clear what is described")  # a history quotes what others have asked
        return _plain("describe", tokens, text, context)
    for kind, word in (*_HARMLESS, *_OTHERS):
        if isinstance(node, kind):
            if any(isinstance(part, exp.Query) for part in node.walk()):
                raise Opaque("a query stands where none is expected")
            if (kind, word) in _HARMLESS:
                return _plain(word, tokens, text, context)
            operation = Operation(context.known.service, KINDS[word], column_scope="unknown", statements=(word,))
            return Statement((operation,), bare(tokens, text))
    return None


_HARMLESS: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Transaction, "begin"),
    (exp.Commit, "commit"),
    (exp.Rollback, "rollback"),
    (exp.Show, "show"),
)
_OTHERS: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Attach, "attach"),
    (exp.Detach, "attach"),
    (exp.Install, "load_extension"),
    (exp.Kill, "kill"),
    (exp.Analyze, "analyze"),
    (exp.LoadData, "load_data"),
    (exp.Put, "put"),
    (exp.ListStage, "stage"),
)


def _plain(kind: str, tokens: list[Token], text: str, context: Context, uses: Uses | None = None) -> Statement:
    if uses is not None:
        catalog, schema = uses
        known_catalog, known_schema = context.uses or (None, None)
        context.uses = (catalog or known_catalog, schema or known_schema)
        context.tables = replace(
            context.tables, catalog=catalog or context.tables.catalog, schema=schema or context.tables.schema
        )
    operation = Operation(context.known.service, "read", column_scope="none", statements=(kind,))
    return Statement((operation,), bare(tokens, text))


def _used(node: exp.Use, context: Context) -> Uses | None:
    kind = node.args["kind"].name.upper() if isinstance(node.args.get("kind"), exp.Expr) else ""
    if kind in ("ROLE", "WAREHOUSE", "SECONDARY ROLES"):
        return None
    if not isinstance(node.this, exp.Table):
        raise Opaque("it is not clear what is used")
    names = [part.name for part in node.this.parts]
    if len(names) > 2 or not all(names):
        raise Opaque("it is not clear what is used")
    if len(names) == 2:
        return names[0], names[1]
    name = names[0]
    if kind in ("DATABASE", "CATALOG") and context.name in _BELOW:
        return name, _BELOW[context.name]
    if kind == "SCHEMA" or (
        kind == "" and context.name in ("trino", "presto", "mysql", "clickhouse", "hive", "spark", "databricks")
    ):
        return None, name
    if kind == "DATABASE" and context.name in ("hive", "spark", "mysql", "clickhouse"):
        return None, name
    if kind == "" and context.name in ("snowflake", "tsql"):
        return name, _BELOW[context.name]
    raise Opaque("it is not clear whether a catalog or a schema is used")


def _set(node: exp.Set, context: Context) -> Uses | None:
    uses: Uses | None = None
    for part in node.walk():
        if isinstance(part, exp.Query | exp.Func):
            raise Opaque("a setting is computed")
    named: list[tuple[str, exp.Expr | None]] = []
    for item in node.expressions:
        inner = item.this
        if isinstance(inner, exp.EQ):
            named.append((inner.this.name.lower(), inner.expression))
        else:
            named.append(
                (str(item.args.get("kind") or (inner.name if isinstance(inner, exp.Expr) else inner)).lower(), None)
            )
    for name, value in named:
        if context.name == "clickhouse":
            check_setting(name)
        if name in READS or any(word in READS for word in name.split()):
            raise Opaque("it changes how the service reads statements")
        if name in _SCHEMAS | _CATALOGS:
            if len(named) != 1 or not isinstance(value, exp.Var | exp.Identifier | exp.Literal | exp.Column):
                raise Opaque("it is not clear which schema is used")
            if "," in value.name or not value.name:
                raise Opaque("several schemas are used at once")
            uses = (None, value.name) if name in _SCHEMAS else (value.name, None)
    return uses
