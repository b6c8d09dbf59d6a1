"""What the commands verify and unseal say, on recordings as a gateway leaves them and as a thief would."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys

import pytest

from sluicegate.clock import SetClock
from sluicegate.exchange import Original
from sluicegate.recording.ledger.note import Signer
from sluicegate.recording.sealing.recipients import new_identity
from sluicegate.settings import State
from sluicegate_replay import cli
from tests.recording.recorders import exchange_through, live, recorder

START = 1_795_470_301.0
ONE, OTHER, STRANGER = new_identity(), new_identity(), new_identity()
SSN = "078-05-1120"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder that a gateway left in an orderly way, and the ids in it; the first one has a sealed original."""
    root = tmp_path_factory.mktemp("state")

    async def fill() -> list[str]:
        found = []
        async with recorder(root, SetClock(START), recipients=[ONE[1], OTHER[1]]) as addon:
            for number in range(6):
                flow, exchange = live(f"/datasets/customers/chunks/{number}", START + number)
                if number == 0:
                    body = f'{{"rows": [{{"ssn": "{SSN}", "evil": "\x1b[2J"}}]}}'.encode()
                    exchange.original = Original(body, "application/json", "")
                await exchange_through(addon, flow, exchange)
                found.append(exchange.id)
        return found

    return State(root).recordings, asyncio.run(fill())


@pytest.fixture
def folder(recorded, tmp_path):
    shutil.copytree(recorded[0], tmp_path / "recordings")
    return tmp_path / "recordings"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SLUICEGATE_CASE", str(tmp_path / "case"))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sluicegate-replay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def vkey(folder):
    return next((folder / "log").glob("*.vkey"))


def test_a_clean_folder_is_proved_and_says_by_what(run, folder):
    code, out, err = run("verify", "--from", folder)
    assert (code, err) == (0, "")
    for text in (
        "Proved.",
        "6 outcome" if "6 outcome" in out else "outcome 6",
        "signed by",
        "up to",
        "witness",
        "none",
    ):
        assert text in out, text
    assert "beside the recordings" in out


def test_with_a_key_of_ones_own_nothing_is_said_about_keys_beside(run, folder):
    code, out, _ = run("verify", "--from", folder, "--key", vkey(folder))
    assert code == 0
    assert "beside the recordings" not in out


def test_one_exchange_alone_by_the_beginning_of_its_id(run, folder, recorded):
    code, out, _ = run("verify", recorded[1][3][:13], "--from", folder)
    assert code == 0
    assert "Proved." in out
    code, out, _ = run("verify", "ffffffff", "--from", folder)
    assert code == 6
    assert "No signed entry speaks of this exchange" in out


def change(path, at: int = -200) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def one(folder, pattern: str):
    return sorted(path for path in folder.rglob(pattern) if path.is_file())[0]


