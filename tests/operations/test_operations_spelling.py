"""Column names in spellings that one service or another reads as the column itself."""

import pytest

from sluicegate.masking.names import normal
from sluicegate.operations.names import columns
from sluicegate.operations.view import Unreadable


@pytest.mark.parametrize(
    "name", ["x:ssn", "ssn::text", "customers/ssn", "$ssn", "-ssn", "ssn@raw", "ssn-", "ssn as x", "`ssn`"]
)
def test_a_column_is_written_plainly_or_not_understood(name):
    with pytest.raises(Unreadable):
        columns([name], ())
    assert columns([name], (name,)) == (name,)


@pytest.mark.parametrize("name", ["ssn", "customers.ssn", "db.customers.ssn", "größe"])
def test_plain_columns(name):
    assert columns([name], ()) == (name,)


@pytest.mark.parametrize(
    "key", ["customers.ssn", "customers/ssn", "$ssn", '"ssn"', "`ssn`", "x:ssn", "[ssn]", "a.$b.SSN"]
)
def test_a_key_around_the_name_is_the_name(key):
    assert normal(key) == "ssn"
