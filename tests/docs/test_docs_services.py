"""docs/services.md: every built-in dialect has its row, and what a row names is there."""

import re

import pytest

from sluicegate.operations.built_in import DIALECTS
from tests.running import ROOT

TEXT = (ROOT / "docs/services.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| .* \| `", line)
]


def test_every_dialect_has_a_row_and_every_row_a_dialect():
    assert {row[1].strip("`") for row in ROWS} - {"dialect"} == set(DIALECTS)


@pytest.mark.parametrize("row", [row for row in ROWS if row[1] != "`dialect`"], ids=lambda row: row[0])
def test_what_a_row_says_of_how_it_was_checked_is_so(row):
    file = ROOT / row[3].strip("`")
    assert file.is_file()
    if row[2].startswith("real"):
        assert "interop" in file.parts and "pytest.mark.interop" in file.read_text()
    else:
        assert "interop" not in file.parts and "documented" in row[2]
    for version in re.findall(r"\d+\.\d+\.\d+", row[2]):
        interop = "".join(path.read_text() for path in (ROOT / "tests/interop").glob("*.py"))
        assert version in interop
