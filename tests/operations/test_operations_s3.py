"""S3: every way to address, read, write, copy and share an object, and what is not one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Delivery
from sluicegate.operations.built_in.s3 import S3Dialect
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Known
from tests.operations.asking import DENIED, SENTENCE, Asker

KNOWN = Known(
    "store",
    {"s3://hr/emp/*": "emp", "s3://hr/emp/secret/*": "secret", "s3://logs": "logs", "s3-accesspoint://123456789012/eu-west-1/hr/*": "point"},
    {"emp": frozenset({"ssn"}), "secret": frozenset(), "logs": frozenset(), "point": frozenset()},
    (Ours.parse("s3://hr"), Ours.parse("s3://acme-*")),
    below=("buckets.internal",),
)  # fmt: skip
PATH, HOST = "s3.eu-west-1.amazonaws.com", "hr.s3.eu-west-1.amazonaws.com"
V4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F1&X-Amz-Date=2&X-Amz-Expires=3&X-Amz-SignedHeaders=host&X-Amz-Signature=ab"
V2 = "AWSAccessKeyId=AKIA&Signature=a%2Bb%3D&Expires=1"


@pytest.fixture
def s3():
    return Asker(S3Dialect(), KNOWN)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (PATH, "/hr/emp/p-0.csv"), (HOST, "/emp/p-0.csv"), ("hr.s3.amazonaws.com", "/emp/p-0.csv"), ("hr.s3.dualstack.eu-west-1.amazonaws.com", "/emp/p-0.csv"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "/hr/emp/p-0.csv"), ("hr.s3-accelerate.amazonaws.com", "/emp/p-0.csv"), ("minio.internal", "/hr/emp/p-0.csv"),
        ("hr.buckets.internal", "/emp/p-0.csv"), (PATH, "/hr/emp/p%2D0.csv"), ("hr.s3-website.eu-west-1.amazonaws.com", "/emp/p-0.csv"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("signed", ["", V4, V2, "x-id=GetObject", "versionId=7"])
def test_one_object_in_every_way(s3, host, path, signed):
    asked = s3.ask(f"GET {path}?{signed}", host=host)
    assert (asked.kind, asked.dataset, asked.declared, asked.column_scope) == ("read", "emp", True, "all")
    assert asked.route == "GetObject" and not asked.parts


ROWS = [
    ("GET", "/hr/emp/a.csv", {"range": "bytes=0-9"}, "read", "emp", "all", "GetObject"),
    ("GET", "/hr/emp/a.csv?partNumber=2", {}, "read", "emp", "all", "GetObject"),
    ("HEAD", "/hr/emp/a.csv", {}, "read", "emp", "listed", "HeadObject"),
    ("GET", "/hr/emp/a.csv?acl", {}, "poll", "emp", "listed", "Get acl"),
    ("GET", "/hr?list-type=2&prefix=emp%2F&delimiter=%2F", {}, "read", "emp", "listed", "ListObjects"),
    ("GET", "/hr?list-type=2", {}, "read", "s3://hr", "listed", "ListObjects"),
    ("GET", "/hr?list-type=2&prefix=e", {}, "read", "s3://hr/e", "listed", "ListObjects"),
    ("GET", "/logs?list-type=2", {}, "read", "logs", "listed", "ListObjects"),
    ("GET", "/logs/2026/x.json", {}, "read", "logs", "all", "GetObject"),
    ("GET", "/other/x.json", {}, "read", "s3://other/x.json", "all", "GetObject"),
    ("GET", "/hr?policy", {}, "poll", "s3://hr", "listed", "Get policy"),
    ("GET", "/", {}, "poll", None, "none", "ListBuckets"),
    ("HEAD", "/hr", {}, "poll", "s3://hr", "listed", "HeadBucket"),
    ("PUT", "/hr/emp/a.csv", {}, "upload", "emp", "listed", "PutObject"),
    ("PUT", "/hr/emp/folder/", {}, "upload", "emp", "listed", "PutObject"),
    ("PUT", "/hr/emp/a.csv?acl", {}, "share", "emp", "listed", "Put acl"),
    ("PUT", "/hr/emp/a.csv?tagging", {}, "write", "emp", "listed", "Put tagging"),
    ("PUT", "/hr?policy", {}, "share", "s3://hr", "listed", "PUT policy"),
    ("PUT", "/hr?publicAccessBlock", {}, "share", "s3://hr", "listed", "PUT publicAccessBlock"),
    ("DELETE", "/hr?policy", {}, "share", "s3://hr", "listed", "DELETE policy"),
    ("PUT", "/hr", {}, "admin", "s3://hr", "listed", "PUT bucket"),
    ("PUT", "/hr", {"x-amz-acl": "public-read"}, "share", "s3://hr", "listed", "CreateBucket"),
    ("DELETE", "/hr", {}, "admin", "s3://hr", "listed", "DELETE bucket"),
    ("PUT", "/hr?lifecycle", {}, "admin", "s3://hr", "listed", "PUT lifecycle"),
    ("DELETE", "/hr/emp/a.csv", {}, "write", "emp", "listed", "DeleteObject"),
    ("POST", "/hr/emp/a.csv?restore", {}, "admin", "emp", "listed", "RestoreObject"),
    ("POST", "/hr/emp/a.csv?uploads", {}, "upload", "emp", "listed", "CreateMultipartUpload"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "headers", "kind", "dataset", "scope", "route"), ROWS)
def test_requests(s3, method, target, headers, kind, dataset, scope, route):
    asked = s3.ask(f"{method} {target}", host=PATH, **headers)
    assert (asked.kind, asked.dataset, asked.column_scope, asked.route) == (kind, dataset, scope, route)
    assert asked.declared == (dataset in KNOWN.columns)


@pytest.mark.parametrize(
    ("target", "host", "headers"),
    [
        ("GET /hr/emp/a.csv?torrent", PATH, {}), ("GET /hr/emp/a.csv?acl&evil=1", PATH, {}), ("GET /hr/emp/a.csv?versionId=1&versionId=2", PATH, {}),
        ("POST /hr", PATH, {}), ("PATCH /hr/emp/a.csv", PATH, {}), ("GET /hr?session", PATH, {}), ("PUT /hr/emp/a.csv?partNumber=1&uploadId=nobodys", PATH, {}),
        ("GET /arn:aws:s3:eu-west-1:123456789012:accesspoint/x/k", PATH, {}), ("GET /HR_/..%2Femp", PATH, {}), ("GET /hr/emp/%2e%2e/x", PATH, {}),
        ("PUT /hr/emp/a.csv", PATH, {"x-amz-copy-source": "arn:aws:s3:::evil/k"}), ("PUT /hr/emp/a.csv", PATH, {"x-amz-copy-source": "hr"}),
        ("PUT /hr/emp/a.csv", PATH, {"x-amz-copy-source": "hr/../evil/k"}), ("PUT /hr/emp/b", PATH, {"x-amz-rename-source": "/hr/emp/a"}),
        ("POST /hr/emp/a.csv?select&select-type=2", PATH, {}), ("POST /hr?delete", PATH, {}), ("GET /a/b", "x.y.buckets.internal.", {}), ("POST /", PATH, {"x-amz-target": "DynamoDB_20120810.Scan"}),
    ],
)  # fmt: skip
def test_what_is_not_understood(s3, target, host, headers):
    asked = s3.ask(target, host=host, **headers)
    if target == "GET /a/b":  # the last dot is not removed twice: the host is none of ours
        assert asked.dataset != "emp"
        return
    assert (asked.kind, asked.column_scope) == ("unknown", "unknown") and len(asked.route) > 8


def test_a_body_in_a_read_is_not_understood(s3):
    assert s3.ask("GET /hr/emp/a.csv", b"x", host=PATH).kind == "unknown"


def test_datasets_that_overlap_are_all_meant(s3):
    asked = s3.ask("GET /hr/emp/secret/a.csv", host=PATH)
    assert asked.dataset == "secret" and [part.dataset for part in asked.parts] == ["emp"]


def test_access_points(s3):
    asked = s3.ask("GET /a/b.csv", host="hr-123456789012.s3-accesspoint.eu-west-1.amazonaws.com")
    assert (asked.dataset, asked.declared) == ("point", True)


@pytest.mark.parametrize(
    ("source", "target", "kind", "dataset", "destination", "side"),
    [
        ("hr/emp/a.csv", "/acme-x/b", "export", "emp", "s3://acme-x/b", "internal"),
        ("/hr/emp/a%20b.csv?versionId=1", "/evil/b", "export", "emp", "s3://evil/b", "external"),
        ("other/a", "/hr/emp/b", "export", "s3://other/a", "s3://hr/emp/b", "internal"),
    ],
)  # fmt: skip
def test_a_copy_is_an_export_of_its_source_and_an_upload_to_its_target(
    s3, source, target, kind, dataset, destination, side
):
    asked = s3.ask(f"PUT {target}", host=PATH, **{"x-amz-copy-source": source})
    assert (asked.kind, asked.dataset, asked.column_scope) == (kind, dataset, "all")
    assert (asked.destination, asked.destination_side) == (destination, side)
    assert [part.kind for part in asked.parts] == ["upload"]


def test_what_is_uploaded_for_everybody_is_shared(s3):
    for headers in ({"x-amz-acl": "public-read"}, {"x-amz-acl": "authenticated-read"}, {"x-amz-grant-read": "id=x"}):
        asked = s3.ask("PUT /hr/emp/a.csv", b"x", host=PATH, **headers)
        assert [asked.kind, *(part.kind for part in asked.parts)] == ["upload", "share"]
    assert not s3.ask("PUT /hr/emp/a.csv", b"x", host=PATH, **{"x-amz-acl": "private"}).parts


def test_uploads_go_to_a_destination(s3):
    chunked = {"content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"}
    assert s3.ask("PUT /evil/x", b"5\r\nhello\r\n0\r\n", host=PATH, **chunked).destination_side == "external"
    asked = s3.ask("PUT /k", b"x", host="acme-x.s3.amazonaws.com")
    assert (asked.destination, asked.destination_side) == ("s3://acme-x/k", "internal")


def test_multipart_uploads_belong_to_who_began_them(s3):
    s3.ask("POST /hr/emp/a.csv?uploads", host=PATH)
    s3.answer(b"<InitiateMultipartUploadResult><UploadId>u.1-x</UploadId></InitiateMultipartUploadResult>")
    part = "PUT /hr/emp/a.csv?partNumber=1&uploadId=u.1-x"
    assert s3.ask(part, b"x", host=PATH).kind == "upload"
    assert s3.ask(part, host=PATH, **{"x-amz-copy-source": "hr/emp/b"}).kind == "export"
    assert s3.ask("POST /hr/emp/a.csv?uploadId=u.1-x", b"<CompleteMultipartUpload/>", host=PATH).kind == "upload"
    assert s3.ask("DELETE /hr/emp/a.csv?uploadId=u.1-x", host=PATH).kind == "cancel"
    assert s3.ask("PUT /evil/a.csv?partNumber=1&uploadId=u.1-x", b"x", host=PATH).kind == "unknown"
    assert s3.another("idp eve").ask(part, b"x", host=PATH).owner == "idp ada"


def test_replication_sends_everything_elsewhere(s3):
    body = b"<ReplicationConfiguration><Rule><Destination><Bucket>arn:aws:s3:::evil</Bucket></Destination></Rule></ReplicationConfiguration>"
    asked = s3.ask("PUT /hr?replication", body, host=PATH)
    assert (asked.kind, asked.destination, asked.destination_side) == ("export", "s3://evil", "external")
    asked = s3.ask(
        "PUT /hr?logging",
        b"<BucketLoggingStatus><LoggingEnabled><TargetBucket>acme-logs</TargetBucket></LoggingEnabled></BucketLoggingStatus>",
        host=PATH,
    )
    assert (asked.destination, asked.destination_side) == ("s3://acme-logs", "internal")
    assert s3.ask("PUT /hr?notification", b"<NotificationConfiguration/>", host=PATH).destination_side == "external"
    assert s3.ask("PUT /hr?replication", b"<!DOCTYPE x []><a/>", host=PATH).kind == "unknown"


def select(text):
    return f'<SelectObjectContentRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Expression>{text}</Expression><ExpressionType>SQL</ExpressionType><InputSerialization/></SelectObjectContentRequest>'.encode()


def test_select_reads_columns_of_the_object(s3):
    line = "POST /hr/emp/a.csv?select&select-type=2"
    asked = s3.ask(line, select("SELECT s.ssn FROM s3object s WHERE s.id = '1'"), host=PATH)
    assert (asked.kind, asked.dataset, asked.declared, asked.route) == ("read", "emp", True, "SelectObjectContent")
    assert "ssn" in asked.columns or asked.column_scope == "all"
    assert s3.answer(b"\x00").unreadable
    quoting = s3.answer(b"<Error><Code>CastFailed</Code><Message>'123-45-6789' is no number</Message></Error>", 400)
    assert quoting.unreadable and not quoting.bare
    assert s3.ask(line, select("SELECT * FROM other"), host=PATH).kind == "unknown"
    assert s3.ask(line, select("DROP TABLE s3object"), host=PATH).kind in ("unknown", "admin")
    assert s3.ask(line, b'<!DOCTYPE a [<!ENTITY x "SELECT">]>' + select("&x; 1"), host=PATH).kind == "unknown"


def test_many_deletions_are_judged_by_their_keys(s3):
    body = b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>emp/a.csv</Key></Object><Object><Key>x</Key><VersionId>1</VersionId></Object><Quiet>true</Quiet></Delete>'
    asked = s3.ask("POST /hr?delete", body, host=PATH)
    assert [(o.kind, o.dataset) for o in (asked, *asked.parts)] == [("write", "emp"), ("write", "s3://hr/x")]


@pytest.mark.parametrize(
    ("key", "media", "format_"),
    [
        ("a.csv", "binary/octet-stream", "csv"), ("a.jsonl", "", "json"), ("a.parquet", "", "parquet"), ("a", "text/csv; charset=utf-8", "csv"), ("a.CSV", "", "csv"),
        ("a.gz", "text/plain", None), ("a", "application/octet-stream", None), ("a.xlsx", "", None),
    ],
)  # fmt: skip
def test_where_rows_are(s3, key, media, format_):
    s3.ask(f"GET /hr/emp/{key}", host=PATH)
    found = s3.answer(b"x", **{"content-type": media})
    assert [rows.format for rows in found.rows] == ([format_] if format_ else []) and bool(found.unreadable) != bool(
        format_
    )


def test_errors_have_no_rows(s3):
    s3.ask("GET /hr/emp/a.csv", host=PATH)
    error = b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>'
    assert s3.answer(error, 404) == Delivery(bare=True)
    assert not s3.answer(error, 200).bare and not s3.answer(b"id,ssn\n", 404).bare


@pytest.mark.parametrize(
    ("line", "body", "bare"),
    [
        ("GET /hr?list-type=2&prefix=emp/", b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>hr', True), ("HEAD /hr/emp/a.csv", b"", True),
        ("GET /hr/emp/a.csv?acl", b"<?xml version='1.0'?><AccessControlPolicy>", True), ("GET /hr/emp/a.csv?retention", b"id,ssn\n1,2", False), ("GET /hr/emp/a.csv?acl", b"<html>", False),
        ("GET /hr/emp/a.csv", b"<ListBucketResult>", False), ("POST /hr/emp/a.csv?select&select-type=2", b"<Tagging>", False), ("PUT /hr/emp/a.csv", b"", True),
    ],
)  # fmt: skip
def test_the_services_own_documents_have_no_rows(s3, line, body, bare):
    s3.ask(line, select("SELECT * FROM s3object") if "select" in line else b"", host=PATH)
    found = s3.answer(body)
    assert (found is not None and found.bare) == bare


def test_a_refusal_is_an_error_of_s3(s3):
    s3.ask("GET /hr/emp/a.csv", host=PATH)
    answer = s3.refused()
    assert answer.status == 403 and b"<Code>AccessDenied</Code>" in answer.body
    assert SENTENCE.partition(". ")[2].encode() in answer.body
    DENIED.detail, kept = "a <b> & c", DENIED.detail
    try:
        assert b"a &lt;b&gt; &amp; c" in s3.refused().body
    finally:
        DENIED.detail = kept


NAMES = st.sampled_from(["x-amz-copy-source", "range", "x-amz-acl", "content-encoding", "x-amz-grant-read"])


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]),
    st.text(alphabet="/ahr.emp%2Fe-_*?&=", max_size=30),
    st.lists(st.sampled_from(["acl", "uploads", "uploadId=1", "select", "delete", "policy", "x=1", "partNumber=1", "list-type=2", "prefix=emp/", ""]), max_size=3),
    st.sampled_from([PATH, HOST, "minio.internal", "a.buckets.internal", "hr-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", ""]),
    st.dictionaries(NAMES, st.text(alphabet="hr/emp.:%2e?=", max_size=12), max_size=2),
    st.binary(max_size=60) | st.sampled_from([select("SELECT 1 FROM s3object"), b"<Delete><Object><Key>a</Key></Object></Delete>"]),
)  # fmt: skip
def test_nothing_raises_and_nothing_foreign_is_ours(method, path, parameters, host, headers, body):
    s3 = Asker(S3Dialect(), KNOWN)
    asked = s3.ask(f"{method} /{path}?{'&'.join(parameters)}", body, host=host, **headers)
    for one in (asked, *asked.parts):
        assert one.service == "store" and (one.kind == "unknown") == (one.column_scope == "unknown")
        if one.kind == "export":
            assert one.destination_side in ("internal", "external")
        if one.destination_side == "internal":
            assert one.destination.startswith(("s3://hr", "s3://acme-"))
    s3.answer(body, 200, **{"content-type": "text/csv"})
    assert s3.refused().status == 403


@pytest.mark.parametrize("name", ["x-amz-copy-source", "X-Amz-Acl", "x-amz-grant-read", "x-amz-rename-source"])
def test_headers_in_the_query_are_not_passed_over(s3, name):
    signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=host"
    assert s3.ask(f"PUT /hr/emp/a.csv?{signed}", host=PATH).kind == "upload"
    assert s3.ask(f"PUT /hr/emp/a.csv?{signed}&x-amz-meta-a=b", host=PATH).kind == "upload"
    assert s3.ask(f"PUT /hr/emp/a.csv?{signed}&{name}=%2Fhr%2Femp%2Fb.csv", host=PATH).kind == "unknown"


def test_a_signature_is_no_part_of_what_is_approved_and_what_is_stored_is(s3):
    asked = s3.ask("PUT /k", b'{"ClientToken": "data"}', host="acme-x.s3.amazonaws.com")
    assert "header:x-amz-date" in asked.once and not [one for one in asked.once if one.startswith("$")]


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ("<Days>3</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>", "admin"),
        ("<Type>SELECT</Type><SelectParameters><Expression>select * from s3object</Expression></SelectParameters>"
         "<OutputLocation><S3><BucketName>evil</BucketName><Prefix>x</Prefix></S3></OutputLocation>", "unknown"),
        ("<OutputLocation><S3><BucketName>evil</BucketName></S3></OutputLocation>", "unknown"),
        ("<Days>3</Days><!-- x -->", "unknown"),
    ],
)  # fmt: skip
def test_restoring_may_run_a_statement_and_write_elsewhere(s3, inner, kind):
    for space in ("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'):
        body = f"<RestoreRequest{space}>{inner}</RestoreRequest>".encode()
        assert s3.ask("POST /hr/emp/a.csv?restore", body, host=PATH).kind == kind
    assert s3.ask("POST /hr/emp/a.csv?restore", b"<x/>", host=PATH).kind == "unknown"
