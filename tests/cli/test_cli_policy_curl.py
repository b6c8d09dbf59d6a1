"""curl's words are read as curl reads them: the same words, sent by the real curl, arrive as the same request."""

import shutil
import socket
import subprocess
import threading

import pytest

from sluicegate.cli.policy.curl import CurlError, parse

CURL = shutil.which("curl")
MADE_BY_CURL = {"host", "user-agent", "content-length", "accept"}
WORDS = [
    ["@/plain"],
    ["@/query?a=1&b=2"],
    ["-d", "a=1", "-d", "b=2", "@/form"],
    ["-d", "a=1", "-X", "PUT", "@/form"],
    ["-XDELETE", "@/x"],
    ["--json", '{"a": [1]}', "@/json"],
    ["--json", '{"a":', "--json", "1}", "@/json"],
    ["--json", "{}", "-H", "Content-Type: text/plain", "@/json"],
    ["-d", "a b", "--json", "{}", "@/mixed"],
    ["-d", "@body.txt", "@/file"],
    ["--data-binary", "@body.txt", "@/file"],
    ["--data-raw", "@body.txt", "@/raw"],
    ["-G", "-d", "a=1", "-d", "b=2", "@/get?c=3"],
    ["-G", "--data-urlencode", "q=a b&c/d~é", "@/get"],
    ["--data-urlencode", "=a=b", "--data-urlencode", "plain text", "--data-urlencode", "n@body.txt", "@/enc"],
    ["-I", "@/head"],
    ["-I", "-G", "-d", "a=1", "@/head"],
    ["-u", "ada:secret", "@/basic"],
    ["-b", "a=1; b=2", "@/cookie"],
    ["-r", "0-99", "@/range"],
    ["-e", "https://from.test/", "@/referer"],
    ["-T", "body.txt", "@/upload"],
    ["-H", "X-One: 1", "-H", "X-Two:2", "-H", "X-Empty;", "-H", "Accept:", "@/headers"],
    ["-sSkL", "-m", "5", "-o", "/dev/null", "--compressed", "@/flags"],
    ["-s", "-dx=1", "@/joined"],
    ["@/a/../b/./c/.."],
    ["--path-as-is", "@/a/../b"],
    ["@"],
    ["@/frag#ment"],
    ["--url", "@/url"],
    ["-g", "@/a[1]{b}"],
    ["-d", "", "@/empty"],
]


@pytest.fixture
def server():
    """Takes one request after the other and keeps its bytes."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(60)
    got: list[bytes] = []

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(60)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                length = int(lengths[0].split(b":")[1]) if lengths else 0
                while len(body) < length:
                    body += connection.recv(65536)
                got.append(head + b"\r\n\r\n" + body)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}", got
    finally:
        # Closing alone does not wake a thread that waits in accept.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def arrived(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    fields = [line.partition(":") for line in lines]
    return method, target, sorted((n.lower(), v.strip()) for n, _, v in fields if n.lower() not in MADE_BY_CURL), body


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("words", WORDS, ids=lambda words: " ".join(words))
def test_as_the_real_curl_sends_it(words, server, tmp_path):
    place, got = server
    (tmp_path / "body.txt").write_text("line one\nline=two & more\n")
    full = [word.replace("@/", f"http://{place}/", 1) if word.startswith("@/") else word for word in words]
    full = [f"http://{place}" if word == "@" else word for word in full]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([CURL, "-q", "-s", *full], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    asked = parse(["curl", *full], tmp_path)
    target = asked.url.removeprefix(f"http://{place}")
    ours = sorted((n.lower(), v) for n, v in asked.headers if n.lower() not in MADE_BY_CURL)
    method, sent, fields, body = arrived(got[0])
    fields = [field for field in fields if field[0] not in ("expect", "accept-encoding")]
    ours = [field for field in ours if field[0] != "accept-encoding"]
    if "-G" in words:
        target, sent = target.lower(), sent.lower()  # curl 7.88 writes escapes in the address in lower case
    assert (asked.method, target if target.startswith("/") else f"/{target}", ours, asked.body) == (
        method,
        sent,
        fields,
        body,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no address"),
        (["-X"], "needs a value"),
        (["--made-up", "https://x/"], "--made-up is not known"),
        (["-y", "https://x/"], "-y is not known"),
        (["-F", "a=@b", "https://x/"], "multipart"),
        (["-K", "f", "https://x/"], "write them out"),
        (["https://x/", "https://y/"], "2 addresses"),
        (["https://x/", "--next", "https://y/"], "one at a time"),
        (["https://x/{a,b}"], "braces"),
        (["https://x/[1-3]"], "brackets"),
        (["-d", "@nowhere", "https://x/"], "cannot be read"),
        (["-d", "@-", "https://x/"], "standard input"),
        (["-b", "jar.txt", "https://x/"], "reads cookies from a file"),
        (["-H", "no colon", "https://x/"], "wants `Name: value`"),
        (["-H", "@file", "https://x/"], "write the headers out"),
        (["-I", "-d", "a", "https://x/"], "cannot go together"),
        (["-T", "curl.txt", "-d", "a", "https://x/"], "cannot"),
        (["--data=a", "https://x/"], "is not known"),
    ],
)
def test_what_is_not_understood_is_said(words, said, tmp_path):
    with pytest.raises(CurlError, match=said):
        parse(words, tmp_path)


def test_users_in_the_address_and_no_scheme():
    asked = parse(["ada:secret@x.test/p"])
    assert asked.url == "http://x.test/p" and ("Authorization", "Basic YWRhOnNlY3JldA==") in asked.headers


@pytest.mark.parametrize(
    "address",
    [
        "httttps://",
        "https://",
        "https:///x",
        "ftp://h.test/x",
        "file:///x",
        "https://:80/",
        "https://h.test:0/",
        "https://h.test:99999/",
    ],
)
def test_what_is_no_address_of_a_request_is_said(address):
    with pytest.raises(CurlError, match="address"):
        parse([address])


@pytest.mark.parametrize("words", [["-T", "a\0b"], ["-d", "@a\0b"], ["--data-urlencode", "x@a\0b"]])
def test_what_is_no_name_of_a_file_is_said(words):
    with pytest.raises(CurlError, match="file"):
        parse([*words, "https://h.test/"])
