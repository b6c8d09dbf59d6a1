"""Masks that could never be applied are found when the policy loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluicegate.masking import problems
from sluicegate.settings import load

HEAD = '[identity]\nissuer = "https://idp.example"\n\n'


def loaded(tmp_path: Path, *paths: str):  # type: ignore[no-untyped-def]
    masks = "".join(f"[[masks]]\nid = \"m{i}\"\npath = '''{p}'''\nmethod = \"redact\"\n\n" for i, p in enumerate(paths))
    file = tmp_path / "policy.toml"
    file.write_text(HEAD + masks)
    return load(file)


def test_paths_that_compile_are_no_problem(tmp_path: Path) -> None:
    assert problems(loaded(tmp_path, "$.rows[*].ssn", "$..ssn", "$['a','b']", "$.a[0:2].b", "$")) == []


@pytest.mark.parametrize(
    "path", ["rows", "$.a[?(@.b)]", "$.a|$.b", "$[-1]", '$["\\u0073sn"]', "$..", "$.a[", "$.a.`len`", "$.a[0,1]"]
)
def test_paths_that_do_not_compile_are_listed_with_their_line(tmp_path: Path, path: str) -> None:
    (problem,) = problems(loaded(tmp_path, "$.fine", path))
    assert (problem.line, problem.where) == (11, "masks.m1.path")
    assert problem.message
