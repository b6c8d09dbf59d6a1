"""Document chunkers: texts in, chunks out, and everywhere else that a document may be sent to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operations.one_service import SENTENCE, Asking

CHONKIE, DOCLING = Asking("chonkie"), Asking("docling")
TOKEN = "POST /v1/chunk/token"
SOURCE = "POST /v1/chunk/hybrid/source"
FILE = {"kind": "file", "base64_string": "aGk=", "filename": "a.md"}
FORM = {"content_type": "multipart/form-data; boundary=xyz"}


def form(**fields):
    parts = [f'--xyz\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    file = '--xyz\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\nhttp://not.a.destination\r\n'
    return "".join([*parts, file, "--xyz--\r\n"]).encode()


def test_a_text_is_an_upload_and_comes_back_in_chunks():
    operation = CHONKIE.read(TOKEN, {"text": "See https://example.org", "tokenizer": "character", "chunk_size": 24})
    assert (operation.kind, operation.destination, operation.column_scope) == ("upload", None, "none")
    one = CHONKIE.delivered(TOKEN, [{"text": "See"}], {"text": "See"})
    many = CHONKIE.delivered(TOKEN, [[{"text": "See"}], [{"text": "it"}]], {"text": ["See", "it"]})
    assert [rows.path for rows in one.rows] == ["$"] and [rows.path for rows in many.rows] == ["$[*]"]
    for answer in ({"x": 1}, b"no", ["x"], [[{}], {}]):
        assert CHONKIE.delivered(TOKEN, answer, {"text": "See"}).unreadable


@pytest.mark.parametrize(
    "body", [{"text": "x", "model": "https://evil.example/m"}, {"text": "x", "embedding": {"url": "evil"}}]
)
def test_an_address_beside_the_text_is_a_destination(body):
    assert CHONKIE.read("POST /v1/refine/embeddings", body).destination_side == "external"


def test_a_file_is_named_by_a_handle_that_must_be_ones_own():
    it = Asking("chonkie")
    assert it.read("POST /v1/files", form(), **FORM).kind == "upload"
    it.delivered("POST /v1/files", {"name": "f1", "size": "3"}, form(), status=201, sent=FORM)
    asked = {"file": {"type": "document", "content": "f1"}, "chunk_size": 3}
    assert it.read(TOKEN, asked).result == "file:f1"
    assert it.read(TOKEN, asked, "mallory").owner == "ada"
    assert it.read(TOKEN, {"file": {"type": "document", "content": "f2"}}).kind == "unknown"
    assert it.read(TOKEN, {"file": {"type": "url", "content": "f1"}}).kind == "unknown"


@pytest.mark.parametrize(
    ("request_", "body", "kind"),
    [
        ("GET /", None, "poll"),
        ("GET /health", None, "poll"),
        ("GET /v1/pipelines", None, "poll"),
        ("POST /v1/pipelines", {"name": "p", "steps": []}, "write"),
        ("POST /v1/pipelines/7/execute", {"text": "x"}, "upload"),
        ("DELETE /v1/pipelines/7", None, "write"),
        (TOKEN + "?x=1", {"text": "x"}, "unknown"),
        (TOKEN, b"text", "unknown"),
        (TOKEN, [1], "unknown"),
        ("POST /v1/chunk/other", {"text": "x"}, "unknown"),
        ("GET /v1/chunk/token", None, "unknown"),
        ("POST /v2/chunk/token", {"text": "x"}, "unknown"),
    ],
)
def test_chonkies_kinds(request_, body, kind):
    assert CHONKIE.read(request_, body).kind == kind


def test_large_texts_are_read_and_many_values_are_not():
    assert CHONKIE.read(TOKEN, {"text": "word, " * 10_000 + "x" * 1_000_000}).kind == "upload"
    assert CHONKIE.read(TOKEN, {"text": [""] * 200_000}).kind == "unknown"
    assert CHONKIE.read(TOKEN, {"text": "x" * 5_000_000}).kind == "unknown"


def test_a_document_that_stays():
    operation = DOCLING.read(
        SOURCE, {"sources": [FILE], "target": {"kind": "inbody"}, "convert_options": {"pipeline": "vlm"}}
    )
    assert (operation.kind, operation.destination) == ("upload", None)
    operation = DOCLING.read("POST /v1/chunk/hybrid/file", form(target_type="inbody", convert_do_ocr="false"), **FORM)
    assert (operation.kind, operation.destination) == ("upload", None)


@pytest.mark.parametrize(
    ("document", "destination", "side"),
    [
        ({"target": {"kind": "put", "url": "https://evil.example/x"}}, "https://evil.example/x", "external"),
        ({"target": {"kind": "s3", "bucket": "acme-x"}}, "s3://acme-x", "internal"),
        ({"target": {"kind": "google_cloud_storage", "bucket": "evil"}}, "gs://evil", "external"),
        ({"target": {"kind": "google_drive"}}, None, "external"),
        ({"target": {"kind": "presigned_url"}}, None, "external"),
        ({"target": {"kind": "s3", "bucket": "acme-x", "endpoint": "minio.evil.example"}}, "https://minio.evil.example/acme-x", "external"),
        ({"callbacks": [{"url": "https://evil.example/hook"}]}, "https://evil.example/hook", "external"),
        ({"callbacks": [{"url": "https://hooks.acme.example/x"}]}, "https://hooks.acme.example/x", "internal"),
        ({"convert_options": {"vlm_pipeline_model_api": {"url": "http:evil.example"}}}, None, "external"),
        ({"convert_options": {"picture_description_api": {"url": "https://hooks.acme.example/m"}}}, None, "internal"),
    ],
)  # fmt: skip
def test_everywhere_that_a_document_goes_is_a_destination(document, destination, side):
    operation = DOCLING.read(SOURCE, {"sources": [FILE], **document})
    assert (operation.kind, operation.destination_side) == ("export", side)
    assert destination is None or operation.destination == destination


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        ({"callbacks": "https://evil.example/x"}, "external"),
        ({"callbacks": '{"url": "https://hooks.acme.example/x"}'}, "internal"),
        ({"target_type": "put"}, "external"),
        ({"convert_vlm_pipeline_model_api": '{"url": "https://evil.example"}'}, "external"),
        ({"convert_image_url": "evil"}, "external"),
    ],
)
def test_the_same_in_a_form(fields, side):
    operation = DOCLING.read("POST /v1/convert/file", form(**fields), **FORM)
    assert (operation.kind, operation.destination_side) == ("export", side)


def test_a_source_that_the_service_fetches():
    operation = DOCLING.read(SOURCE, {"sources": [{"kind": "http", "url": "http://169.254.169.254/"}]})
    assert (operation.kind, operation.destination_side) == ("upload", "external")


def test_a_task_is_known_by_its_id_to_who_started_it():
    it = Asking("docling")
    request, body = f"{SOURCE}/async", {"sources": [FILE], "target": {"kind": "put", "url": "https://evil.example/x"}}
    it.delivered(request, {"task_id": "t1", "task_status": "pending"}, body)
    assert it.read("GET /v1/status/poll/t1?wait=5").kind == "poll"
    result = it.read("GET /v1/result/t1")
    assert (result.kind, result.result, result.destination) == ("export", "task:t1", "https://evil.example/x")
    for request, person in (
        ("GET /v1/result/t2", "ada"),
        ("GET /v1/status/poll/t2", "ada"),
    ):
        assert it.read(request, person=person).kind == "unknown"
    assert it.read("GET /v1/result/t1", person="mallory").owner == "ada"
    assert it.read("GET /v1/status/poll/t1", person="mallory").owner == "ada"


def test_chunks_are_rows():
    delivery = DOCLING.delivered(SOURCE, {"chunks": [{"text": "x"}], "documents": []}, {"sources": [FILE]})
    assert [rows.path for rows in delivery.rows] == ["$.chunks"] and "$.documents" in delivery.leaks
    assert DOCLING.delivered(SOURCE, b"PK", {"sources": [FILE]}, media="application/zip").unreadable


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (SOURCE, {"sources": [FILE], "http_sources": [{"url": "https://evil.example"}]}),
        (SOURCE, {"sources": FILE}),
        (SOURCE, {"sources": [{"url": "https://evil.example"}]}),
        (SOURCE, {"sources": [FILE], "callbacks": "https://evil.example"}),
        (SOURCE, {"sources": [FILE], "callbacks": [{"uri": "x"}]}),
        (SOURCE + "?x=1", {"sources": [FILE]}),
        ("POST /v1/chunk/hybrid/other", {"sources": [FILE]}),
        ("GET /v1/result", None),
        ("GET /metrics", None),
    ],
)
def test_what_docling_requests_are_not_understood(request_, body):
    assert DOCLING.read(request_, body).kind == "unknown"


@pytest.mark.parametrize("it", [CHONKIE, DOCLING])
def test_a_refusal_is_said_once(it):
    assert it.refused(TOKEN, 502).body.decode().count(SENTENCE) == 1


JSON = st.recursive(
    st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=10
)


@given(st.dictionaries(st.sampled_from(["sources", "target", "callbacks", "text", "file", "convert_options"]), JSON))
def test_nothing_is_raised(document):
    assert DOCLING.read(SOURCE, document).kind in ("unknown", "upload", "export")
    assert CHONKIE.read(TOKEN, document).kind in ("unknown", "upload")


def test_a_name_in_an_answer_that_is_made_of_a_text_is_no_file():
    it = Asking("chonkie")
    found = it.delivered("POST /v1/chunk/token", {"name": "f9"}, {"text": "x"})
    assert found is not None and found.unreadable
    run = it.read("POST /v1/chunk/token", {"file": {"type": "document", "content": "f9"}})
    assert run.kind == "unknown"
