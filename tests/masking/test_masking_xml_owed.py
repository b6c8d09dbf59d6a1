"""What an XML document owes beside the texts of its elements: attributes of masked ones, names, JSON in its texts."""

from __future__ import annotations

import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream

METHODS = Methods(b"k" * 32)
SSN, MAIL = "536-90-4399", "ada.lovelace@example.org"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
NAMED = Obligation("ids", "redact", frozenset({"ssn"}))
LOOKS = Obligation("mail", "redact", detect=frozenset({"email"}))


def masked(text: str, *owed: Obligation) -> str:
    fields, plan, body = ((b"content-type", b"application/xml"),), Plan(owed, METHODS), text.encode()
    found = mask(Reply("GET", 200, fields, body), plan, (), 1 << 22).body
    for place in range(len(body)):
        stream = open_stream(fields, 200, plan, (), None)
        assert stream is not None
        assert b"".join([*stream.feed(body[:place]), *stream.feed(body[place:]), *stream.end()]) == found
    return found.decode().removeprefix(HEAD)


@pytest.mark.parametrize(
    "owed",
    [NAMED, Obligation("ids", "redact", frozenset({"*sn"})), Obligation("ids", "redact", path="$..ssn")],
    ids=["name", "glob", "path"],
)
def test_attributes_of_a_masked_element_are_masked_with_it(owed: Obligation) -> None:
    # In JSON all that is under a masked key goes: `{"ssn": {"value": ...}}`.
    assert masked(f'<r><ssn value="{SSN}"/></r>', owed) == '<r><ssn value="[redacted]">[redacted]</ssn></r>'


def test_its_name_spaces_stay() -> None:
    found = masked(f'<r><p:ssn xmlns="urn:a" xmlns:p="urn:p" p:v="{SSN}">1</p:ssn></r>', NAMED)
    assert found == '<r><p:ssn xmlns="urn:a" xmlns:p="urn:p" p:v="[redacted]">[redacted]</p:ssn></r>'


@pytest.mark.parametrize("last4", ["element", "attribute"])
def test_an_attribute_that_owes_by_itself_gets_the_stricter_mask(last4: str) -> None:
    names = {"element": ("ssn", "v"), "attribute": ("v", "ssn")}[last4]
    owed = (Obligation("a", "last4", frozenset({names[0]})), Obligation("b", "null", frozenset({names[1]})))
    assert masked(f'<r><ssn v="{SSN}"/></r>', *owed).startswith('<r><ssn v="">')


def test_an_attribute_of_a_masked_element_may_be_refused() -> None:
    with pytest.raises(Refusal, match="ids"):
        masked(
            f'<r><ssn v="{SSN}"/></r>',
            Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="refuse")),
        )


@pytest.mark.parametrize("name", ["ssn:", ":ssn", "a:ssn:b", "ssn::a"])
@pytest.mark.parametrize("form", ["<r><{0}>1</{0}></r>", '<r {0}="1"/>'])
def test_a_name_with_colons_of_its_own_is_refused(form: str, name: str) -> None:
    # Readers that know no name spaces take all of it for the name, and nobody knows which part of it is meant.
    with pytest.raises(Refusal, match="colon"):
        masked(form.format(name), NAMED)


@pytest.mark.parametrize("form", ["<r><t>{}</t></r>", "<r t='{}'/>", "<r><t> {} </t></r>"])
@pytest.mark.parametrize("at", ["@", "\\u0040"])
def test_detectors_look_into_json_in_texts(form: str, at: str) -> None:
    found = masked(form.format('{"a":["' + MAIL.replace("@", at) + '"]}'), LOOKS)
    assert "lovelace" not in found and "[redacted]" in found


def test_detectors_look_into_strings_of_json_in_texts() -> None:
    inner = '"{\\"a\\":\\"ada.lovelace\\\\u0040example.org\\"}"'
    assert "lovelace" not in masked(f"<r><t>{inner}</t></r>", LOOKS, NAMED)


def test_json_in_which_nothing_is_found_stays_as_it_is() -> None:
    text = '<r a=\'{"a": 1.50}\'><t> {"b": [1, 2]} </t></r>'
    assert masked(text, LOOKS) == text


@pytest.mark.parametrize("form", ["<r><{0}/></r>", "<{0}/>", '<r {0}="1"/>', '<r xmlns:{0}="1"/>'])
@pytest.mark.parametrize("name", ["id.4111111111111111", "AKIAQYLPMN5HHHFPZAM2"])
def test_a_name_that_is_a_value_is_refused(form: str, name: str) -> None:
    # Nobody could put another name there that every tag of it would have.
    with pytest.raises(Refusal, match="names"):
        masked(form.format(name), Obligation("d", "redact", detect=frozenset({"card", "secret"})))
