"""sluicegate policy: test, explain, diff, show and the warnings of check, as somebody at a terminal meets them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from sluicegate.cli.app import app
from sluicegate.clock import SetClock
from sluicegate.errors import Fault
from sluicegate.exchange import Principal
from tests.recording.recorders import live, recorder

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
BASE = "https://localhost:9443/datasets/customers"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("CHUNKS_TOKEN", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def invoke(*words, code=0):
        result = CliRunner().invoke(app, ["policy", *map(str, words)])
        if isinstance(result.exception, Fault):
            return result.exception.exit_code, str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return invoke


@pytest.fixture
def copy(tmp_path):
    """The demo's policy and its cases, to be changed."""
    for name in ("policy.toml", "policy.tests.toml"):
        shutil.copy(ROOT / name, tmp_path / name)

    def change(old, new, name="policy.toml"):
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new))
        return tmp_path / name

    change.path = tmp_path / "policy.toml"
    return change


# test


def test_the_cases_of_the_demo_are_as_expected(run):
    code, output = run("test", "--policy", ROOT / "policy.toml")
    assert (code, output.splitlines()[-1]) == (0, "29 cases, all as expected")


def test_a_policy_that_was_loosened_fails_its_cases(run, copy):
    copy('effect = "deny"\nkind = ["script"]', 'effect = "allow"\nkind = ["script"]')
    copy('method = "last4"\nunless', 'method = "hmac"\nunless')
    report = copy.path.parent / "report.xml"
    code, output = run("test", "--policy", copy.path, "--junit", report)
    assert code == 1 and output.splitlines()[-1].startswith("29 cases, ")
    assert "expected ssn masked by last4, got it masked by hmac" in output
    assert "policy.tests.toml:" in output
    root = ElementTree.parse(report).getroot()
    suite = root.find("testsuite")
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert int(suite.get("failures")) == len(failed) and int(suite.get("tests")) == 29
    assert "engineers and stewards read customers, with the sensitive columns masked (ada)" in failed
    document = json.loads(run("test", "--policy", copy.path, "--json")[1])
    assert document["failed"] == len(failed)
    assert [case["name"] for case in document["cases"] if not case["passed"]] == failed


def test_only_some_cases(run):
    code, output = run("test", "--policy", ROOT / "policy.toml", "-k", "DROPPING")
    assert (code, output.splitlines()[-1]) == (0, "4 cases, all as expected")
    assert run("test", "--policy", ROOT / "policy.toml", "-k", "zzz")[0] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file: has no `cases`"),
        ('[[cases]]\nname = "a"\nwho = "eve"\nrequest = "curl https://x/"\nexpect = { effect = "deny" }', "3: cases.0.who: there is nobody called `eve`"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = "curl https://x/"\nexpect = { efect = "deny" }', "did you mean `effect`?"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = "curl https://x/"\nexpect = {}', "has no `effect`"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = "wget https://x/"\nexpect = { effect = "deny" }', "begins with 'wget' and not with curl"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = "curl --zzz https://x/"\nexpect = { effect = "deny" }', "--zzz is not known"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = "curl \'https://x/"\nexpect = { effect = "deny" }', "No closing quotation"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = { url = "ftp://x/" }\nexpect = { effect = "deny" }', "is not the address of a request"),
        ('[[cases]]\nname = "a"\nwho = {}\nat = 2026-01-01T00:00:00\nrequest = "curl https://x/"\nexpect = { effect = "deny" }', "no time zone"),
        ('[[cases]]\nname = "a"\nwho = {}\nrequest = { url = "https://x/", json = {}, body = "" }\nexpect = { effect = "deny" }', "both json and body"),
        ("[[cases", "Expected ']]'"),
    ],
)  # fmt: skip
def test_cases_that_cannot_be_run_are_wrong_use(run, copy, text, said):
    file = copy.path.with_name("mine.toml")
    file.write_text(text)
    code, output = run("test", "--policy", copy.path, "--cases", file)
    assert code == 2 and said in output


def test_no_cases_and_no_policy(run, tmp_path, copy):
    assert run("test", "--policy", tmp_path / "nowhere.toml")[0] == 2
    copy.path.with_name("policy.tests.toml").unlink()
    code, output = run("test", "--policy", copy.path)
    assert code == 2 and "--cases FILE" in output


