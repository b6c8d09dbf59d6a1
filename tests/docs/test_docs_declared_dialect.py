"""The declared dialect that docs/policy.md shows does what the page says of it."""

import json
import re
from pathlib import Path

import pytest

from sluicegate.clock import SetClock
from sluicegate.exchange import Operation
from sluicegate.operations import Reader, RequestView, problems
from sluicegate.operations.view import ReplyView
from sluicegate.settings import load

PAGE = Path(__file__).parents[2] / "docs/policy.md"
SHOWN = PAGE.read_text().partition("## Dialects that you declare\n")[2].partition("```toml\n")[2].partition("```")[0]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Reports:
    """The service of the page."""

    def __init__(self, folder: Path) -> None:
        policy = folder / "policy.toml"
        policy.write_text(SHOWN)
        assert list(problems(load(policy))) == []
        self.reader = Reader(load(policy).settings, SetClock())

    def view(self, request: str, body: str = "", media: str = JSON) -> RequestView:
        method, _, target = request.partition(" ")
        path, _, query = target.partition("?")
        headers = {"content-type": (media,)} if body else {}
        return RequestView(method, path, query, headers, body.encode(), "reports.acme.example")

    def read(self, request: str, body: str = "", person: str = "ada", media: str = JSON) -> Operation:
        return self.reader.read(self.view(request, body, media), "reports", "", person)

    def answered(self, request: str, answer: object, body: str = "", **headers: str):
        view = self.view(request, body)
        operation = self.reader.read(view, "reports", "", "ada")
        sent = {"content-type": (JSON,), **{name: (value,) for name, value in headers.items()}}
        return self.reader.deliver(view, "reports", operation, ReplyView(200, sent, json.dumps(answer).encode()), "ada")


@pytest.fixture
def reports(tmp_path):
    return Reports(tmp_path)


def commented(start):
    """The request in a comment of the page that begins so."""
    (line,) = re.findall(rf"^# ({re.escape(start)}.*)$", SHOWN, re.MULTILINE)
    return line


def test_a_table_page_by_page(reports):
    first, page = "GET /tables/staff/rows?column=id&column=ssn&page_size=5", commented("GET /tables")
    assert reports.read(page).kind == "unknown"  # nobody was handed that cursor yet
    delivery = reports.answered(first, {"items": [{"id": 1, "ssn": "x"}], "next_cursor": "c1"})
    assert delivery.rows[0].path == "$.items"
    operation = reports.read(page)
    assert (operation.kind, operation.dataset, operation.columns) == ("read", "staff", ("id", "ssn"))
    assert reports.read(page, person="mallory").owner == "ada"
    assert reports.read(page.replace("staff", "other")).kind == "unknown"
    assert reports.read("GET /tables/staff/rows?cursor=c1").column_scope == "all"
    reports.answered(first, {"items": []}, link='</tables/staff/rows?cursor=c2>; rel="next"')
    assert reports.read("GET /tables/staff/rows?cursor=c2").kind == "read"


@pytest.mark.parametrize("more", ["&page_size=5&page_size=6", "&x=1"])
def test_parameters_that_are_not_known_or_come_twice(reports, more):
    assert reports.read(f"GET /tables/staff/rows?column=id{more}").kind == "unknown"


def test_statements_in_two_steps(reports):
    body = json.dumps({"text": "select ssn as number /* x */ from staff", "timeout": 30})
    asked = reports.read("POST /queries", body)
    assert (asked.kind, asked.dataset) == ("read", "staff")
    view = reports.view("POST /queries", body)
    assert b"/*" not in reports.reader.rewrite(view, "reports", asked).body
    assert reports.read("POST /queries", body.replace("select", "sel ect")).kind == "unknown"
    assert reports.read("POST /queries", json.dumps({"text": "delete from staff"})).kind == "write"
    reports.answered("POST /queries", {"query": {"id": "q1"}}, body)
    page, _, answer = commented("GET /queries").partition(" answers ")
    operation = reports.read(page)
    assert (operation.kind, operation.dataset, operation.outputs) == ("read", "staff", asked.outputs)
    (rows,) = reports.answered(page, {"columns": [{"name": "number"}], "rows": [["x"]]}).rows
    assert [column.origins for column in rows.columns] == [{("staff", "ssn")}]
    assert json.loads(answer)["rows"] and reports.answered(page, {"rows": [["x"]]}).unreadable
    assert reports.read("DELETE /queries/q1").kind == "cancel"
    assert reports.read(page.replace("q1", "q2")).kind == "unknown"


def test_a_form(reports):
    request, _, fields = commented("POST /exports").rpartition(" ")
    asked = reports.read(request, fields, media=FORM)
    assert (asked.kind, asked.dataset, asked.destination_side) == ("export", "staff", "external")
    assert reports.read(request, fields, media="text/plain").kind == "unknown"
    assert reports.read(request, fields + "&x=1", media=FORM).kind == "unknown"
