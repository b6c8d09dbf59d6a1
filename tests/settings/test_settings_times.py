"""Days and hours as policy.toml writes them: what is no span says so."""

import pytest

from sluicegate.settings.times import Span, day_of


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "UTC", "08:00-18:00", "Mon-Fri 08:00-18:00", "Mon-Fri 08:00-18:00 Nowhere/City", "Mo UTC"),
        *("08:00-08:00 UTC", "24:00-06:00 UTC", "08:00-24:01 UTC", "8:00-18:00 UTC", "25:00-26:00 UTC", "Mon- UTC"),
        *("08:00-18:00 Mon UTC", "Mon Tue 08:00-18:00 UTC", "mon UTC", "Mon,,Tue UTC", "08:00-18:00 ../../etc/passwd"),
        *("08:00-18:00 localtime", "\u0660\u0668:00-18:00 UTC", "08:00-18:00 /etc/localtime", "Mon UTC\0"),
    ],
)
def test_what_is_no_span(text):
    with pytest.raises(ValueError, match=r"."):
        Span.parse(text)


def test_a_span():
    assert Span.parse("Fri-Mon,Wed 22:00-24:00 UTC") == Span(frozenset({4, 5, 6, 0, 2}), 1320, 1440, "UTC")
    assert Span.parse("Europe/Berlin".join(["Sat ", ""])).days == {5}


def test_days_are_as_long_as_they_are():
    lengths = []
    for now in (1_774_742_400.0, 1_792_886_400.0, 1_795_608_000.0):  # 2026-03-29, 2026-10-25, 2026-11-25
        begin, end = day_of(now, "Europe/Berlin")
        assert begin <= now < end
        lengths.append((end - begin) / 3600)
    assert lengths == [23, 25, 24]
