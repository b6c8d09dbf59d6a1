"""Tiled: partitions, blocks and trees, and that no way to a column goes round the columns."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operations.one_service import SENTENCE, Asking

IT = Asking(
    "tiled",
    {"emp": {"columns": {"ssn": "restricted"}}, "hr": {"name": "a/staff", "columns": {"pay": "restricted"}}},
)
PARTITION = "GET /api/v1/table/partition"
ARROW = "application/vnd.apache.arrow.file"


def test_a_partition():
    operation = IT.read(f"{PARTITION}/emp?partition=4&column=id&column=ssn")
    assert (operation.kind, operation.dataset, operation.declared) == ("read", "emp", True)
    assert (operation.columns, operation.column_scope) == (("id", "ssn"), "listed")
    assert operation.chunks == ("partition:4",)


@pytest.mark.parametrize(
    "request_",
    [
        f"{PARTITION}/emp?partition=0",
        "GET /api/v1/table/full/emp?format=csv&filename=x.csv",
        "POST /api/v1/table/full/emp",
        "GET /api/v1/node/full/emp",
        "GET /api/v1/asset/bytes/emp?id=1",
        "GET /api/v1/array/full/emp",
    ],
)
def test_without_columns_all_are_meant(request_):
    operation = IT.read(request_)
    assert (operation.kind, operation.dataset, operation.column_scope) == ("read", "emp", "all")


def test_columns_in_a_body():
    operation = IT.read("POST /api/v1/table/full/emp", ["id", "ssn"])
    assert (operation.columns, operation.column_scope) == (("id", "ssn"), "listed")


@pytest.mark.parametrize(
    "route", ["array/full", "array/block", "node/full", "container/full", "metadata", "table/full"]
)
def test_a_column_as_a_node_below_its_table_is_that_column(route):
    query = "?block=0,0&expected_shape=5" if route == "array/block" else ""
    operation = IT.read(f"GET /api/v1/{route}/emp/ssn{query}")
    assert (operation.dataset, operation.declared, operation.columns) == ("emp", True, ("ssn",))
    assert operation.column_scope == "listed"


def test_a_longer_path_is_read_by_its_longest_declared_beginning():
    assert IT.read("GET /api/v1/table/full/a/staff").dataset == "hr"
    assert IT.read("GET /api/v1/array/full/a/staff/pay").columns == ("pay",)
    unknown = IT.read("GET /api/v1/table/full/b/staff")
    assert (unknown.dataset, unknown.declared) == ("b/staff", False)


@pytest.mark.parametrize("route", ["container/full", "node/full"])
def test_a_container_is_everything_in_it(route):
    operation = IT.read(f"GET /api/v1/{route}/a")
    assert (operation.dataset, operation.declared) == ("a", False)
    assert [(part.dataset, part.column_scope) for part in operation.parts] == [("hr", "all")]
    everything = IT.read(f"GET /api/v1/{route}/")
    assert {part.dataset for part in everything.parts} == {"emp", "hr"}


@pytest.mark.parametrize(
    "request_",
    [
        f"{PARTITION}/emp?partition=1&partition=2",
        f"{PARTITION}/emp?partition=1&column=id&field=ssn",
        f"{PARTITION}/emp?partition=1&columns=id",
        "GET /api/v1/table/full/emp?field=id",  # a name that this route ignores: it would send all columns
        "GET /api/v1/table/full/emp?Column=id&column=ssn",
        "GET /api/v1/table/full/emp?column=ssn%20as%20id",
        "GET /api/v1/table/full/emp?column=id,ssn",
        "GET /api/v1/table/full/emp;x?column=id",
        "GET /api/v1/table/full//emp",
        "GET /api/v1/table/full/a/../emp",
        "GET /api/v1/table/full/emp%2Fssn",
        "GET /api/v2/table/full/emp",
        "GET /zarr/v2/emp/ssn/0",
        "GET /api/v1/nothing/emp",
        "GET /api/v1/metadata/emp?api_key=x",
        "TRACE /api/v1/metadata/emp",
    ],
)
def test_what_can_be_read_in_two_ways_is_not_understood(request_):
    assert IT.read(request_).kind == "unknown"


@pytest.mark.parametrize("body", [{"column": ["id"]}, "id", [1], [["ssn"]], b"{", b""])
def test_bodies_that_are_no_list_of_columns(body):
    operation = IT.read("POST /api/v1/table/full/emp", body, content_type="application/json")
    assert operation.kind == "unknown" if body != b"" else operation.column_scope == "all"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("GET /api/v1/", "poll"),
        ("GET /api/v1", "poll"),
        ("GET /api/v1/search/?page[offset]=0&page[limit]=10&filter[eq][condition][key]=a&filter[eq][condition][key]=b", "read"),
        ("GET /api/v1/search/emp?fields=structure&fields=specs&sort=name", "read"),
        ("PUT /api/v1/table/partition/emp?partition=0", "write"),
        ("PATCH /api/v1/metadata/emp", "write"),
        ("DELETE /api/v1/metadata/emp", "admin"),
        ("POST /api/v1/register/emp", "admin"),
        ("POST /api/v1/auth/provider/pam/token", "login"),
        ("POST /api/v1/auth/session/refresh", "login"),
        ("POST /api/v1/auth/apikey", "admin"),
        ("GET /api/v1/auth/whoami", "poll"),
    ],
)  # fmt: skip
def test_kinds(request_, kind):
    assert IT.read(request_).kind == kind


@pytest.mark.parametrize(
    ("media", "form"),
    [(ARROW, "arrow-file"), ("text/csv; charset=utf-8", "csv"), ("application/x-parquet", "parquet")],
)
def test_where_the_rows_are(media, form):
    delivery = IT.delivered("GET /api/v1/table/full/emp?column=ssn", b"...", media=media)
    assert [rows.format for rows in delivery.rows] == [form] and not delivery.unreadable


@pytest.mark.parametrize(
    ("request_", "media"),
    [
        ("GET /api/v1/table/full/emp", "application/vnd.ms-excel"),
        ("GET /api/v1/table/full/emp", ""),
        ("GET /api/v1/array/full/emp/ssn", "application/octet-stream"),
        ("GET /api/v1/array/full/emp/ssn", "application/json"),  # a list of values, without a name
        ("GET /api/v1/node/full/emp", "text/csv"),
    ],
)
def test_rows_that_cannot_be_found(request_, media):
    assert IT.delivered(request_, b"...", media=media).unreadable


@pytest.mark.parametrize("status", [403, 429, 502, 503])
def test_a_refusal_is_said_as_tiled_says_it_and_is_final(status):
    answer = IT.refused(f"{PARTITION}/emp?partition=0", status)
    assert answer.status == 403 and dict(answer.headers)["content-type"] == "application/json"
    assert json.loads(answer.body) == {"detail": SENTENCE}
    assert dict(answer.headers)["cache-control"] == "no-store" and "proxy-status" in dict(answer.headers)


@given(st.text(), st.text(), st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]), st.binary(max_size=50))
def test_nothing_is_raised(path, query, method, body):
    operation = IT.read(f"{method} /api/v1/table/full/{path}?{query}", body, content_type="application/json")
    assert operation.kind in ("read", "write", "admin", "unknown", "poll")


@pytest.mark.parametrize(
    "request_", ["GET /api/v1/", "GET /api/v1/metadata/emp", "GET /api/v1/search/", "GET /api/v1/auth/whoami"]
)
def test_descriptions_hold_no_rows(request_):
    assert IT.delivered(request_, b"msgpack", media="application/x-msgpack").bare


@pytest.mark.parametrize(
    "request_", ["GET /api/v1/asset/bytes/emp?id=1", "GET /api/v1/table/full/emp", "GET /api/v1/other"]
)
def test_everything_else_may(request_):
    assert not IT.delivered(request_, b"msgpack", media="application/x-msgpack").bare
