"""Secrets in statements: none is left, whatever body or row they stand in, and the rest stays readable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.recording.redact import Redactor
from sluicegate.statement_secrets import shown, without_secrets

SECRET = "hunter2-7f3a"
STATEMENTS = [
    f"COPY INTO 's3://b/x' FROM emp CREDENTIALS = (AWS_KEY_ID='AKIA-{SECRET}' AWS_SECRET_KEY='{SECRET}')",
    f"create stage s url='azure://a.blob/c' credentials=(azure_sas_token = '?sv=1&sig={SECRET}')",
    f"COPY emp FROM 's3://b' CREDENTIALS 'aws_access_key_id={SECRET};aws_secret_access_key={SECRET}'",
    f"UNLOAD ('select 1') TO 's3://b' ACCESS_KEY_ID '{SECRET}' SECRET_ACCESS_KEY '{SECRET}' SESSION_TOKEN '{SECRET}'",
    f"CREATE USER x IDENTIFIED BY '{SECRET}'",
    f"alter user x password'{SECRET}'",
    f"CREATE USER x IDENTIFIED WITH plaintext_password BY '{SECRET}'",
    f"ALTER USER x SET PASSWORD = 'it''s {SECRET}'",
    f"alter role x password '{SECRET}'",
    f"CREATE SECRET s (TYPE s3, KEY_ID '{SECRET}', SECRET '{SECRET}')",
    f"insert into function s3('https://b.s3/x.csv', 'AKIA', '{SECRET}', 'CSV') select 1",
    f"select * from mysql('db:3306', 'hr', 'emp', 'root', '{SECRET}')",
    f"select dblink('host=x user=y password={SECRET}', 'select 1')",
    f"COPY INTO 'https://x.blob/c?sp=r&sig={SECRET}' FROM emp",
    f"create table t engine = S3('https://b/x', 'AKIA', '{SECRET}')",
    f"copy into t from 's3://b' encryption = (master_key = '{SECRET}')",
    f"alter user x set password = '{SECRET}",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_secret_is_left_wherever_it_stands(statement):
    assert SECRET not in shown(statement) and "[removed]" in shown(statement)
    redact = Redactor()
    for media, body in (
        ("text/plain", statement.encode()),
        ("application/json", json.dumps({"sqlText": statement, "n": 1}).encode()),
        ("application/json", json.dumps({"sqlText": statement}).replace("'", "\\u0027").encode()),
    ):
        kept = redact.body([(b"Content-Type", media.encode())], body)
        assert SECRET.encode() not in kept
    document = json.loads(redact.body([(b"Content-Type", b"application/json")], json.dumps([statement, "x"]).encode()))
    assert document[1] == "x"
    assert SECRET not in redact.target(f"/?query={statement.replace(' ', '%20')}&database=hr")


@pytest.mark.parametrize(
    "statement",
    [
        "select ssn from emp where name = 'Ada' and token_count > 3",
        "select 'password' as hint, \"key\" from emp",
        "select tokens, 'x' from t",
        "copy into 's3://acme-lake/x' from emp storage_integration = ours",
    ],
)
def test_what_is_no_secret_stays(statement):
    assert shown(statement) == statement


@pytest.mark.parametrize("many", ["s3(", "password = 'a' ", "mysql('a' "])
def test_of_very_many_none_is_kept(many):
    text = (many * 20_000).encode() + f"password = '{SECRET}'".encode()
    assert SECRET.encode() not in without_secrets(text) and SECRET.encode() not in without_secrets(text, json=True)


def test_a_value_without_an_end_is_none_of_the_record():
    assert SECRET not in shown("password = '" + "x" * (1 << 17) + SECRET + "' more")


@given(st.binary(max_size=200))
def test_nothing_is_raised(text):
    without_secrets(b"password = '" + text)


@given(st.text(alphabet="abc'\\ \"", max_size=20))
def test_a_document_stays_one(text):
    body = json.dumps({"a": f"set password = 'x{text}'", "b": 1}).encode()
    assert b"'x" not in without_secrets(body, json=True)
    assert json.loads(without_secrets(body, json=True))["b"] == 1
