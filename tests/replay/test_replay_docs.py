"""docs/replay.md says what the commands do."""

from __future__ import annotations

import re
from pathlib import Path

from sluicegate.cli.reference import pages
from sluicegate_replay.case import VARIABLE as CASE
from sluicegate_replay.catalog.place import VARIABLE as CACHE
from sluicegate_replay.cli.app import app
from sluicegate_replay.cli.export import Format
from sluicegate_replay.cli.verify import CODES
from sluicegate_replay.verifying import MEANING

PAGE = (Path(__file__).parent.parent.parent / "docs" / "replay.md").read_text()


def test_every_command_is_on_the_page():
    for path, _ in pages(app):
        if path:
            assert re.search(rf"sluicegate-replay {path[0]}\b|`{path[0]}`", PAGE), path


def test_every_code_of_verify_is_on_the_page_and_means_the_same():
    for kind, code in CODES.items():
        assert f"| {code} | {kind.replace('-', ' ')} |" in PAGE
        assert set(CODES) == set(MEANING)


def test_every_format_and_variable_is_on_the_page():
    for form in Format:
        assert f"| `{form.value}` |" in PAGE
    assert CASE in PAGE
    assert CACHE in PAGE
