"""Refusals in the words of the client: what botocore's own parsers and a browser's make of them, whatever is in them."""

from __future__ import annotations

import html.parser
import json
import shutil
import socket
import subprocess
import threading

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.pipeline.client_words import answer, sentence

REFUSAL = Refusal(
    403,
    "policy-denied",
    "Denied by the policy",
    "Data leaves <for> a bucket & that is 'not' ours.",
    next_step="Ask a steward.",
)
GIT, BROWSER = {"user-agent": "git/2.39.5"}, {"user-agent": "Mozilla/5.0", "accept": "text/html,*/*;q=0.8"}
NPM, KUBECTL = {"user-agent": "npm/11.19.1 node/v24"}, {"user-agent": "kubectl/v1.31"}


def signed_for(service, **more):
    scope = f"AKIACLIENT/20150830/eu-central-1/{service}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0", **more}


AWS = [
    ("sts", "query", "GetCallerIdentity", signed_for("sts")),
    ("sns", "query", "Publish", signed_for("sns")),
    ("ec2", "ec2", "DescribeInstances", signed_for("ec2")),
    ("s3", "rest-xml", "GetObject", signed_for("s3")),
    ("lambda", "rest-json", "Invoke", signed_for("lambda")),
    ("dynamodb", "json", "ListTables", signed_for("dynamodb", **{"x-amz-target": "DynamoDB_20120810.ListTables"})),
]


@pytest.mark.parametrize(("service", "protocol", "name", "headers"), AWS, ids=[case[0] for case in AWS])
def test_an_sdk_of_aws_shows_our_sentence(service, protocol, name, headers):
    found = answer(headers, REFUSAL, "e-1")
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    parsed = create_parser(protocol).parse(
        {"status_code": found.status, "headers": dict(found.headers), "body": found.body},
        model.operation_model(name).output_shape,
    )
    assert parsed["Error"]["Message"] == sentence(REFUSAL)
    assert parsed["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")


@pytest.mark.parametrize("status", [407, 409, 428, 429, 502, 503, 511])
def test_an_sdk_of_aws_does_not_try_again(status):
    for *_, headers in AWS:
        assert answer(headers, Refusal(status, "x", "X", "Y."), "e").status == 403


def test_git_gets_a_line_and_others_get_their_own_json():
    said = sentence(REFUSAL)
    assert answer(GIT, REFUSAL, "e").body.decode() == said + "\n"
    assert json.loads(answer(NPM, REFUSAL, "e").body) == {"error": said}
    assert json.loads(answer(KUBECTL, REFUSAL, "e").body)["message"] == said
    assert json.loads(answer({"user-agent": "docker/27"}, REFUSAL, "e").body)["errors"][0]["message"] == said
    for other in ({}, {"user-agent": "curl/7.88"}, {"user-agent": "python-requests/2"}, {"accept": "text/html"}):
        assert answer(other, REFUSAL, "e") is None


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, texts, texts)
def test_nothing_breaks_out_of_the_page_or_the_xml(title, detail, next_step):
    refusal = Refusal(403, "policy-denied", title, detail, next_step=next_step)
    found = answer(BROWSER, refusal, "e")
    reader = Reader()
    reader.feed(found.body.decode())
    assert set(reader.tags) <= {"html", "head", "meta", "title", "style", "body", "main", "h1", "p", "small"}
    assert dict(found.headers)["content-security-policy"].startswith("default-src 'none'")
    import xml.etree.ElementTree as tree

    for *_, headers in AWS[:4]:
        said = answer(headers, refusal, "e")
        assert len(list(tree.fromstring(said.body.decode().partition("\n")[2]).iter("Message"))) == 1


@given(
    st.dictionaries(st.sampled_from(["user-agent", "accept", "authorization", "x-amz-target"]), texts),
    st.sampled_from([400, 403, 421, 502, 503, 511]),
)
def test_whatever_a_client_says_of_itself_it_is_refused(headers, status):
    found = answer(headers, Refusal(status, "x", "X", "Y."), "e")
    assert found is None or (found.status >= 400 and found.status not in (401, 407))
    assert found is None or dict(found.headers)["proxy-status"].startswith("sluicegate; error=http_request_denied")


class Once:
    """Answers each HTTP request on loopback with the refusal as the client that asked would get it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.asked = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (piece := connection.recv(65536)):
                    head += piece
                lines = head.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")[1:]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                found = answer(headers, REFUSAL, "e-1")
                self.asked += 1
                fields = "".join(f"{name}: {value}\r\n" for name, value in found.headers)
                first = f"HTTP/1.1 {found.status} {found.reason}\r\n{fields}"
                connection.sendall(
                    f"{first}Content-Length: {len(found.body)}\r\nConnection: close\r\n\r\n".encode() + found.body
                )


@pytest.fixture
def once():
    server = Once()
    yield server
    server.listener.close()


def test_git_shows_it_once(once, tmp_path):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    done = subprocess.run(
        ["git", "-c", "http.proxy=", "ls-remote", f"{once.url}/x.git"], capture_output=True, text=True, timeout=60,
        env={"PATH": __import__("os").environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", "no_proxy": "*"},
    )  # fmt: skip
    assert done.returncode != 0 and done.stderr.count(REFUSAL.detail) == 1 and "Ask a steward." in done.stderr, (
        done.stderr
    )
    assert once.asked == 1


def test_npm_shows_it(once, tmp_path):
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    environment = {
        "PATH": __import__("os").environ["PATH"],
        "HOME": str(tmp_path),
        "no_proxy": "*",
        "npm_config_update_notifier": "false",
    }
    done = subprocess.run(
        ["npm", "view", "left-pad", "--registry", once.url, "--cache", str(tmp_path / "cache")],
        capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode != 0 and REFUSAL.detail in done.stderr, done.stderr
