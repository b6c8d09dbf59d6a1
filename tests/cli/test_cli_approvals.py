"""sluicegate approvals against a real console over a real socket, with real tokens."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sluicegate.approvals.hold import hold_of
from sluicegate.approvals.store import Store
from sluicegate.cli import approvals, console_client
from sluicegate.cli.approvals_watch import watch
from sluicegate.cli.safe_text import safe, safe_lines
from sluicegate.clock import SystemClock
from sluicegate.console.server import serve
from sluicegate.errors import Fault
from sluicegate.exchange import Exchange, Operation, Principal, Verdict
from sluicegate.settings import Loaded, Settings, State
from tests.databases import with_tables
from tests.provider import Provider

HOSTILE = "s3://b/\x1b[2J\x1b]0;owned\x07[bold red]x[/]\u202e\r\nstate\tapproved"


@dataclass
class Running:
    """A console in a thread, and a way to hold requests in its database as the gateway does."""

    url: str
    provider: Provider
    do: Callable[[Any], Any]
    store: Store

    def hold(self, by: str = "ada", destination: str = "s3://b/k", statement: str | None = None) -> Any:
        exchange = Exchange(
            id="exchange-1",
            started=0.0,
            method="POST",
            scheme="https",
            host="chunks",
            port=443,
            target="/exports",
            principal=Principal(by, self.provider.issuer, name=by.title()),
            operation=Operation("chunks", "export", dataset="customers", destination=destination, statement=statement),
            verdict=Verdict("hold", ("external-export",), ("Data is leaving.",), approvers=("group:data-stewards",)),
        )
        return self.do(self.store.ask(hold_of(exchange, (), destination.encode())))

    def run(self, person: str, *arguments: str, env: dict[str, str | None] | None = None) -> Result:
        variables = {"SLUICEGATE_TOKEN": self.provider.token(person), "SLUICEGATE_CONSOLE": self.url, "COLUMNS": "200"}
        return CliRunner().invoke(approvals.app, arguments, env=variables | (env or {}))


@pytest.fixture
def running(provider: Provider, tmp_path: Path) -> Iterator[Running]:
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    urls: list[str] = []

    def announce(url: str) -> None:
        urls.append(url)
        ready.set()

    settings = Settings.model_validate({"identity": {"issuer": provider.issuer}, "console": {"listen": "127.0.0.1:0"}})
    loaded = Loaded(settings, "0" * 64, tmp_path / "policy.toml", {})
    database = with_tables(tmp_path / "sluicegate.sqlite3")
    clock, state = SystemClock(), State(tmp_path).open()  # The provider dates its tokens by the clock.
    thread = threading.Thread(
        target=loop.run_until_complete,
        args=(serve(loaded, database, clock, state=state, announce=announce, stop=stop),),
    )
    thread.start()
    assert ready.wait(60)
    store = Store(database, settings.approvals, clock)
    yield Running(urls[0], provider, lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(60), store)
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    loop.close()


def test_the_way_of_an_approval(running: Running) -> None:
    asked = running.hold()
    listed = running.run("linus", "list")
    assert listed.exit_code == 0
    assert listed.stdout.split("\t")[:6] == [
        asked.code,
        "pending",
        "Ada",
        "export customers",
        "s3://b/k",
        "Data is leaving.",
    ]
    shown = running.run("linus", "show", asked.code)
    assert "requester\tAda (ada)\n" in shown.stdout
    approved = running.run("linus", "approve", asked.code, "--reason", "agreed")
    assert (approved.exit_code, approved.stderr) == (0, "")
    assert approved.stdout.startswith(f"{asked.code} is approved. Ada can send the request until 2")
    assert json.loads(running.run("ada", "show", asked.id, "--json").stdout)["decision_reason"] == "agreed"


def test_deny(running: Running) -> None:
    asked = running.hold()
    assert running.run("linus", "deny", asked.code).exit_code == 2
    assert running.run("linus", "deny", asked.code, "--reason", " ").exit_code == 1
    denied = running.run("linus", "deny", asked.code, "--reason", "not there", "--json")
    assert (denied.exit_code, json.loads(denied.stdout)["state"]) == (0, "denied")


def test_what_the_console_refuses_is_1(running: Running) -> None:
    asked = running.hold(by="linus")
    own = running.run("linus", "approve", asked.code)
    assert (own.exit_code, own.stdout) == (1, "")
    assert "somebody else has to decide" in own.stderr
    as_json = running.run("mallory", "show", asked.code, "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["type"]) == (1, "urn:sluicegate:approval-unknown")
    bad = running.run("ada", "list", env={"SLUICEGATE_TOKEN": "a.b.c"})
    assert bad.exit_code == 1
    assert bad.stderr


def test_nothing_to_list(running: Running) -> None:
    assert (running.run("mallory", "list").exit_code, running.run("mallory", "list").stdout) == (0, "")
    assert json.loads(running.run("mallory", "list", "--json").stdout) == {"approvals": []}


def test_the_token_from_a_file_comes_first(running: Running, tmp_path: Path) -> None:
    running.hold()
    file = tmp_path / "token"
    file.write_text(running.provider.token("linus") + "\n")
    listed = running.run("mallory", "list", "--token-file", str(file))
    assert "pending" in listed.stdout


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("command", ["list", "show", "approve", "json"])
def test_hostile_text_does_nothing_to_a_terminal(running: Running, terminal: bool, command: str) -> None:
    asked = running.hold(destination=HOSTILE, statement=f"select 1;\n{HOSTILE}")
    env = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm"} if terminal else {}
    arguments = {"list": ["list"], "json": ["list", "--json"]}.get(command, [command, asked.code])
    shown = running.run("linus", *arguments, env=env).stdout
    assert shown
    for forbidden in ("\x1b[2J", "\x1b]", "\x07", "\u202e", "\r"):
        assert forbidden not in shown
    assert "\nstate\tapproved" not in shown
    if command in ("list", "show"):
        assert "[bold red]x[/]" in shown, "markup is text"
        assert "\\x1b[2J" in shown


def test_a_long_value_does_not_look_like_another_field(running: Running) -> None:
    asked = running.hold(destination="x" * 500)
    env = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": "60"}
    for line in running.run("linus", "show", asked.code, env=env).stdout.splitlines():
        assert not line.startswith("x")


# --- wrong use, without a console


def fault(*arguments: str, **env: str | None) -> str:
    variables = {"SLUICEGATE_TOKEN": "token", "SLUICEGATE_CONSOLE": None} | env
    result = CliRunner().invoke(approvals.app, arguments, env=variables)
    assert isinstance(result.exception, Fault), result.output
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_no_token() -> None:
    assert "no token" in fault("list", "--console", "http://127.0.0.1:1", SLUICEGATE_TOKEN=None)
    assert "no token" in fault("list", "--console", "http://127.0.0.1:1", SLUICEGATE_TOKEN="  ")


@pytest.mark.parametrize("content", [b"", b"\n", b"a b", b"a\nb", b"\xff\xfe", "t\u00f6ken".encode()])
def test_a_token_file_without_a_token(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    fault("list", "--console", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token"))


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    message = fault("list", "--console", "http://127.0.0.1:1", "--token-file", str(tmp_path / "none"))
    assert "No such file" in message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:x",
        "http://[::1",
        "http://a@127.0.0.1",
        "http://127.0.0.1/?x",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    assert "no address of a console" in fault("list", "--console", url)


@pytest.mark.parametrize("url", ["http://console.example", "http://10.0.0.1:8090", "http://127.0.0.1.evil.example"])
def test_a_token_does_not_travel_in_the_clear(url: str) -> None:
    assert "plain HTTP" in fault("list", "--console", url)


def test_no_policy_and_no_address(tmp_path: Path) -> None:
    assert "--console" in fault("list", "--policy", str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("0.0.0.0:8090", "http://127.0.0.1:8090"),
        ("[::]:8090", "http://[::1]:8090"),
        ("localhost:1", "http://localhost:1"),
    ],
)
def test_the_address_from_the_policy(tmp_path: Path, listen: str, expected: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[identity]\nissuer = "https://idp.example"\n[console]\nlisten = "{listen}"\n')
    assert console_client.address(None, policy) == expected


def test_a_policy_without_a_fixed_port(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[identity]\nissuer = "https://idp.example"\n[console]\nlisten = "127.0.0.1:0"\n')
    assert "--console" in fault("list", "--policy", str(policy))


def test_nobody_answers() -> None:
    assert "cannot be reached" in fault("list", "--console", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b"[]"), (302, b""), (404, b'{"type":"about:blank"}'), (500, b"null")]
)
def test_something_else_answers(status: int, body: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("location", "http://127.0.0.1:1/")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert "is not a Sluicegate console" in fault("list", "--console", f"http://127.0.0.1:{server.server_port}")
        thread.join(60)


# --- text from the wire


@given(st.text(st.characters(codec=None)))
def test_safe_text_is_one_visible_line(text: str) -> None:
    assert safe(text).isprintable()
    safe(text).encode()


@given(st.text())
def test_safe_lines_keep_their_number(text: str) -> None:
    assert len(safe_lines(text)) == text.count("\n") + 1


def test_safe_text_leaves_ordinary_text_alone() -> None:
    assert safe("Größe 数据 s3://b/k [x]") == "Größe 数据 s3://b/k [x]"


def test_withdraw_revoke_and_what_is_not_there_to_do(running: Running) -> None:
    asked = running.hold()
    withdrawn = running.run("ada", "withdraw", asked.code)
    assert (withdrawn.exit_code, withdrawn.stdout) == (0, f"{asked.code} is withdrawn.\n")
    again = running.hold()
    running.run("linus", "approve", again.code)
    revoked = running.run("linus", "revoke", again.code, "--reason", "the wrong bucket")
    assert (revoked.exit_code, revoked.stdout) == (0, f"{again.code} is revoked.\n")
    other = running.hold()
    broken = running.run("ada", "break-glass", other.code, "--reason", "everything is on fire")
    assert (broken.exit_code, "do not name you" in broken.stderr) == (1, True)
    reviewed = running.run("linus", "review", other.code, "--note", "x", "--accept")
    assert (reviewed.exit_code, "was not broken" in reviewed.stderr) == (1, True)


def test_watching_shows_each_change_once(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    asked = running.hold(destination=HOSTILE)
    looks = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            running.run("linus", "approve", asked.code)
        if len(looks) == 4:
            raise KeyboardInterrupt

    watch(running.url, running.provider.token("linus"), None, pause)
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(cells[0], cells[1], cells[-1]) for cells in lines] == [
        (asked.code, "pending", "you"),
        (asked.code, "approved", ""),
    ]
    assert "\x1b" not in "".join(map("".join, lines))
