"""`connect` in the policy: what could never be dialled is a problem when the policy is loaded."""

import pytest

from sluicegate.errors import Fault
from sluicegate.lockdown import problems
from sluicegate.lockdown.places import Places
from sluicegate.settings import load
from sluicegate.settings.hosts import Dial


def loaded(tmp_path, hosts, connect, addresses="[]"):
    path = tmp_path / "policy.toml"
    path.write_text(
        '[identity]\nissuer = "https://idp.test"\n'
        f'[services.x]\nhosts = {hosts}\ndialect = "d"\naddresses = {addresses}\nconnect = "{connect}"\n'
    )
    return load(path)


def test_names_and_covered_addresses_have_no_problem(tmp_path):
    for connect, addresses in (
        ("vpce-1.vendor.test:443", "[]"),
        ("http://10.1.2.3:8080", '["10.0.0.0/8"]'),
        ("[fd00::1]:443", '["fd00::/8"]'),
        ("8.8.8.8:443", "[]"),
    ):
        assert problems(loaded(tmp_path, '["a.test"]', connect, addresses)) == []


@pytest.mark.parametrize(
    ("hosts", "connect", "words"),
    [
        ('["a.test"]', "127.0.0.1:1", "private address"),
        ('["a.test"]', "169.254.169.254:80", "metadata"),
        ('["10.0.0.1"]', "b.test:1", "no name to dial"),
        ('["a.test", "http://[::1]:8"]', "b.test:1", "no name to dial"),
    ],
)
def test_what_could_never_be_dialled(tmp_path, hosts, connect, words):
    (problem,) = problems(loaded(tmp_path, hosts, connect))
    assert words in problem.message and problem.where == "services.x.connect" and problem.line == 7


@pytest.mark.parametrize(
    "connect", ["b.test", "http://b.test/x", "ftp://b.test:1", "b.test:0", "b.test:99999", "u@b.test:1", "127.1:80", ""]
)
def test_what_is_no_place(tmp_path, connect):
    with pytest.raises(Fault):
        loaded(tmp_path, '["a.test"]', connect)


def test_every_host_and_port_of_the_service_has_its_place(tmp_path):
    places = Places(loaded(tmp_path, '["a.test", "http://b.test:81"]', "http://c.test:99").settings)
    place = Dial("http", "c.test", 99)
    assert places.dial("a.test", 443) == places.dial("b.test", 81) == place
    assert places.dial("a.test", 81) is None
    assert Dial.parse("c.test:99") == Dial(None, "c.test", 99)