def test_circumstances_of_a_case(run, copy):
    with copy.path.open("a") as file:
        file.write(
            '\n[[rules]]\nid = "risky"\neffect = "deny"\nrisk_above = 5.0\n'
            '\n[[rules]]\nid = "night"\neffect = "deny"\nwhen = ["22:00-06:00 UTC"]\n'
            '\n[[rules]]\nid = "full"\neffect = "deny"\nbudget = { chunks = 10, zone = "Europe/Berlin" }\n'
        )
    mine = copy.path.with_name("mine.toml")
    case = (
        '[[cases]]\nname = "{0}"\nwho = {{ groups = ["engineering"] }}\nrequest = "curl '
        + BASE
        + '/chunks/0"\n{1}\nexpect = {{ effect = "{2}", rules = ["{3}"] }}\n'
    )
    mine.write_text(
        case.format("a", "", "allow", "read-customers")
        + case.format("b", "given = { risk = 6.0 }", "deny", "risky")
        + case.format("c", "at = 2026-01-07T23:00:00Z", "deny", "night")
        + case.format("d", "given = { used = { customers = { chunks = 10 } } }", "deny", "full")
    )
    code, output = run("test", "--policy", copy.path, "--cases", mine)
    assert code == 0, output


# explain


def explain(run, *words, people=("--as", "ada", "--groups", "engineering")):
    return run("explain", "--policy", ROOT / "policy.toml", *people, "--", *words)


def test_an_allowed_read(run):
    code, output = explain(run, "curl", "-sS", f"{BASE}/chunks/3?columns=id,ssn")
    assert code == 0
    for line in (
        "Read as    read id, ssn of customers (kind read, service chunks)",
        "matched   allow read-customers",
        "no match  deny no-scripts              it is for kind script, and this is of",
        "masks     mask national-ids (last4)    ssn",
        "Verdict    allowed by read-customers",
    ):
        assert line in output.splitlines()
    assert all(len(line) <= 80 and line == line.rstrip() for line in output.splitlines())
    assert "\x1b" not in output


def test_a_denial_says_what_the_person_is_told(run):
    code, output = explain(run, "curl", "-X", "DELETE", BASE)
    assert code == 0 and "Verdict    denied by no-admin" in output
    assert "Told       403 Denied by policy rule no-admin." in output and "Open a change request" in output


def test_a_hold_names_the_approvers(run):
    code, output = explain(run, "curl", "--json", '{"destination": "s3://x/y"}', f"{BASE}/exports")
    assert code == 0 and "held for an approval by external-export" in output and "group:data-stewards" in output


