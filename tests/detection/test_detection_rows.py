"""Where rows are, in the shapes that services send."""

from __future__ import annotations

from typing import Any

import pytest

from sluicegate.rows import MAX_COLUMNS, MAX_NAME, Table, column_names, tables


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([{"a": 1}, {"b": 2, "a": 1}], [Table(None, ("a", "b"), 2)]),
        ({"rows": [{"a": 1}], "n": 1}, [Table("rows", ("a",), 1)]),
        ({"x": [{"a": 1}], "y": [{"b": 1}, 7]}, [Table("x", ("a",), 1), Table("y", ("b",), 1)]),
        ({"columns": ["a", "b"], "rows": [[1, 2]]}, [Table("rows", ("a", "b"), 1, True)]),
        ({"data": [[1]], "columns": [{"name": "a"}]}, [Table("data", ("a",), 1, True)]),
        ({"schema": {"fields": [{"name": "a"}]}, "data": [[1]]}, [Table("data", ("a",), 1, True)]),
        ({"columns": ["a"], "rows": [[1, 2]]}, []),
        ({"tags": ["a", "b"], "rows": [[1, 2]]}, []),
        ({"rows": []}, []),
        ([], []),
        ([1, "a", None], []),
        ("text", []),
        (None, []),
        ({"deep": {"rows": [{"a": 1}]}}, []),
    ],
)
def test_tables(document: Any, found: list[Table]) -> None:
    assert tables(document) == found


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["a", "b"], ("a", "b")),
        ([{"name": "a", "type": "int"}, {"type": "text", "label": "b"}], ("a", "b")),
        ([{"odd": "a"}], None),
        ([{"name": "a"}, {"odd": "b"}], None),
        ({"fields": [{"name": "a"}], "n": 1}, ("a",)),
        ({"a": ["x"], "b": ["y"]}, None),
        (["a", 1], None),
        ([{"a": 1}], None),
        ([], None),
        (7, None),
    ],
)
def test_column_names(value: Any, names: tuple[str, ...] | None) -> None:
    assert column_names(value) == names


def test_names_that_are_data_are_not_collected() -> None:
    (table,) = tables([{f"k{i}": 1 for i in range(1000)}, {"x" * (MAX_NAME + 1): 1}])
    assert len(table.columns) == MAX_COLUMNS
    assert all(len(name) <= MAX_NAME for name in table.columns)
