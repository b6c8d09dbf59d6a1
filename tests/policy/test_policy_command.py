"""sluicegate policy check: every problem on a line of its own, and exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluicegate.cli.app import app

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def check(monkeypatch):
    monkeypatch.setenv("CHUNKS_TOKEN", "a-token-for-the-tests")
    return lambda path, *more: CliRunner().invoke(app, ["policy", "check", "--policy", str(path), *more])


def test_the_policy_of_the_demo_is_clean(check):
    result = check(ROOT / "policy.toml")
    assert result.exit_code == 0, result.output
    assert result.output.endswith("no problems (1 service, 1 dataset, 5 rules, 2 masks)\n")


def test_problems_of_every_room_at_once(check, tmp_path):
    path = tmp_path / "policy.toml"
    text = (ROOT / "policy.toml").read_text()
    text = text.replace('dialect = "chunks"', 'dialect = "chunkz"').replace("CHUNKS_TOKEN", "SURELY_UNSET_TOKEN")
    text = text.replace('dataset = ["customers"]', 'dataset = ["customer"]', 1).replace(
        'columns = ["restricted"]', 'path = "$.["'
    )
    path.write_text(text)
    result = check(path)
    assert result.exit_code == 2
    lines = text.splitlines()
    for line in result.output.splitlines():
        file, number, where, _ = line.split(":", 3)
        assert file == str(path) and where.strip().rpartition(".")[2] in lines[int(number) - 1]
    for where in ("services.chunks.dialect", "services.chunks.credential", "rules.0.dataset", "masks.0.path"):
        assert where in result.output
    assert "did you mean `customers`?" in result.output


def test_problems_of_the_file_itself(check, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text('[identity]\nissuer = "https://idp.test"\n[[rules]]\nid = "a"\neffect = "alow"\nzzz = 1\n')
    result = check(path)
    assert result.exit_code == 2
    assert result.output.splitlines()[0].startswith(f"{path}:5: rules.0.effect: ")
    document = json.loads(check(path, "--json").output)
    assert [p["line"] for p in document["problems"]] == [5, 6] and document["digest"] is None


def test_json_of_a_clean_policy(check):
    result = check(ROOT / "policy.toml", "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)["problems"] == [] and len(json.loads(result.output)["digest"]) == 64


def test_authorities_that_cannot_be_read_here_are_noted(check, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text((ROOT / "policy.toml").read_text())
    result = check(path)
    lines = path.read_text().splitlines()
    number = next(at for at, line in enumerate(lines, 1) if line.startswith("trusted_ca"))
    first = result.output.splitlines()[0]
    assert first.startswith(f"{path}:{number}: note: gateway.trusted_ca: ") and "No such file" in first
    assert result.exit_code == 0