WAREHOUSE = """
[identity]
issuer = "http://127.0.0.1:9"
[services.w]
hosts = ["w.internal"]
dialect = "clickhouse"
[[rules]]
id = "reading"
effect = "allow"
service = ["w"]
kind = ["read"]
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT " + "(" * 50_000 + "1" + ")" * 50_000, "cannot be read"),
        ("SELECT 1 FROM a " + "JOIN a " * 100, "takes too long"),
        ("SELECT '" + "x" * 100_000 + "'", "allowed by reading"),
    ],
    ids=["deep", "joins", "long"],
)
def test_a_statement_that_would_take_the_reader_down_is_explained_as_the_gateway_judges_it(tmp_path, statement, said):
    (tmp_path / "policy.toml").write_text(WAREHOUSE)
    (tmp_path / "statement").write_text(statement)
    # In a process of its own: the parser's stack is the machine's, and would end whoever reads there.
    done = subprocess.run(
        [BIN / "sluicegate", "policy", "explain", "--as", "ada", "--", "curl", "https://w.internal/",
         "--data-binary", "@statement"],
        capture_output=True, text=True, cwd=tmp_path, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0 and said in " ".join(done.stdout.split()), done.stdout[-500:] + done.stderr
    assert "more characters" in done.stdout or len(statement) <= 2_000


def test_what_no_rule_was_asked_about(run):
    code, output = explain(run, "curl", "https://elsewhere.test/")
    assert code == 0 and "refused before any rule was asked" in output and "Host not in the policy" in output


def test_explained_as_json(run):
    code, output = run(
        "explain", "--policy", ROOT / "policy.toml", "--json", "--as", "ada", "--", "curl", f"{BASE}/chunks/0"
    )
    document = json.loads(output)
    assert (code, document["effect"], document["told"]["code"]) == (0, "deny", "no-rule")
    assert {rule["id"]: rule["matched"] for rule in document["operations"][0]["rules"]}["read-customers"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Say which request is meant"),
        (("--exchange", "x", "--", "curl", BASE), "Say which request is meant"),
        (("--", "wget", BASE), "not with curl"),
        (("--", "curl", "--nope", BASE), "--nope is not known"),
        (("--kind", "robot", "--", "curl", BASE), "neither person nor machine"),
        (("--assurance", "sure", "--", "curl", BASE), "no assurance `sure`"),
        (("--at", "noon", "--", "curl", BASE), "not a time with a time zone"),
        (("--at", "2026-01-01T00:00:00", "--", "curl", BASE), "not a time with a time zone"),
    ],
)
def test_wrong_use_of_explain(run, words, said):
    code, output = run("explain", "--policy", ROOT / "policy.toml", *words)
    assert code == 2 and said in output


def test_hostile_text_does_not_reach_the_terminal(run):
    body = json.dumps({"columns": ["id"], "filter": "\x1b]0;owned\x07 ‮"})
    code, output = explain(run, "curl", "--json", body, f"{BASE}/query")
    assert code == 0 and "\x1b" not in output and "‮" not in output


# recordings


async def recorded(folder, requests):
    """A recording of requests to the demo's service, by Ada."""
    clock = SetClock()
    async with recorder(folder, clock) as addon:
        for number, (method, path, body) in enumerate(requests):
            flow, exchange = live(path, clock.now() + number)
            flow.request.method, flow.request.host, flow.request.port = method, "localhost", 9443
            flow.request.raw_content = body
            flow.request.headers.fields = ((b"host", b"localhost:9443"), (b"content-type", b"application/json"))
            exchange.method, exchange.host, exchange.port = method, "localhost", 9443
            exchange.principal = Principal("ada", "http://127.0.0.1:9500", frozenset({"engineering"}), name="Ada")
            await through(addon, flow, exchange)
    return folder / "recordings"


async def through(addon, flow, exchange):
    for hook in (addon.request, addon.response):
        waiting = hook(flow, exchange)
        if waiting is not None:
            await waiting


REQUESTS = [
    ("GET", "/datasets/customers/chunks/3?columns=id,ssn", b""),
    ("GET", "/datasets/customers/chunks/4?columns=id,ssn", b""),
    ("POST", "/datasets/customers/exports", b'{"destination": "s3://acme-lake/x"}'),
]


async def test_a_recorded_exchange_is_explained_and_policies_are_compared_on_recordings(run, copy, tmp_path):
    folder = await recorded(tmp_path / "state", REQUESTS)
    from sluicegate.recording.flow_reader import read_folder

    ids = [item.id for item in read_folder(folder)]
    code, output = run("explain", "--policy", ROOT / "policy.toml", "--from", folder, "--exchange", ids[2])
    assert code == 0, output
    assert "allowed by internal-export" in output and "Ada (engineering" in output
    assert run("explain", "--policy", ROOT / "policy.toml", "--from", folder, "--exchange", "zzz")[0] == 2
    assert run("explain", "--policy", ROOT / "policy.toml", "--from", tmp_path / "no", "--exchange", "zzz")[0] == 2
    new = copy('destination = "internal"\nreason', 'destination = ["s3://acme-vault"]\nreason')
    new = copy('method = "last4"\nunless', 'method = "null"\nunless')
    code, output = run(
        "diff", ROOT / "policy.toml", new, "--from", folder, "--cases", new.with_name("policy.tests.toml")
    )
    assert code == 1
    assert "Ada: read id, ssn of customers (2 times)" in output
    assert "ssn: last4 -> null" in output
    assert "Ada: export all columns of customers to s3://acme-lake/x (internal)" in output
    assert "allow (internal-export) -> deny" in output
    document = json.loads(run("diff", ROOT / "policy.toml", new, "--from", folder, "--json")[1])
    assert {entry["change"] for entry in document["changes"]} == {"newly denied", "masks changed"}
    code, output = run(
        "diff", ROOT / "policy.toml", ROOT / "policy.toml", "--from", folder, "--since", "2100-01-01T00:00:00Z"
    )
    assert code == 0 and "no of 29 verdicts" in output.replace("none", "no")


