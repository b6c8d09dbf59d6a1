"""Hosts below a domain: who owns which, where two could, and what never becomes a service by a star."""

import pytest

from sluicegate.errors import Refusal
from sluicegate.lockdown import problems
from sluicegate.lockdown.places import Places
from sluicegate.settings import Settings, load
from sluicegate.settings.hosts import HostPattern, Origin, OriginPattern
from sluicegate.settings.suffixes import is_public_suffix

STORE = "s3.eu-central-1.amazonaws.com"


def places(others="refuse", tunnel=(), **services):
    return Places(
        Settings.model_validate(
            {
                "identity": {"issuer": "https://idp.test"},
                "gateway": {"others": others, "tunnel_hosts": list(tunnel)},
                "services": {name: {"dialect": "d", "hosts": hosts} for name, hosts in services.items()},
            }
        )
    )


def owner(known, text):
    try:
        return known.owner(Origin.parse(text))
    except Refusal as refusal:
        return refusal.code


KNOWN = {
    "store": [f"*.{STORE}", STORE],
    "payroll": [f"payroll.{STORE}", f"*.hr.{STORE}"],
    "clear": ["http://*.clear.test:8080", "*.other.test"],
    "inner": ["deep.other.test:8443"],
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (STORE, "store"), (f"a.{STORE}", "store"), (f"a.b.c.{STORE}", "store"), (f"payroll.{STORE}", "payroll"), (f"x.payroll.{STORE}", "store"),
        (f"a.hr.{STORE}", "payroll"), (f"a.b.hr.{STORE}", "payroll"), (f"hr.{STORE}", "store"), (f"a.{STORE}:8443", "unknown-host"), (f"http://a.{STORE}", "unknown-host"),
        (f"http://a.{STORE}:443", "unknown-host"), (f"a{STORE}", "unknown-host"), (f"{STORE}.evil.test", "unknown-host"), ("eu-central-1.amazonaws.com", "unknown-host"),
        ("http://a.clear.test:8080", "clear"), ("https://a.clear.test:8080", "unknown-host"), ("http://clear.test:8080", "unknown-host"), ("http://a.clear.test", "unknown-host"),
        ("a.other.test", "clear"), ("deep.other.test", "clear"), ("deep.other.test:8443", "inner"), ("a.deep.other.test:8443", "unknown-host"), ("10.0.0.1", "unknown-host"),
    ],
)  # fmt: skip
def test_owners(text, name):
    known = places(**KNOWN)
    assert owner(known, text) == name
    if name in KNOWN:
        origin = Origin.parse(text)
        assert known.reachable(origin.host, origin.port) == ()


def test_the_order_in_the_file_does_not_matter():
    turned = places(**dict(reversed(KNOWN.items())))
    assert (owner(turned, f"payroll.{STORE}"), owner(turned, f"a.hr.{STORE}"), owner(turned, f"a.{STORE}")) == (
        "payroll",
        "payroll",
        "store",
    )


def test_a_host_below_a_service_is_neither_tunnelled_nor_an_other():
    known = places(others="inspect", tunnel=["*.amazonaws.com"], **KNOWN)
    assert not known.tunnels(f"a.{STORE}", 443) and known.tunnels("sts.amazonaws.com", 443)
    assert owner(known, f"http://a.{STORE}:443") == "unknown-host"
    assert owner(known, "http://a.clear.test:80") == "others"
    assert owner(known, "https://elsewhere.test") == "others"


@pytest.mark.parametrize(
    "text",
    [
        "*", "*.", "*.com", "*.co.uk", "*.test", "*.kobe.jp", "*.ck", "*.*.amazonaws.com", "a.*.test", "*a.b.test", "**.b.test", "*.10.0.0.1", "*.[::1]",
        "*.b.test:0", "https://*.b.test/x", "*.u@b.test", "http://*", "*.xn--p1ai", "*.公司.cn",
    ],
)  # fmt: skip
def test_patterns_that_are_too_wide_or_none(text):
    with pytest.raises(ValueError, match=r"."):
        OriginPattern.parse(text)


def test_tunnels_are_never_below_a_registry():
    for text in ("*.com", "*.co.uk", "*.test"):
        with pytest.raises(ValueError, match="too wide"):
            HostPattern.parse(text)
    assert HostPattern.parse("*.example.co.uk").matches("a.example.co.uk")


def test_public_suffixes():
    assert is_public_suffix("co.uk", companies=False) and not is_public_suffix("www.ck", companies=False)
    assert is_public_suffix("anything.ck", companies=False) and is_public_suffix("amazonaws.com", companies=True)
    assert not is_public_suffix("amazonaws.com", companies=False) and not is_public_suffix("acme.co.uk", companies=True)
    assert is_public_suffix(STORE, companies=True) and not is_public_suffix(STORE, companies=False)


@pytest.mark.parametrize(
    ("host", "count"), [(f"*.{STORE}", 1), ("*.amazonaws.com", 1), ("*.github.io", 1), (STORE, 0), ("*.acme.test", 0)]
)
def test_a_secret_is_not_sent_where_anybody_can_have_a_host(tmp_path, host, count):
    path = tmp_path / "policy.toml"
    path.write_text(
        f'[identity]\nissuer = "https://idp.test"\n[services.x]\nhosts = ["{host}"]\ndialect = "d"\n'
        'credential = { header = "Authorization", value = "x" }\n'
    )
    found = problems(load(path))
    assert [(problem.line, problem.where) for problem in found] == [(6, "services.x.credential")] * count


CONSOLE = {"listen": "10.1.1.1:8090", "address": "https://Desk.Corp.Test"}


def with_console(others="refuse", tunnel=(), hosts=(), **console):
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "gateway": {"others": others, "tunnel_hosts": list(tunnel)},
            "services": {"x": {"dialect": "d", "hosts": list(hosts), "addresses": ["10.0.0.0/8"]}} if hosts else {},
            "console": CONSOLE | console,
        }
    )


@pytest.mark.parametrize("others", ["refuse", "tunnel", "inspect"])
def test_the_console_is_no_place_whatever_the_policy_lets_through(others):
    hosts = ("*.corp.test", "http://*.corp.test:8090", "https://10.1.1.1:8090", "http://desk.corp.test:443")
    known = Places(with_console(others, ("*.corp.test",) if others != "refuse" else (), hosts))
    for text in ("https://desk.corp.test", "http://desk.corp.test:443", "http://10.1.1.1:8090", "10.1.1.1:8090"):
        origin = Origin.parse(text)
        assert owner(known, text) == "console-not-here"
        assert not known.tunnels(origin.host, origin.port)
        assert known.reachable(origin.host, origin.port) is None
    assert owner(known, "https://data.corp.test") == "x"


def test_a_service_that_is_the_console_is_a_problem(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(
        '[identity]\nissuer = "https://idp.test"\n[console]\nlisten = "10.1.1.1:8090"\naddress = "https://desk.test"\n'
        '[services.x]\nhosts = ["data.test", "desk.test", "http://10.1.1.1:8090"]\ndialect = "d"\n'
    )
    found = problems(load(path))
    assert [problem.where for problem in found] == ["services.x.hosts"] * 2
    assert "`desk.test`" in found[0].message + found[1].message
