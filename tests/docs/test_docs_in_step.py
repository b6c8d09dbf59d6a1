"""Settings, commands, the Makefile and the pages in docs/ say the same."""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path

import pytest

from sluicegate.cli.reference import APPLICATIONS, pages
from sluicegate.cli.reference import reference as commands_reference
from sluicegate.pipeline.check import all_problems
from sluicegate.policy.reference import BEGIN, END
from sluicegate.policy.reference import reference as policy_reference
from sluicegate.settings import load

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


@functools.cache
def commands() -> dict[str, set[str]]:
    """The commands of each application. Making their help takes a while, so once must do."""
    return {name: {" ".join(path) for path, _ in pages(application)} for name, application in APPLICATIONS}


def between(page: Path, begin: str, end: str) -> str:
    return page.read_text().partition(begin)[2].partition(end)[0].strip()


def test_the_reference_of_the_policy_is_the_models():
    shown = between(ROOT / "docs" / "policy.md", BEGIN, END)
    assert shown == policy_reference(), "run: python -m sluicegate.policy.reference docs/policy.md"


def test_the_reference_of_the_commands_is_their_help():
    shown = between(ROOT / "docs" / "commands.md", BEGIN, END)
    assert shown == commands_reference(*APPLICATIONS), "run: python -m sluicegate.cli.reference docs/commands.md"


def test_every_command_has_an_example():
    for name, application in APPLICATIONS:
        for path, text in pages(application):
            if "Commands:" not in text:
                assert f"Example: {name}" in text, path


def test_every_key_of_the_model_has_its_meaning():
    assert not re.findall(r"^\| `\w+` \|[^|\n]*\| *\|$", policy_reference(), re.M)


def test_the_policy_of_the_demo_has_no_problem_and_every_table_a_comment(monkeypatch):
    monkeypatch.setenv("CHUNKS_TOKEN", "x" * 16)
    loaded = load(ROOT / "policy.toml")
    assert all_problems(loaded) == []
    lines = (ROOT / "policy.toml").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"^\[(gateway|identity|services|approvals|recording|console)", line):
            assert "#" in lines[number - 1] + lines[number] + lines[number + 1], line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_and_commands_in_the_pages_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    for block in re.findall(r"```(?:sh|console)?\n(.*?)```", page.read_text(), re.S):
        for target in re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", block, re.M):
            assert re.search(rf"^{target}:", makefile, re.M), target
        for name, known in commands().items():
            for words in re.findall(rf"(?:^|/|\s){name}((?: [a-z]+)+)", block):
                first = words.split()
                assert any(" ".join(first[:n]) in known for n in (1, 2)), (name, words)


def test_every_page_is_named_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in readme, page.name


def test_version_and_changelog_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    from sluicegate import __version__

    assert version == __version__
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_locks_name_no_index_and_pin_everything():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text and "--index" not in text
        pins = re.findall(r"^[a-z0-9][^\s]*==\S+", text, re.M)
        assert len(pins) > 40 and text.count("--hash=sha256:") >= len(pins)
