"""Whatever a service wraps its rows in, the cells that a person received are known."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import zipfile

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faker import Faker

from sluicegate.detection.exposure import passed, read
from sluicegate.detection.taint import cells, tables
from sluicegate.detection.taint.judge import count, index, judge
from sluicegate.detection.taint.searching import firsts, search
from sluicegate.detection.taint.tables import Body
from sluicegate.exchange import Exposure
from sluicegate.nested_rows import blocks

KEY = b"s" * 32
fake = Faker()
fake.seed_instance(5)
ROWS = [
    {"id": str(number), "name": fake.name(), "email": fake.unique.email(), "ssn": fake.unique.ssn()}
    for number in range(40)
]
NAMES = list(ROWS[0])
HEADER = [{"name": name, "type": "STRING"} for name in NAMES]
BY_PLACE = [list(row.values()) for row in ROWS]
SENT = "\n".join(f"{row['email']} {row['ssn']}" for row in ROWS[20:26]).encode()


def typed(row, kind="S"):
    return {name: {kind: value} for name, value in row.items()}


def delimited(**told):
    target = io.StringIO()
    csv.writer(target, **told).writerows([NAMES, *BY_PLACE])
    return target.getvalue().encode()


def arrow(kind):
    table, sink = pa.Table.from_pylist(ROWS), io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(sink, table.schema) as stream:
            stream.write_table(table)
    return sink.getvalue()


def zipped(data):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", data)
    return target.getvalue()


def elements(row):
    return "".join(f"<{name}>{value}</{name}>" for name, value in row.items())


JSON = {
    "a list of objects": ROWS,
    "elasticsearch": {"took": 3, "hits": {"total": {"value": 40}, "hits": [{"_index": "customers", "_id": row["id"], "_source": row} for row in ROWS]}},
    "graphql": {"data": {"customers": ROWS}},
    "a connection of graphql": {"data": {"customers": {"edges": [{"cursor": "x", "node": row} for row in ROWS]}}},
    "bigquery": {"schema": {"fields": HEADER}, "rows": [{"f": [{"v": value} for value in row]} for row in BY_PLACE]},
    "snowflake's SQL API": {"resultSetMetaData": {"numRows": 40, "rowType": HEADER}, "data": BY_PLACE},
    "snowflake's connectors": {"data": {"rowtype": HEADER, "rowset": BY_PLACE}, "success": True},
    "snowflake's connectors with arrow": {"data": {"rowtype": HEADER, "rowsetBase64": base64.b64encode(arrow("stream")).decode()}},
    "trino": {"id": "20260101_000000_00000_aaaaa", "columns": HEADER, "data": BY_PLACE},
    "databricks": {"manifest": {"schema": {"columns": HEADER}}, "result": {"data_array": BY_PLACE}},
    "clickhouse": {"meta": HEADER, "data": ROWS, "rows": 40},
    "athena": {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": [{"Name": name, "Type": "varchar"} for name in NAMES]},
               "Rows": [{"Data": [{"VarCharValue": value} for value in row]} for row in [NAMES, *BY_PLACE]]}},
    "redshift": {"ColumnMetadata": HEADER, "Records": [[{"stringValue": value} for value in row] for row in BY_PLACE]},
    "dynamodb": {"Items": [{"id": {"S": row["id"]}, "who": {"M": typed({name: row[name] for name in NAMES[1:]})}} for row in ROWS], "Count": 40},
    "objects in rows": {"rows": [{"id": row["id"], "contact": {"mail": [row["email"]], "papers": {"ssn": row["ssn"]}}} for row in ROWS]},
    "lists in rows": {"rows": [{"country": "Germany", "people": ROWS[at : at + 4]} for at in range(0, 40, 4)]},
    "columns": {"data": {name: [row[name] for row in ROWS] for name in NAMES}},
    "arrays that nobody names": {"result": {"values": BY_PLACE}},
    "one at a time": None,
    "JSON in a text": {"body": json.dumps({"rows": ROWS})},
}  # fmt: skip
OTHERS = {
    "lines": (b"\n".join(json.dumps(row).encode() for row in ROWS), "application/x-ndjson"),
    "pages of lines": (b"\n".join(json.dumps({"rows": ROWS[at : at + 10]}).encode() for at in range(0, 40, 10)), "application/x-ndjson"),
    "a sequence": (b"".join(b"\x1e" + json.dumps(row).encode() + b"\n" for row in ROWS), "application/json-seq"),
    "documents behind each other": (b"".join(json.dumps(row).encode() for row in ROWS), "application/json"),
    "events": (b"".join(b"event: row\ndata: " + json.dumps(row).encode() + b"\n\n" for row in ROWS), "text/event-stream"),
    "csv": (delimited(), "text/csv"),
    "csv with semicolons": (delimited(delimiter=";", quoting=csv.QUOTE_ALL), "text/csv; charset=utf-8"),
    "tabs as text": (delimited(delimiter="\t"), "text/plain"),
    "csv in UTF-16": (delimited().decode().encode("utf-16"), "text/csv"),
    "bars": ("\n".join("| " + " | ".join(row) + " |" for row in [NAMES, *BY_PLACE]).encode(), "text/markdown"),
    "words": ("\n".join(f"customer {row['id']}: {row['email']}, {row['ssn']}" for row in ROWS).encode(), "text/plain"),
    "xml": (f"<?xml version='1.0'?><list>{''.join(f'<customer>{elements(row)}</customer>' for row in ROWS)}</list>".encode(), "application/xml"),
    "attributes": ("<list>" + "".join(f"<c id='{row['id']}' mail='{row['email']}' ssn='{row['ssn']}'/>" for row in ROWS) + "</list>", "text/xml"),
    "a page": ("<table>" + "".join(f"<tr><td>{row['id']}</td><td><a href='x'>{row['email']}</a></td><td>{row['ssn']}</td></tr>" for row in ROWS) + "</table>", "text/html"),
    "messagepack": (msgspec.msgpack.encode({"rows": ROWS}), "application/msgpack"),
    "arrow": (arrow("stream"), "application/vnd.apache.arrow.stream"),
    "arrow file": (arrow("file"), "application/octet-stream"),
    "parquet": (arrow("parquet"), "application/octet-stream"),
    "a packed file": (gzip.compress(delimited()), "application/gzip"),
    "an archive": (zipped(delimited()), "application/zip"),
    "parts": (b"--xx\r\nContent-Type: application/json\r\n\r\n" + json.dumps(ROWS).encode() + b"\r\n--xx--\r\n", "multipart/mixed; boundary=xx"),
    "a type that lies": (json.dumps({"rows": ROWS}).encode(), "image/png"),
}  # fmt: skip


def rows_found(packed: bytes, sent: bytes = SENT) -> int:
    known = list(cells.unpack(packed))
    return count(search((sent,), "", firsts(known), KEY).values, index(known)).rows


@pytest.mark.parametrize("shape", JSON)
def test_rows_of_every_shape_are_known(shape):
    if JSON[shape] is None:
        packed = b"".join(
            cells.read(
                Body(json.dumps({"customer": {**row, "orders": [{"no": "1"}]}}).encode(), "", "application/json",
                     declared=frozenset(("ssn",))), (), "customers", KEY,
            )
            for row in ROWS
        )  # fmt: skip
    else:
        packed = cells.read(Body(json.dumps(JSON[shape]).encode(), "", "application/json"), (), "customers", KEY)
    assert rows_found(packed) == 6


@pytest.mark.parametrize("shape", OTHERS)
def test_rows_of_every_format_are_known(shape):
    body, media = OTHERS[shape]
    body = body if isinstance(body, bytes) else body.encode()
    assert rows_found(cells.read(Body(body, "", media), (), "customers", KEY)) == 6


@pytest.mark.parametrize(
    "shape", [one for one in JSON if JSON[one] is not None and "text" not in one and "arrow" not in one]
)
def test_columns_that_left_masked_are_left_out_wherever_they_are(shape):
    named = (tuple(NAMES),) if shape == "arrays that nobody names" else ()  # as its dialect knows them
    hidden = ("email", "mail", "SSN", "name")
    body = Body(json.dumps(JSON[shape]).encode(), "", "application/json", named)
    packed = cells.read(body, hidden, "customers", KEY)
    assert rows_found(packed) == 0 and not any(cell.column & cells.STRONG for cell in cells.unpack(packed))


@pytest.mark.parametrize("cut", [1, 7, 333, 1500, 3000])
@pytest.mark.parametrize("kind", ["objects", "places", "lines", "csv", "xml"])
def test_a_piece_of_something_longer_is_read_too(kind, cut):
    many = [*ROWS, *ROWS[:5]]
    body = {
        "objects": json.dumps({"rows": many}, indent=1).encode(),
        "places": json.dumps({"columns": NAMES, "rows": [list(row.values()) for row in many]}).encode(),
        "lines": b"\n".join(json.dumps(row).encode() for row in many),
        "csv": delimited(lineterminator="\n"),
        "xml": f"<list>{''.join(f'<customer>{elements(row)}</customer>' for row in many)}</list>".encode(),
    }[kind]
    media = {"csv": "text/csv", "xml": "application/xml", "lines": "application/x-ndjson"}.get(kind, "application/json")
    middle = body.index(ROWS[26]["email"].encode()) + 200
    piece = Body(body[cut % (body.index(ROWS[19]["email"].encode())) : middle], "", media, head=body[:200], piece=True)
    assert rows_found(cells.read(piece, (), "customers", KEY)) == 6
    if kind in ("objects", "lines", "places", "csv"):
        assert rows_found(cells.read(piece, ("email", "ssn", "name"), "customers", KEY)) == 0


def test_of_very_many_rows_the_first_are_known_and_others_evenly():
    many = [
        {"id": number, "email": f"person{number}@example.org", "phone": f"+1 202 5{number:06d}"}
        for number in range(60_000)
    ]
    packed = cells.read(Body(json.dumps({"rows": many}).encode(), "", "application/json"), (), "customers", KEY)
    assert len(packed) <= cells.MOST * 26
    for begin, end, least in ((0, 10, 10), (59_000, 60_000, 30)):
        sent = "\n".join(f"{row['email']},{row['phone']}" for row in many[begin:end]).encode()
        assert rows_found(packed, sent) >= least


def test_more_than_is_read_is_read_as_far_as_that():
    row = b'{"email":"%d@example.org","ssn":"%09d","pad":"%s"},'
    body = b"[" + b"".join(row % (number, number, b"x" * 2000) for number in range(9000)) + b"{}]"
    sent = b"\n".join(b"%d@example.org %09d" % (number, number) for number in range(6))
    assert (
        rows_found(cells.read(Body(gzip.compress(body), "gzip", "application/json"), (), "customers", KEY), sent) == 6
    )


def seen(*asked):
    known = [
        cell
        for rows in asked
        for cell in cells.unpack(
            cells.read(Body(json.dumps(rows).encode(), "", "application/json"), (), "customers", KEY)
        )
    ]
    return index(known), firsts(known)


def test_one_row_that_was_received_in_many_ways_is_one_row():
    """Under another first column it has another name: three names of one row are no proof."""
    row, ways = (
        ROWS[0],
        [
            ("id", "email", "ssn"),
            ("email", "ssn"),
            ("ssn", "email"),
            ("name", "email", "ssn"),
            ("email", "name", "ssn"),
        ],
    )
    known, begin = seen(*[[{name: row[name] for name in way}] for way in ways])
    hits = count(search((f"{row['email']} {row['ssn']}".encode(),), "", begin, KEY).values, known)
    assert hits.rows == 1 and not judge(hits, "customers", "evil.test").certain


def test_one_value_is_no_row_whichever_columns_came_with_it():
    known, begin = seen(
        [{"id": row["id"], "email": row["email"]} for row in ROWS[:9]],
        [{"id": row["id"], "country": "x", "email": row["email"]} for row in ROWS[:9]],
    )
    hits = count(search(("\n".join(row["email"] for row in ROWS[:5]).encode(),), "", begin, KEY).values, known)
    assert (hits.rows, hits.strong) == (0, 5)


def test_data_that_was_received_in_many_ways_is_still_known():
    ways = [
        ("id", "email", "ssn"),
        ("email", "ssn"),
        ("ssn", "email"),
        ("name", "email", "ssn"),
        ("id", "ssn", "email"),
        ("name", "ssn", "email"),
    ]
    known, begin = seen(*[[{name: row[name] for name in way} for row in ROWS] for way in ways])
    assert count(search((SENT,), "", begin, KEY).values, known).rows == 6


def test_lists_of_columns_are_no_rows():
    for shape in ("bigquery", "snowflake's SQL API", "trino", "databricks", "clickhouse", "redshift", "athena"):
        (block,) = blocks(JSON[shape])
        assert block.count() == 40 and list(block.columns()) == NAMES, shape


@pytest.mark.parametrize("junk", ["<!--", "<![CDATA[", "<?", "<a ", '<a b="', "<a>x", "x</b>", "&", "<a/>\n"])
def test_marks_without_an_end_take_no_time_squared(junk):
    body = (junk * (4 << 20))[: 4 << 20].encode()
    assert len(cells.read(Body(body, "", "application/xml"), (), "customers", KEY) or b"") <= 26


def test_tables_by_column_at_the_same_place_are_all_there():
    pages = [{"names": ["id", "ssn"], "page": {"email": [row["email"] for row in ROWS[at : at + 10]], "ssn": [row["ssn"] for row in ROWS[at : at + 10]]}}
             for at in range(0, 40, 10)]  # fmt: skip
    packed = cells.read(Body(json.dumps({"pages": pages}).encode(), "", "application/json"), (), "customers", KEY)
    assert rows_found(packed) == 6


def test_rows_whose_place_begins_like_that_of_a_list_of_columns_are_rows():
    document = {"columns": [{"name": "a"}, {"name": "b"}], "columns2": [{"a": "x", "b": "y"}] * 3, "rows": [["1", "2"]]}
    assert {block.where: len(block.rows) for block in blocks(document)} == {"/columns2": 3, "/rows": 1}


def test_what_is_packed_is_opened_as_far_as_anything_is_read(monkeypatch):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"{number}.csv", delimited() * 8)
    monkeypatch.setattr(tables, "LIMIT", 5 * len(delimited() * 8))
    assert len(target.getvalue()) < tables.LIMIT
    assert len(tables.tables(Body(target.getvalue(), "", "application/zip"))) == 5


def test_packed_files_and_tables_in_columns_are_opened_in_a_process_of_their_own_alone():
    """The gateway's own process looks at names and counts of texts: an archive would be a bomb there."""
    for data in (zipped(delimited()), gzip.compress(delimited()), arrow("stream"), arrow("parquet")):
        for media in ("text/csv", "application/json"):
            assert read(data, "", media).columns == {} == passed(data, len(data), media, Exposure()).columns
    inside = json.dumps({"data": {"rowsetBase64": base64.b64encode(arrow("stream")).decode()}, "rows": [[1]]}).encode()
    assert "ssn" not in passed(inside, len(inside) + 1, "application/json", Exposure()).columns