TAMPERED, TRUNCATED, UNSIGNED, CANNOT_TELL = 3, 4, 5, 6
EDITS = {
    "a flow is changed": (lambda f: change(one(f, "*.flows")), TAMPERED),
    "an intent is changed": (lambda f: change(one(f, "*.intents")), TAMPERED),
    "an entry is changed": (lambda f: change(one(f, "log/tile/entries/*/*")), TAMPERED),
    "the head is changed": (lambda f: change(f / "log" / "checkpoint", -20), TAMPERED),
    "a key is changed": (lambda f: change(next((f / "keys").iterdir())), TAMPERED),
    "a flow file is gone": (lambda f: one(f, "*.flows").unlink(), None),
    "a flow file is cut": (lambda f: one(f, "*.flows").write_bytes(one(f, "*.flows").read_bytes()[:-300]), TRUNCATED),
    "the head is gone": (lambda f: (f / "log" / "checkpoint").unlink(), TRUNCATED),
    "the ledger is gone": (lambda f: shutil.rmtree(f / "log"), None),
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_found_named_and_has_its_code(run, folder, edit):
    spoil, expected = EDITS[edit]
    key = folder.parent / "trusted.vkey"
    key.write_text(vkey(folder).read_text())
    spoil(folder)
    code, out, _ = run("verify", "--from", folder, "--key", key)
    assert code == expected if expected else code in (TAMPERED, TRUNCATED, UNSIGNED, CANNOT_TELL)
    assert "First: " in out
    _, told, _ = run("verify", "--from", folder, "--key", key, "--json")
    told = json.loads(told)
    assert told["exit_code"] == code
    assert told["findings"]
    assert told["verdict"] != "proved"


def test_the_first_bad_record_is_called_by_its_name(run, folder, recorded):
    file = one(folder, "*.flows")
    data = file.read_bytes()
    place = data.index(recorded[1][2].encode())
    file.write_bytes(data[: place + 60] + bytes([data[place + 60] ^ 1]) + data[place + 61 :])
    code, out, _ = run("verify", "--from", folder)
    assert code == TAMPERED
    first = next(line for line in out.splitlines() if line.startswith("First: "))
    assert recorded[1][2] in first
    assert str(file.relative_to(folder)) in first


def test_a_key_of_somebody_else_proves_nothing(run, folder, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    name = vkey(folder).read_text().partition("+")[0]
    (tmp_path / "other.vkey").write_text(Signer(name, Ed25519PrivateKey.generate()).verifier.text())
    assert run("verify", "--from", folder, "--key", tmp_path / "other.vkey")[0] == TAMPERED


def test_a_head_that_was_kept_shows_what_was_rolled_back(run, recorded, tmp_path):
    root = tmp_path / "state"
    shutil.copytree(recorded[0].parent, root)
    folder = State(root).recordings
    earlier = tmp_path / "earlier"
    shutil.copytree(folder, earlier)

    async def more() -> None:
        async with recorder(root, SetClock(START + 100), recipients=[ONE[1], OTHER[1]]) as addon:
            await exchange_through(addon, *live("/more", START + 100))

    asyncio.run(more())
    kept = tmp_path / "kept"
    kept.write_bytes((folder / "log" / "checkpoint").read_bytes())
    assert run("verify", "--from", folder, "--head", kept)[0] == 0
    assert run("verify", "--from", earlier)[0] == 0, "nobody can tell without the head"
    code, out, _ = run("verify", "--from", earlier, "--head", kept)
    assert code == TRUNCATED, out


@pytest.mark.parametrize(
    "arguments", [["--key", "missing.vkey"], ["--head", "missing"], ["--key", "junk"], ["--head", "junk"]]
)
def test_files_that_are_none_are_wrong_use(run, folder, tmp_path, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk").write_bytes(b"\xff junk")
    code, _, err = run("verify", "--from", folder, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert run("verify", "--from", tmp_path / "nothing")[0] == 2


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text(f"# public key: {ONE[1]}\n{ONE[0]}\n")
    return file


def test_unseal_opens_the_original_and_says_so_in_the_case_log_first(run, folder, recorded, key, tmp_path):
    code, out, err = run("unseal", recorded[1][0][:12], "--from", folder, "--key", key, "--reason", "case 17")
    assert code == 0, err
    assert SSN in out
    assert "\x1b" not in out
    code, out, _ = run("case")
    assert code == 0
    assert recorded[1][0] in out and "case 17" in out and "unseal" in out
    code, out, _ = run("case", "--json")
    told = json.loads(out)
    assert told["sha256"] in err
    assert told["lines"][0]["exchange"] == recorded[1][0]


def test_unseal_to_a_file_is_for_its_owner_alone_and_replaces_nothing(run, folder, recorded, key, tmp_path):
    target = tmp_path / "original.json"
    arguments = ("unseal", recorded[1][0], "--from", folder, "--key", key, "--reason", "r", "--output", target)
    assert run(*arguments)[0] == 0
    assert SSN.encode() in target.read_bytes()
    assert target.stat().st_mode & 0o077 == 0
    assert run(*arguments)[0] == 2


def test_unseal_says_why_it_cannot(run, folder, recorded, key, tmp_path):
    stranger = tmp_path / "stranger.txt"
    stranger.write_text(STRANGER[0])

    def ends(exchange, file, reason="why"):
        code, out, err = run("unseal", exchange, "--from", folder, "--key", file, "--reason", reason)
        assert out == ""
        return code, err

    assert ends(recorded[1][1], key)[0] == 1
    assert "Nothing is sealed" in ends(recorded[1][1], key)[1]
    assert "none of these keys" in ends(recorded[1][0], stranger)[1]
    assert ends(recorded[1][0], key, "  ")[0] == 2
    assert ends(recorded[1][0], tmp_path / "missing")[0] == 2
    next((folder / "keys").iterdir()).unlink()
    code, err = ends(recorded[1][0], key)
    assert (code, "shredded" in err) == (1, True)


def test_nothing_opens_while_the_case_log_cannot_be_written_or_was_changed(run, folder, recorded, key, tmp_path):
    arguments = ("unseal", recorded[1][0], "--from", folder, "--key", key, "--reason", "why")
    assert run(*arguments, "--case", folder / "case")[0] == 2
    (tmp_path / "file").write_text("")
    code, out, _ = run(*arguments, "--case", tmp_path / "file")
    assert (code, out) == (2, "")
    assert run(*arguments)[0] == run(*arguments)[0] == 0
    log = tmp_path / "case" / "case.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    for changed in (whole.replace(b"why", b"way", 1), lines[1], lines[1] + lines[0], whole[:-1], lines[0] * 2):
        log.write_bytes(changed)
        code, out, err = run(*arguments)
        assert (code, out) == (1, ""), changed
        assert "broken at line" in err
        assert log.read_bytes() == changed
        assert run("case")[0] == 1


def test_show_says_what_was_found_who_approved_and_where_it_stands_in_the_ledger(run, tmp_path):
    from sluicegate.database.events import Event
    from sluicegate.exchange import Finding
    from sluicegate.recording.outbox import encode

    async def fill() -> tuple[str, str]:
        async with recorder(tmp_path, SetClock(START)) as addon:
            flow, exchange = live("/approved", START)
            exchange.approval, exchange.risk, exchange.job = "a-17", 2.25, "nightly"
            exchange.findings.append(Finding("odd-hours", "Chunk 3 again\x1b[2J at 03:12."))
            await exchange_through(addon, flow, exchange)
            other, plain = live("/plain", START + 1)
            await exchange_through(addon, other, plain)
            return exchange.id, plain.id

    approved, plain = asyncio.run(fill())
    folder = State(tmp_path).recordings
    body = {"approval": "a-17", "by": {"subject": "s", "name": "Grace Hopper"}, "reason": "for the audit"}
    day = next(path for path in folder.iterdir() if path.name.startswith("20"))
    (day / "214501Z-0001.events").write_bytes(encode(Event(1, "approval.approved", START, body)) + b"junk approval.\n")
    _, out, _ = run("show", approved, "--from", folder)
    for text in (
        "2.25",
        "nightly",
        "odd-hours: Chunk 3 again\\x1b[2J",
        "approved, 2026-11-23 21:45:01Z, by Grace Hopper",
    ):
        assert text in out, text
    assert "because: for the audit" in out
    assert "intent 1" in out and "signed entries" in out
    assert json.loads(run("show", approved, "--json", "--from", folder)[1])["approval"][0]["body"] == body
    _, out, _ = run("show", plain, "--from", folder)
    assert "Grace" not in out and "finding" not in out


def test_the_recordings_are_only_read(run, folder, recorded, key):
    def state():
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [folder, *folder.rglob("*")]}

    for path in folder.rglob("*"):
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = state()
    run("verify", "--from", folder)
    run("verify", recorded[1][0], "--from", folder)
    run("unseal", recorded[1][0], "--from", folder, "--key", key, "--reason", "r")
    assert state() == before
