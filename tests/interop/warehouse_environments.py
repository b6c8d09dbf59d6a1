"""The environments of warehouse servers and clients. The versions are those that docs/services.md names."""

from tests.interop.environments import Environment

FAKESNOW = Environment("fakesnow", ("fakesnow[server]==0.12.1", "snowflake-connector-python==4.8.1"))
"""The server, which also holds the connector of 4.x: with the one of 5.x in its own environment it does not start."""

SNOWFLAKE_5 = Environment("snowflake-5", ("snowflake-connector-python==5.2.0",))

TRINO = Environment(
    "trino",
    ("trino==0.340.0", "buenavista==0.5.0", "duckdb==1.3.2", "uvicorn==0.54.0", "pyarrow==26.0.1"),
)
"""Server and client. duckdb 2.0 lacks what this buenavista calls."""
