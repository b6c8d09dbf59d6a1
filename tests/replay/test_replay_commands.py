"""The replay commands on real recordings: what they show, how they end, and that they change nothing."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Operation, Principal, Verdict
from sluicegate.settings import State
from sluicegate_replay import cli
from tests.recording.recorders import exchange_through, live, recorder

START = 1_795_470_301.0  # 2026-11-23 21:45:01 UTC
EVIL = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202e\u009b31m"


async def record(root: Path) -> dict[str, str]:
    """Five exchanges of two people, one of them refused, one without an outcome; the ids by name."""
    ids = {}
    async with recorder(root, SetClock(START + 2)) as addon:
        for number, name in enumerate(["first", "second", "late"]):
            flow, exchange = live(f"/datasets/customers/chunks/{number}?token=hunter2", START + number * number * 100)
            await exchange_through(addon, flow, exchange)
            ids[name] = exchange.id
        flow, exchange = live("/scripts", START + 1)
        exchange.principal = Principal("mallory", "https://idp", session="session-2", name=EVIL)
        exchange.operation = Operation("chunks", "script", "customers")
        exchange.verdict = Verdict("deny", ("no-scripts",), (f"Scripts are not allowed {EVIL}.",))
        exchange.refusal = Refusal(403, "policy-denied", "Denied", f"No scripts {EVIL}.")
        flow.request.headers["x-evil"] = EVIL.encode().decode("latin-1")
        flow.response.raw_content = json.dumps({"evil": EVIL}).encode()
        await exchange_through(addon, flow, exchange)
        ids["refused"] = exchange.id
        flow, exchange = live("/open", START + 2)
        await addon.request(flow, exchange)
        ids["open"] = exchange.id
    return ids


@pytest.fixture
def folder(tmp_path):
    ids = asyncio.run(record(tmp_path))
    return State(tmp_path).recordings, ids


@pytest.fixture
def whole(tmp_path):
    """A folder in which nothing is missing."""

    async def fill() -> str:
        async with recorder(tmp_path) as addon:
            flow, exchange = live("/only", START)
            exchange.principal = Principal("ada", "https://idp", session="session-1")
            await exchange_through(addon, flow, exchange)
            return exchange.id

    return State(tmp_path).recordings, asyncio.run(fill())


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sluicegate-replay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def test_list_says_when_who_what_and_what_became_of_it(run, folder):
    code, out, err = run("list", "--from", folder[0])
    lines = out.splitlines()
    assert code == 1
    assert "outcome unknown" in err
    assert len(lines) == 6
    assert "2026-11-23 21:45:01Z" in lines[1]
    assert "Ada Lovelace" in lines[1]
    assert "people-read" in lines[1]
    assert "refused: policy-denied" in lines[2]
    assert "forwarded, outcome unknown" in lines[3]


def test_a_whole_folder_ends_with_nought(run, whole):
    assert run("list", "--from", whole[0])[0] == 0
    assert run("show", whole[1], "--from", whole[0])[0] == 0
    assert run("play", "--from", whole[0])[0] == 0


def test_list_chooses(run, folder):
    def listed(*options: object) -> list[str]:
        return [line["id"] for line in json.loads(run("list", "--json", "--from", folder[0], *options)[1])["exchanges"]]

    ids = folder[1]
    assert listed() == [ids[name] for name in ("first", "refused", "open", "second", "late")]
    assert listed("--who", "LOVE") == [ids[name] for name in ("first", "open", "second", "late")]
    assert listed("--who", "mallory") == [ids["refused"]]
    assert listed("--since", "2026-11-23T21:45:02Z") == [ids[name] for name in ("refused", "open", "second", "late")]
    assert listed("--since", "2026-11-23 23:46+02:00") == [ids["second"], ids["late"]]
    assert len(listed("--limit", "2")) == 2


def test_show_says_everything(run, folder):
    recordings, ids = folder
    code, out, _ = run("show", ids["first"][:10], "--from", recordings)
    for text in (
        "Ada Lovelace",
        "engineering",
        "They may read.",
        "people-read",
        "ssn (national-ids: 1 values)",
        "/datasets/customers/chunks/0?token=[removed]",
        '"ssn": "***-**-6789"',
        "200 OK",
        "columns id, ssn",
    ):
        assert text in out, text
    assert code == 1, "something else in the folder is not whole"


def test_show_of_an_open_intent_says_that_the_outcome_is_unknown(run, folder):
    _, out, _ = run("show", folder[1]["open"], "--from", folder[0])
    assert "outcome unknown" in out
    assert "/open" in out


def test_show_json_is_json_and_has_it_all(run, folder):
    _, out, _ = run("show", folder[1]["refused"], "--json", "--from", folder[0])
    told = json.loads(out)
    assert told["exchange"]["refusal"] == "policy-denied"
    assert told["exchange"]["response"]["line"] == "200 OK"
    assert told["unknown"] == [folder[1]["open"]]
    assert out.isascii()


@pytest.mark.parametrize("arguments", [["list"], ["show", "refused"], ["play", "session-2"], ["play"]])
def test_nothing_off_the_wire_drives_the_terminal_or_is_read_as_markup(run, folder, arguments):
    arguments = [folder[1].get(word, word) for word in arguments]
    _, out, err = run(
        *arguments,
        "--no-wait" if arguments[0] == "play" else "--from",
        *(["--from", folder[0]] if arguments[0] == "play" else [folder[0]]),
    )
    for sign in ("\x1b", "\x07", "\u202e", "\u009b"):
        assert sign not in out + err
    assert "[red]x[/red]" in out


def test_play_keeps_the_rhythm_and_skips_what_is_idle(run, folder, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    code, out, _ = run("play", "session-1", "--from", folder[0], "--speed", "4")
    assert code == 1
    assert waits == [0.5]
    assert [line for line in out.splitlines() if "idle" in line] == ["… 98 s idle", "… 5 min idle"]
    places = [out.index(text) for text in ("chunks/0", "/open", "forwarded, outcome unknown", "chunks/1", "chunks/2")]
    assert places == sorted(places)
    waits.clear()
    run("play", "session-1", "--from", folder[0], "--no-wait")
    assert waits == []


def test_play_step_by_step(run, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\nq\n"))
    _, out, _ = run("play", "session-1", "--step", "--from", folder[0])
    assert "chunks/0" in out
    assert "/open" in out
    assert "chunks/1" not in out
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "chunks/0" not in run("play", "session-1", "--step", "--from", folder[0])[1]


def test_play_lists_the_sessions_when_it_cannot_tell_which(run, folder):
    for wanted in ([], ["session"], ["nothing"]):
        code, out, err = run("play", *wanted, "--from", folder[0])
        assert code == 2
        assert "session-1" in out
        assert "session-2" in out
        assert err


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "ffffffff-none"],
        ["show", ""],
        ["list", "--since", "yesterday-ish"],
        ["list", "--limit", "0"],
        ["nonsense"],
        ["list", "--nonsense"],
    ],
)
def test_wrong_use_ends_with_two(run, folder, arguments):
    more = ["--from", folder[0]] if arguments[0] != "nonsense" else []
    code, _, err = run(*arguments, *more)
    assert code == 2
    assert "Traceback" not in err


def test_a_folder_that_is_none_is_one_clear_line(run, tmp_path):
    code, _, err = run("list", "--from", tmp_path / "none")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "--from FOLDER" in err


def test_the_folder_is_found_beside_the_policy(run, whole, monkeypatch, tmp_path):
    monkeypatch.delenv("SLUICEGATE_STATE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".sluicegate").mkdir()
    whole[0].rename(tmp_path / ".sluicegate" / "recordings")
    assert "/only" in run("play")[1]


def test_a_corrupt_file_shows_what_is_whole_and_says_where_it_is_broken(run, folder):
    recordings, ids = folder
    (file,) = recordings.rglob("*.flows")
    data = bytearray(file.read_bytes())
    second = data.index(ids["second"].encode())
    data[second + 100] ^= 1
    file.write_bytes(data)
    code, out, err = run("list", "--from", recordings)
    assert code == 1
    assert ids["first"][:8] in out
    assert ids["late"][:8] in out
    name = str(file.relative_to(recordings))
    start = data.rindex(b":7:version;", 0, second) - 4
    assert f"{name}: damaged at byte {start}: the checksum does not fit" in err


def test_an_exchange_that_may_be_in_the_damage_is_not_called_wrong_use(run, whole):
    (file,) = whole[0].rglob("*.flows")
    file.write_bytes(file.read_bytes()[:-1])
    (intents,) = whole[0].rglob("*.intents")
    intents.unlink()
    code, _, err = run("show", whole[1], "--from", whole[0])
    assert code == 1
    assert "damaged at byte 0" in err


@pytest.mark.parametrize(
    ("body", "headers", "shown"),
    [
        (b"\x1f\x8bnot gzip", {"content-encoding": "gzip"}, "not valid gzip"),
        (b"\x00\xff\x80", {}, "3 bytes, not text"),
        (b"[" * 100_000, {"content-type": "application/json"}, "[[["),
        (b'{"n": ' + b"9" * 10_000 + b"}", {"content-type": "application/json"}, "999"),
        (None, {}, "not recorded"),
    ],
)
def test_odd_bodies_are_shown_as_they_can_be(run, tmp_path, body, headers, shown):
    async def fill() -> str:
        async with recorder(tmp_path) as addon:
            flow, exchange = live("/odd", START)
            flow.response.headers.clear()
            flow.response.headers.update(headers)
            flow.response.raw_content = body
            await exchange_through(addon, flow, exchange)
            return exchange.id

    code, out, err = run("show", asyncio.run(fill()), "--from", State(tmp_path).recordings)
    assert code == 0, err
    assert shown in out


def state(root: Path) -> dict[str, tuple[int, int, str]]:
    return {
        str(path): (
            path.stat().st_mtime_ns,
            path.stat().st_ctime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [root, *root.rglob("*")]
    }


def test_nothing_is_written(run, folder, tmp_path):
    for path in folder[0].rglob("*"):
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = state(tmp_path)
    for arguments in (["list"], ["list", "--json"], ["show", folder[1]["first"]], ["play", "session-1", "--no-wait"]):
        run(*arguments, "--from", folder[0])
    assert state(tmp_path) == before


ROOT = Path(__file__).parent.parent.parent


def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(ROOT / "addons"), str(ROOT / "replay")])
    command = [sys.executable, "-m", "sluicegate_replay", *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, **options)


def test_a_reader_that_goes_away_is_no_error(folder):
    read, write = os.pipe()
    os.close(read)
    child = start("list", "--from", folder[0], stdout=write)
    os.close(write)
    err = child.communicate(timeout=60)[1]
    assert child.returncode == 0
    assert b"Traceback" not in err
    assert b"Exception" not in err


def test_ctrl_c_ends_it_quietly(folder):
    child = start(
        "play", "session-1", "--step", "--from", folder[0], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    child.stdin.write(b"\n")
    assert b"chunks/0" in child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"Traceback" not in err


def test_it_does_not_need_the_proxy(folder):
    path = os.pathsep.join([str(ROOT / "addons"), str(ROOT / "replay")])
    program = "import sys, sluicegate_replay.cli; print(any(m.split('.')[0] == 'mitmproxy' for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr
