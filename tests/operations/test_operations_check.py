"""What is wrong with services, dialects and datasets: all of it, on its line, with what was probably meant."""

from sluicegate.operations import problems
from sluicegate.settings import load

GOOD = """[identity]
issuer = "https://idp.test"
[dialects.chunks]
[[dialects.chunks.routes]]
request = "GET /datasets/{dataset}"
kind = "read"
dataset = "path:dataset"
[services.chunks]
hosts = ["chunks.test:8443"]
dialect = "chunks"
[datasets.customers]
service = "chunks"
columns = { ssn = "restricted" }
"""


def found(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return [(p.line, p.where, p.suggestion) for p in problems(load(path))]


def test_a_good_policy_has_none(tmp_path):
    assert found(tmp_path, GOOD) == []


def test_names_that_nothing_defines(tmp_path):
    text = GOOD.replace('dialect = "chunks"', 'dialect = "chunk"').replace('service = "chunks"', 'service = "chunkz"')
    assert found(tmp_path, text) == [
        (10, "services.chunks.dialect", "did you mean `chunks`?"),
        (12, "datasets.customers.service", "did you mean `chunks`?"),
    ]


def test_bad_routes(tmp_path):
    routes = """[[dialects.chunks.routes]]
request = "GET /a/{b}/c"
kind = "read"
dataset = "path:bb"
chunks = "body:x"
columns = "$..a[?(@.b)]"
[[dialects.chunks.routes]]
request = "GET /a/{b"
kind = "read"
[[dialects.chunks.routes]]
request = "GET /{x}/b/{y}"
kind = "read"
statement = "$"
destination = "query:"
script = "header:X Y"
[[dialects.chunks.routes]]
request = "GET /a/{b}/c"
kind = "read"
"""
    assert found(tmp_path, GOOD.replace("[services.chunks]", routes + "[services.chunks]")) == [
        (11, "dialects.chunks.routes.1.dataset", "did you mean `b`?"),
        (12, "dialects.chunks.routes.1.chunks", ""),
        (13, "dialects.chunks.routes.1.columns", ""),
        (15, "dialects.chunks.routes.2.request", ""),
        (18, "dialects.chunks.routes.3.request", "make one of them more specific in every segment"),
        (20, "dialects.chunks.routes.3.statement", ""),
        (21, "dialects.chunks.routes.3.destination", ""),
        (22, "dialects.chunks.routes.3.script", ""),
        (24, "dialects.chunks.routes.4.request", "leave one of them out"),
    ]


def test_one_owner_a_host_and_one_dataset_a_name(tmp_path):
    more = """[services.second]
hosts = ["free.test", "http://CHUNKS.test.:8443"]
dialect = "chunks"
[services.others]
hosts = ["others.test"]
dialect = "chunks"
[datasets.clients]
service = "chunks"
name = "customers"
columns = { a = "x", A = "x" }
[datasets.people]
service = "second"
name = "customers"
"""
    assert [(line, where) for line, where, _ in found(tmp_path, GOOD + more)] == [
        (15, "services.second.hosts"),
        (17, "services.others"),
        (22, "datasets.clients.name"),
        (23, "datasets.clients.columns"),
    ]


def test_destinations_of_ours_that_would_be_anybodys(tmp_path):
    text = '[gateway]\ninternal_destinations = ["s3://acme-*", "https://acme-*", "bucket"]\n' + GOOD
    assert [(line, where) for line, where, _ in found(tmp_path, text)] == [(2, "gateway.internal_destinations")] * 2


def test_websockets_and_dialects_that_read_responses(tmp_path):
    speaks = GOOD.replace('dialect = "chunks"\n[datasets', 'dialect = "chunks"\nwebsocket = true\n[datasets')
    assert found(tmp_path, speaks) == []
    for text in (
        speaks.replace('dialect = "chunks"', 'dialect = "tiled"'),
        speaks.replace('kind = "read"', 'kind = "read"\nrows = "$.rows"'),
        speaks.replace('kind = "read"', 'kind = "read"\nhands_out = ["$.next"]'),
    ):
        assert "services.chunks.websocket" in [where for _, where, _ in found(tmp_path, text)]


def test_no_request_is_a_message(tmp_path):
    places = [where for _, where, _ in found(tmp_path, GOOD.replace('kind = "read"', 'kind = "message"'))]
    assert places == ["dialects.chunks.routes.0.kind"]
