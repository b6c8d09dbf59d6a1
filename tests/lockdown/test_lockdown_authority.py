"""Host agreement, as a table of what clients can choose apart from each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.lockdown.authority import Arrival, place
from sluicegate.settings.hosts import Origin, normal_host, split_authority


def arrival(**changes):
    base = dict(
        way="tunnel",
        scheme="https",
        target_host="api.test",
        target_port=443,
        tls=True,
        sni="api.test",
        authority="",
        hosts=("api.test",),
        http2=False,
    )
    return Arrival(**{**base, **changes})


AGREE = [
    ({}, "https://api.test:443"),
    ({"hosts": ("API.test.",)}, "https://api.test:443"),
    ({"hosts": ("api.test:443",)}, "https://api.test:443"),
    ({"sni": None}, "https://api.test:443"),
    ({"target_port": 8443, "hosts": ("api.test:8443",)}, "https://api.test:8443"),
    ({"http2": True, "hosts": (), "authority": "api.test"}, "https://api.test:443"),
    ({"http2": True, "hosts": ("api.test",), "authority": "api.test"}, "https://api.test:443"),
    ({"way": "transparent", "target_host": "10.0.0.9"}, "https://api.test:443"),
    ({"way": "transparent", "target_host": "10.0.0.9", "tls": False, "scheme": "http", "sni": None, "target_port": 80},
     "http://api.test:80"),
    ({"way": "proxy", "tls": False, "scheme": "http", "sni": None, "target_port": 80}, "http://api.test:80"),
    ({"target_host": "::1", "hosts": ("[::1]",), "sni": None}, "https://[::1]:443"),
    ({"tls": False, "scheme": "http", "sni": None, "target_port": 8080, "hosts": ("api.test:8080",)},
     "http://api.test:8080"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), AGREE)
def test_agreement(changes, expected):
    assert str(place(arrival(**changes))) == expected


DISAGREE = [
    {"hosts": ("evil.test",)},
    {"sni": "evil.test"},
    {"hosts": ("api.test", "api.test")},
    {"hosts": ()},
    {"hosts": ("api.test:8443",)},
    {"hosts": ("",)},
    {"hosts": ("api.test\x00",)},
    {"hosts": ("api.test@evil.test",)},
    {"hosts": ("api.test/",)},
    {"hosts": ("api.test:443:443",)},
    {"hosts": ("api.test:0443x",)},
    {"hosts": ("api.test:99999",)},
    {"authority": "api.test"},
    {"authority": "evil.test"},
    {"http2": True, "hosts": ("evil.test",), "authority": "api.test"},
    {"http2": True, "hosts": ("api.test",), "authority": "evil.test"},
    {"http2": True, "hosts": (), "authority": ""},
    {"way": "transparent", "sni": None},
    {"way": "transparent", "sni": "evil.test"},
    {"way": "proxy", "scheme": "https", "tls": False},
    {"target_host": "127.1", "hosts": ("127.1",), "sni": None},
    {"target_host": "0x7f000001", "hosts": ("0x7f000001",), "sni": None},
    {"target_host": "2130706433", "hosts": ("2130706433",), "sni": None},
    {"target_host": "0177.0.0.1", "hosts": ("0177.0.0.1",), "sni": None},
    {"target_host": "fe80::1%eth0", "hosts": ("[fe80::1%eth0]",), "sni": None},
]


@pytest.mark.parametrize("changes", DISAGREE)
def test_disagreement(changes):
    with pytest.raises(Refusal) as caught:
        place(arrival(**changes))
    assert caught.value.status in (400, 421)


@given(st.text(max_size=40))
def test_hosts_never_crash_and_normal_form_is_stable(text):
    try:
        host = normal_host(text)
    except ValueError:
        return
    assert normal_host(host) == host
    assert host == host.lower() and not host.endswith(".")


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_different_hosts_never_agree(one, other):
    try:
        origin = place(arrival(target_host=one, sni=None, hosts=(other,)))
    except Refusal:
        return
    assert split_authority(other) in ((origin.host, None), (origin.host, 443))
    assert normal_host(one) == origin.host


def test_idn_is_compared_in_its_ascii_form():
    assert Origin.parse("bücher.example") == Origin.parse("xn--bcher-kva.example:443")
    assert normal_host("BÜCHER.example.") == "xn--bcher-kva.example"
