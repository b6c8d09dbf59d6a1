"""The refusal as an answer: whatever was put into it, the head stays one head and the body stays JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.problem import render


@given(st.text(), st.text(), st.text())
def test_nothing_breaks_out(title, detail, next_step):
    answer = render(Refusal(403, "policy-denied", title, detail, next_step=next_step), "id")
    assert answer.reason.isascii() and answer.reason.isprintable() and "\n" not in answer.reason
    document = json.loads(answer.body)
    assert document["detail"] == detail and document["status"] == 403 and document["title"] == title
    assert dict(answer.headers)["content-type"] == "application/problem+json"
