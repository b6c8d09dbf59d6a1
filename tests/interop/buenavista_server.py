"""Runs in the environment of buenavista: a server of Trino's protocol on DuckDB, with a table in it."""

import sys
import typing

import duckdb
import uvicorn
from buenavista.backends.duckdb import DuckDBConnection
from buenavista.examples.duckdb_http import rewriter
from buenavista.http import main, schemas
from fastapi import FastAPI


def mend():
    """Under pydantic 2 what may be left out needs a default, or every answer fails."""
    for name in ("QueryResult", "ErrorResult", "QueryError", "BaseResult"):
        model = getattr(schemas, name, None)
        if model is None:
            continue
        for field in model.model_fields.values():
            if field.is_required() and type(None) in typing.get_args(field.annotation):
                field.default = None
        model.model_rebuild(force=True)


if __name__ == "__main__":
    mend()
    database = duckdb.connect()
    database.execute("create table emp (id int, name varchar, ssn varchar, salary int)")
    database.executemany(
        "insert into emp values (?, ?, ?, ?)", [(i, f"person {i}", f"123-45-{i:04}", 1000 + i) for i in range(20)]
    )
    database.execute("create schema lab")
    app = FastAPI()
    main.quacko(app, DuckDBConnection(database), rewriter)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="info")
