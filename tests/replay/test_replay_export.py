"""Exports are read by tools that know nothing of ours, name nobody unless told to, and are whole or not there."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import bagit
import haralyzer
import pytest
from jsonschema import Draft202012Validator
from mitmproxy.io import FlowReader
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Finding, Original, Principal, Verdict
from sluicegate.recording.flow_reader import read_folder
from sluicegate.recording.ledger.note import Verifier
from sluicegate.recording.ledger.proof import Proof
from sluicegate.recording.sealing.recipients import new_identity
from sluicegate.settings import State
from sluicegate_replay import cli
from tests.recording.recorders import exchange_through, live, recorder

START = 1_795_470_301.0
ONE, OTHER = new_identity(), new_identity()
SSN = b"078-05-1120"
PEOPLE = ("Ada Lovelace", "ada.l@example.org", "session-1", "10.0.0.7", "Grace", "g.hopper", "g%2Ehopper")


async def fill(root: Path) -> list[str]:
    ids = []
    async with recorder(root, SetClock(START), recipients=[ONE[1], OTHER[1]]) as addon:
        for number in range(6):
            flow, exchange = live(
                f"/people/ada.l@example.org/chunks/{number}?q=a%20b&who=Ada+Lovelace&by=g%2Ehopper", START + number
            )
            exchange.principal = Principal(
                "ada.l@example.org", "https://idp", frozenset({"ml"}), session="session-1", name="Ada Lovelace"
            )
            flow.request.headers["x-user"] = "ada.l@example.org"
            if number == 0:
                exchange.original = Original(b'{"rows": [{"ssn": "%b"}]}' % SSN, "application/json", "")
            if number == 1:
                exchange.principal = Principal("g.hopper", "https://idp", session="session-2", name='=cmd|"Grace"')
                exchange.refusal = Refusal(403, "policy-denied", "Denied", "Not for g.hopper.")
                exchange.verdict = Verdict("deny", ("no-scripts",), ("g.hopper may not.",), policy="cd" * 32)
                exchange.findings.append(Finding("probing", "Many refusals."))
                flow.request.method, flow.request.raw_content = "POST", b"\x00\xffbinary"
            if number == 2:
                flow.request.method, flow.request.raw_content = "PUT", b"it's $(id) `x` \n text"
                flow.request.headers["content-type"] = "text/plain"
            if number == 3:
                flow.response.headers["content-encoding"] = "gzip"
                flow.response.content = b'{"rows": [{"name": "Alan"}]}'
            if number == 4:
                flow.response = None
            if number == 5:
                flow.request.method = "PROPFIND"
            await exchange_through(addon, flow, exchange)
            ids.append(exchange.id)
    return ids


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    root = tmp_path_factory.mktemp("state")
    return State(root).recordings, asyncio.run(fill(root))


@pytest.fixture
def export(monkeypatch, capsysbinary, tmp_path, recorded):
    monkeypatch.setenv("SLUICEGATE_CASE", str(tmp_path / "case"))

    def call(*arguments: object, expected: int = 0) -> bytes:
        monkeypatch.setattr(
            sys, "argv", ["sluicegate-replay", "export", *map(str, arguments), "--from", str(recorded[0])]
        )
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsysbinary.readouterr()
        assert ended.value.code == expected, err
        return out if expected == 0 else err

    return call


FORMATS = ["har", "jsonl", "csv", "curl", "ocsf", "flows"]


@pytest.mark.parametrize("form", FORMATS)
def test_nobody_is_named_unless_it_is_asked_for(export, form, tmp_path):
    target = tmp_path / "out"
    export(form, "--output", target)
    data = target.read_bytes()
    # Refused exchanges have no flow of the service; what is in bodies was delivered so.
    for person in PEOPLE:
        assert person.encode() not in data, person
    assert b"person-" in data
    assert target.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "case").exists()
    named = export(form, "--identities") if form != "flows" else b"Ada Lovelace"
    assert b"Ada Lovelace" in named or b"Ada+Lovelace" in named


def test_exports_agree_with_the_same_key_and_not_else(export, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    assert export("jsonl", "--pseudonym-key", key) == export("jsonl", "--pseudonym-key", key)
    assert export("jsonl") != export("jsonl")
    key.write_bytes(b"short")
    export("jsonl", "--pseudonym-key", key, expected=2)
    lines = [json.loads(line) for line in export("jsonl").splitlines()]
    assert len({line["subject"] for line in lines}) == 2
    assert all(line["subject"] == line["name"] for line in lines)


def test_naming_people_is_in_the_case_log(export, tmp_path):
    export("csv", "--identities", "--reason", "case 17")
    (line,) = (tmp_path / "case" / "case.jsonl").read_text().splitlines()
    assert (json.loads(line)["action"], json.loads(line)["reason"]) == ("export", "case 17")


def test_har_is_read_by_an_independent_reader(export, recorded):
    har = haralyzer.HarParser(json.loads(export("har", "--identities")))
    entries = har.har_data["entries"]
    assert [entry["_sluicegate"]["id"] for entry in entries] == recorded[1]
    first = haralyzer.HarEntry(entries[0])
    assert (first.request.method, first.status) == ("GET", 200)
    assert first.request.url.endswith("/people/ada.l@example.org/chunks/0?q=a%20b&who=Ada+Lovelace&by=g%2Ehopper")
    assert entries[0]["request"]["queryString"][1] == {"name": "who", "value": "Ada Lovelace"}
    assert first.startTime.timestamp() == START
    assert json.loads(entries[3]["response"]["content"]["text"]) == {"rows": [{"name": "Alan"}]}
    assert entries[1]["request"]["postData"]["encoding"] == "base64"
    assert entries[4]["response"]["status"] == 0
    assert "text" not in json.loads(export("har", "--without-bodies"))["log"]["entries"][0]["response"]["content"]


def test_csv_has_no_cell_that_a_spreadsheet_would_run(export):
    rows = list(csv.DictReader(io.StringIO(export("csv", "--identities").decode())))
    assert len(rows) == 6
    assert rows[1]["who"].startswith("'=cmd")
    assert rows[1]["verdict"] == "refused: policy-denied"
    assert rows[1]["findings"] == "probing"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_ocsf_events_are_valid_in_the_schema_of_that_version(export):
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0")).get_class_schema(
        class_name="http_activity", profiles=["host", "security_control"]
    )
    validator = Draft202012Validator(schema)
    for arguments in ((), ("--identities",)):
        events = [json.loads(line) for line in export("ocsf", *arguments).splitlines()]
        assert len(events) == 6
        for event in events:
            assert [error.message for error in validator.iter_errors(event)] == []
        assert [event["activity_id"] for event in events] == [3, 6, 7, 3, 3, 99]
        assert [event["disposition_id"] for event in events] == [1, 2, 1, 1, 1, 1]
    broken = {**events[0], "type_uid": 1}
    assert list(validator.iter_errors(broken)), "the schema finds nothing wrong with anything"


def test_flows_are_the_recorded_bytes_or_whole_flows_with_pseudonyms(export, recorded, tmp_path):
    export("flows", "--identities", "--output", tmp_path / "same")
    (file,) = recorded[0].rglob("*.flows")
    assert (tmp_path / "same").read_bytes() == file.read_bytes()
    export("flows", "--output", tmp_path / "other")
    with (tmp_path / "other").open("rb") as stream:
        flows = list(FlowReader(stream).stream())
    assert [flow.id for flow in flows] == [flow["id"] for flow in map(vars, flows)]
    assert len(flows) == 6
    assert flows[2].request.content == b"it's $(id) `x` \n text"
    day = tmp_path / "again" / "2026-11-23"
    day.mkdir(parents=True)
    shutil.copy(tmp_path / "other", day / "000000Z-0001.flows")
    assert [item.id for item in read_folder(tmp_path / "again")] == recorded[1], "our own reader finds damage"


class Echo(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, bytes, str]]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append((self.command, self.path, body, self.headers.get("x-user")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PROPFIND = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (apt install curl)")
def test_the_commands_send_what_was_recorded(export, recorded, tmp_path):
    script = export("curl", "--identities").decode()
    server = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Echo.seen.clear()
    try:
        items = list(read_folder(recorded[0]))
        origin = items[0].url.partition("/people")[0]
        script = script.replace(origin, f"http://127.0.0.1:{server.server_port}")
        done = subprocess.run(["sh", "-e"], input=script, text=True, capture_output=True, timeout=60, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    finally:
        server.shutdown()
    sent = [(item.request.line.split(" ", 1), item.request.body, item.request.header("x-user")) for item in items]
    assert Echo.seen == [(line[0], line[1], body or b"", user) for line, body, user in sent]
    assert list(tmp_path.iterdir()) == [tmp_path / "case"], "the script wrote something"


@pytest.fixture
def bundle(export, tmp_path):
    export("bundle", "--identities", "--output", tmp_path / "bag")
    return tmp_path / "bag"


def test_a_bundle_is_a_valid_bag_and_any_change_is_found(bundle):
    assert bagit.Bag(str(bundle)).is_valid()
    for path in sorted(bundle.rglob("*")):
        if path.is_file() and path.name != "tagmanifest-sha256.txt":
            before = path.read_bytes()
            path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
            with pytest.raises((bagit.BagError, UnicodeDecodeError)):
                bagit.Bag(str(bundle)).validate()
            path.write_bytes(before)
    assert bagit.Bag(str(bundle)).is_valid()


def test_a_bundle_has_a_proof_for_each_exchange_and_says_how_it_was_made(bundle, recorded):
    manifest = json.loads((bundle / "data" / "manifest.json").read_text())
    assert [one["id"] for one in manifest["exchanges"]] == recorded[1]
    assert "--identities" in manifest["command"]
    keys = [Verifier.parse(text) for text in manifest["keys"]]
    for one in manifest["exchanges"]:
        assert {proof["type"] for proof in one["proofs"]} >= {"outcome"}
        for proof in one["proofs"]:
            entry = (bundle / "data" / proof["entry"]).read_bytes()
            assert Proof.parse((bundle / "data" / proof["proof"]).read_bytes()).check(entry, keys)
        outcome = next(proof for proof in one["proofs"] if proof["type"] == "outcome")
        assert json.loads((bundle / "data" / outcome["entry"]).read_text())["sha256"] == one["sha256"]
    (sealed,) = manifest["exchanges"][0]["sealed"]
    assert (bundle / "data" / sealed["record"]).exists() and (bundle / "data" / sealed["key"]).exists()
    for path in bundle.rglob("*"):
        assert not path.is_file() or SSN not in path.read_bytes()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed (apt install openssl)")
def test_the_instructions_work_with_stock_tools(bundle, tmp_path):
    text = (bundle / "data" / "README.txt").read_text().replace("/tmp/", f"{tmp_path}/")
    commands = [line.strip() for line in text.splitlines() if re.match(r" {5}\S", line) and "mine.txt" not in line]
    assert len(commands) == 7
    script = "\n".join(["set -e", f"cd {bundle}/data", *commands])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    sums = [line for line in lines if len(line) == 64]
    assert len(sums) == 2 and sums[0] == sums[1]
    assert any(line.startswith("under the root ") for line in lines)
    assert any("Signature Verified Successfully" in line for line in lines)


def test_the_script_in_the_bundle_finds_what_is_not_under_the_root(bundle):
    data = bundle / "data"
    proofs = sorted((data / "proofs").iterdir())
    entries = sorted((data / "entries").iterdir())

    def ends(proof: Path, entry: Path) -> int:
        return subprocess.run([sys.executable, data / "check_proof.py", proof, entry], capture_output=True).returncode

    assert all(ends(proof, entry) == 0 for proof, entry in zip(proofs[:3], entries[:3], strict=True))
    assert ends(proofs[0], entries[1]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["bundle", "--output", "x"],
        ["bundle", "--identities"],
        ["flows", "--without-bodies", "--output", "x"],
        ["nonsense"],
        ["har", "--filter", "~nope"],
    ],
)
def test_wrong_use_is_said(export, arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    export(*arguments, expected=2)
    assert not (tmp_path / "x").exists()


def test_nothing_is_replaced_and_nothing_goes_into_the_recordings(export, recorded, tmp_path):
    (tmp_path / "there").write_text("mine")
    export("csv", "--output", tmp_path / "there", expected=2)
    assert (tmp_path / "there").read_text() == "mine"
    export("bundle", "--identities", "--output", tmp_path / "there", expected=2)
    export("csv", "--output", recorded[0] / "x.csv", expected=2)
    export("csv", "--output", tmp_path / "no" / "x.csv", expected=2)


def test_what_fails_in_the_middle_leaves_nothing(export, tmp_path, monkeypatch):
    from sluicegate_replay.export import bundle as module

    monkeypatch.setattr(module, "readme", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises((AssertionError, KeyboardInterrupt)):
        export("bundle", "--identities", "--output", tmp_path / "bag")
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_ctrl_c_leaves_nothing(recorded, tmp_path):
    root = Path(__file__).parent.parent.parent
    program = (
        "import sys, time, sluicegate_replay.export.lines as lines; from sluicegate_replay.cli import main\n"
        "import sluicegate_replay.cli.export as e\n"
        "def slow(items, bodies):\n"
        "    yield b'begun'; print('begun', flush=True); time.sleep(60)\n"
        "e._WRITERS['jsonl'] = slow\n"
        f"sys.argv = ['x', 'export', 'jsonl', '--from', {str(recorded[0])!r}, '--output', 'out', '--no-cache']\n"
        "main()\n"
    )
    path = os.pathsep.join([str(root / "addons"), str(root / "replay")])
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"begun\n"
    assert list(tmp_path.iterdir())
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []
