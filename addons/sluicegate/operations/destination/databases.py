"""Databases and stages: `jdbc:PRODUCT://HOST[:PORT]/DATABASE`, and `stage://DATABASE.SCHEMA.NAME/PATH`."""

from __future__ import annotations

import re

from sluicegate.operations.destination.place import Place, check_escapes, host_and_port, joined, segments, shown_host

_PORTS = {"postgresql": 5432, "redshift": 5439, "mysql": 3306, "mariadb": 3306, "sqlserver": 1433, "oracle": 1521,
          "snowflake": 443, "clickhouse": 8123, "trino": 443, "databricks": 443, "db2": 50000}  # fmt: skip
_HARMLESS = frozenset(
    (
        *("user", "username", "uid", "password", "pwd", "authmech", "role"),
        *("ssl", "sslmode", "usessl", "encrypt", "trustservercertificate", "transportmode", "httppath"),
        *("schema", "currentschema", "warehouse", "application", "applicationname"),
        *("charset", "characterencoding", "servertimezone", "timezone", "tz", "connecttimeout", "logintimeout"),
    )
)
"""Parameters that do not change where a driver connects to. With any other there is no normal form."""
_DATABASE = frozenset({"databasename", "database", "db"})
_JDBC = re.compile(r"jdbc:([a-z0-9]+):(.*)", re.IGNORECASE)
_NAME = r'(?:[A-Za-z_][\w$]*|"[A-Z_][A-Z0-9_$]*")'
_STAGE = re.compile(rf"@({_NAME}(?:\.{_NAME}){{0,2}})(/.*)?", re.ASCII)
_TABLE_STAGE = re.compile(rf"@((?:{_NAME}\.){{0,2}})%({_NAME})(/.*)?", re.ASCII)


def from_jdbc(text: str) -> Place:
    """A JDBC address without its parameters. Raises ValueError where one of those might lead elsewhere."""
    found = _JDBC.fullmatch(text)
    if not found:
        raise ValueError("the destination is no JDBC address")
    product, rest = found[1].lower(), found[2]
    product = {"postgres": "postgresql", "microsoft": "sqlserver"}.get(product, product)
    if product == "oracle":
        rest = re.sub(r"^thin:@(?://)?", "//", rest, flags=re.IGNORECASE)
        rest = re.sub(r"^(//[^/:]+:\d+):([\w$]+)$", r"\1/\2", rest)  # host:port:sid
    if not rest.startswith("//"):
        raise ValueError("the destination is a JDBC address of a form that is not known")
    address, *parameters = re.split("[?;&]", rest[2:])
    authority, slash, tail = address.partition("/")
    path = [part for part in segments(slash + tail) if part]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        folded = name.strip().lower()
        if folded in _DATABASE and not path and re.fullmatch(r"[\w-]+", value):
            path = [value]
        elif folded and folded not in _HARMLESS:
            raise ValueError("the destination is a JDBC address with a parameter that may lead elsewhere")
    host, port = host_and_port(authority)
    return Place(f"jdbc:{product}", shown_host(host, port, _PORTS.get(product)), joined(path))


def from_stage(text: str) -> Place:
    """Snowflake's `@stage/path`, `@~/path` (the user's own) and `@%table/path`. Raises ValueError.

    Unquoted names are read without regard to case; a quoted name is only read where it is the same as an unquoted one.
    """
    own = re.fullmatch(r"@~(/.*)?", text)
    if own:
        check_escapes(text)
        return Place("user-stage", "own", joined(segments(own[1] or "")))
    table = _TABLE_STAGE.fullmatch(text)
    if table:
        check_escapes(table[3] or "")
        return Place("table-stage", _plain(table[1] + table[2]), joined(segments(table[3] or "")))
    check_escapes(text)
    stage = _STAGE.fullmatch(text)
    if not stage:
        raise ValueError("the destination is no stage whose name can be read for certain")
    return Place("stage", _plain(stage[1]), joined(segments(stage[2] or "")))


def _plain(name: str) -> str:
    return name.replace('"', "").lower()