# diff


def test_nothing_changes(run, copy):
    with copy.path.open("a") as file:
        file.write("\n# a comment\n")
    code, output = run("diff", ROOT / "policy.toml", copy.path)
    assert code == 0 and output == "no entry differs; none of 29 verdicts changes\n"


def test_what_changes_is_grouped_and_openings_stand_first(run, copy):
    copy(
        'effect = "deny"\nkind = ["script"]',
        'effect = "allow"\nkind = ["script"]\nservice = ["chunks"]\ndataset = ["*"]',
    )
    new = copy('kind = ["read"]\nreason', 'kind = ["read"]\ncolumns = ["ssn"]\nreason')
    code, output = run("diff", ROOT / "policy.toml", new)
    lines = output.splitlines()
    assert code == 1 and "~ rules no-scripts" in lines and '    effect: "deny" -> "allow"' in lines
    opened = lines.index("Newly allowed (4)")
    assert opened < next(i for i, line in enumerate(lines) if line.startswith("Newly denied"))
    assert any("case: no scripts (mallory)" in line for line in lines)


def test_diff_of_what_cannot_be_loaded_is_wrong_use(run, copy, tmp_path):
    bad = copy('dialect = "chunks"', 'dialect = "chunkz"')
    assert run("diff", ROOT / "policy.toml", bad)[0] == 2
    assert run("diff", ROOT / "policy.toml", ROOT / "policy.toml", "--since", "2026-01-01T00:00:00Z")[0] == 2


# show and check


@pytest.mark.parametrize(
    ("effect", "said"), [("allow", "any declared dataset"), ("hold", "any declared dataset"), ("deny", "any dataset")]
)
def test_show_does_not_promise_what_nobody_declared(run, tmp_path, effect, said):
    path = tmp_path / "policy.toml"
    path.write_text(
        (ROOT / "policy.toml").read_text()
        + f'\n[[rules]]\nid = "wide"\neffect = "{effect}"\nkind = ["poll"]\napprovers = ["group:data-stewards"]\n'.replace(
            'approvers = ["group:data-stewards"]\n' if effect != "hold" else "\0", ""
        )
    )
    code, output = run("show", "--policy", path)
    (line,) = [part for part in " ".join(output.split()).split(". ") if "wide " in part]
    assert code == 0 and said in line


def test_show_says_it_in_sentences(run):
    code, output = run("show", "--policy", ROOT / "policy.toml")
    assert code == 0 and all(len(line) <= 80 and line == line.rstrip() for line in output.splitlines())
    text = " ".join(output.split())
    assert "no-scripts Nobody may run a script on any dataset." in text and "any declared dataset" not in text
    assert "may export customers to a destination that is not ours, once members of data-stewards approved it." in text
    assert (
        "Values of restricted (customers.ssn) are cut to their last four characters (last4), except for members of fraud."
        in text
    )
    document = json.loads(run("show", "--policy", ROOT / "policy.toml", "--json")[1])
    assert document["rules"][0]["id"] == "read-customers" and len(document["digest"]) == 64


def test_check_warns_and_names_who_is_in_the_way(run, copy, monkeypatch):
    monkeypatch.setenv("CHUNKS_TOKEN", "a-token-for-the-tests")
    with copy.path.open("a") as file:
        file.write('\n[[rules]]\nid = "scripts-of-fraud"\neffect = "allow"\nwho = ["group:fraud"]\nkind = ["script"]\n')
    code, output = run("check", "--policy", copy.path)
    number = copy.path.read_text().splitlines().index('id = "scripts-of-fraud"')
    assert code == 1
    assert output.splitlines()[0] == (
        f"{copy.path}:{number}: warning: rules.5: `scripts-of-fraud` never decides: `no-scripts` denies all that would "
        "be allowed (take it out, or make one of them narrower)"
    )
    document = json.loads(run("check", "--policy", copy.path, "--json")[1])
    assert document["problems"] == [] and document["warnings"][0]["where"] == "rules.5"
