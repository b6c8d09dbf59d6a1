"""A policy that changes while the gateway runs: in force as a whole or not at all, and never by half a file."""

import json
import os

import pytest

from sluicegate.exchange import Operation, Principal
from sluicegate.pipeline.order import build
from sluicegate.settings import State, load
from sluicegate.settings.hosts import Origin

POLICY = """[identity]
issuer = "https://idp.test"
[dialects.d]
routes = [{ request = "GET /x", kind = "read" }]
[services.one]
hosts = ["one.test"]
dialect = "d"
credential = { header = "X-Key", value = "${RELOAD_KEY}" }
"""
RULE = '[[rules]]\nid = "all"\neffect = "allow"\n'
DENY = '[[rules]]\nid = "no"\neffect = "deny"\n'
ADA = Principal("ada", "i")


class Running:
    def __init__(self, path, state):
        self.path = path
        self.state = state
        self.ticks = 0
        self.write(POLICY + RULE)
        self.gateway = build(load(path), state)
        self.watch = self.gateway.watch

    def write(self, text):
        self.ticks += 1
        self.path.write_text(text)
        os.utime(self.path, ns=(self.ticks * 10**9, self.ticks * 10**9))

    async def changed_to(self, text):
        self.write(text)
        await self.watch.look()
        await self.watch.look()

    @property
    def said(self):
        return json.loads((self.state.root / "policy.json").read_text())

    def effect(self, parts=None):
        from sluicegate.policy import decide

        parts = parts or self.gateway.line.in_force
        return decide(parts["policy"], ADA, Operation("one", "read")).effect


@pytest.fixture
def running(tmp_path, monkeypatch):
    monkeypatch.setenv("RELOAD_KEY", "k1")
    return Running(tmp_path / "policy.toml", State(tmp_path / "state").open())


async def test_a_sound_change_is_put_in_force_in_every_room(running, caplog):
    before, digest = running.gateway.line.in_force, running.gateway.loaded.digest
    more = '[services.two]\nhosts = ["two.test"]\ndialect = "d"\n'
    await running.changed_to(POLICY + more + RULE + DENY)
    after = running.gateway.line.in_force
    changed = {"lockdown", "operations", "risk", "policy", "credentials"}
    # What the authority may sign for does not change with the policy: hosts beyond it are not put in force at all.
    assert set(before) == set(after) == changed | {"authority", "masking"}
    assert all(after[name] is not before[name] for name in changed)
    assert (running.effect(), running.effect(before)) == ("deny", "allow")
    assert running.gateway.loaded.digest != digest and after["policy"].digest == running.gateway.loaded.digest
    assert [after["lockdown"].owner(Origin.parse(host)) for host in ("one.test", "two.test")] == ["one", "two"]
    assert after["credentials"].of("one").secret.value == "k1"
    assert after["operations"]._results is before["operations"]._results  # handles that are out stay known
    assert running.said["digest"] == running.gateway.loaded.digest and running.said["problems"] == []
    assert "in force" in caplog.text


async def test_an_exchange_keeps_the_policy_that_it_began_with(running):
    from mitmproxy.test import tflow

    old = running.gateway.line.exchange(flow := tflow.tflow())
    await running.changed_to(POLICY + RULE + DENY)
    new = running.gateway.line.exchange(other := tflow.tflow())
    assert running.gateway.line.exchange(flow) is old and running.effect(old.in_force) == "allow"
    assert running.gateway.line.exchange(other) is new and running.effect(new.in_force) == "deny"


BROKEN = [
    ("[[rules", "syntax"),
    (POLICY + RULE + RULE, "taken by"),
    (POLICY.replace("RELOAD_KEY", "SURELY_UNSET_KEY") + RULE, "SURELY_UNSET_KEY"),
    (POLICY + '[[rules]]\nid = "x"\neffect = "deny"\ncommands = ["a("]\n', "RE2"),
    (POLICY.replace("https://idp.test", "https://other.test") + RULE, "cannot change while the gateway runs"),
    ('[gateway]\nlisten = "127.0.0.1:9"\n' + POLICY + RULE, "cannot change while the gateway runs"),
    ("[recording]\nsync_seconds = 3.0\n" + POLICY + RULE, "cannot change while the gateway runs"),
    ("", "required"),
]


@pytest.mark.parametrize(("text", "why"), BROKEN)
async def test_any_other_change_changes_nothing_and_is_said_once(running, caplog, text, why):
    before, digest = running.gateway.line.in_force, running.gateway.loaded.digest
    await running.changed_to(text)
    await running.watch.look()
    assert running.gateway.line.in_force is before and running.effect() == "allow"
    assert running.gateway.loaded.digest == digest == running.said["digest"]
    assert why in json.dumps(running.said["problems"]) or why in caplog.text
    assert caplog.text.count("stays") == 1
    await running.changed_to(POLICY + RULE + DENY)
    assert running.effect() == "deny" and running.said["problems"] == []


async def test_gateway_keys_that_can_follow_do(running):
    await running.changed_to('[gateway]\nothers = "inspect"\n' + POLICY + RULE)
    assert running.gateway.loaded.settings.gateway.others == "inspect"


async def test_half_a_file_is_not_taken_up(running):
    # A file that is being written is a sound policy at many lengths, with fewer denies.
    running.write(POLICY + RULE + DENY)
    await running.watch.look()
    running.write(POLICY + RULE)
    await running.watch.look()
    running.write(POLICY + DENY)
    await running.watch.look()
    assert running.effect() == "allow"
    await running.watch.look()
    assert running.effect() == "deny"


async def test_a_file_that_is_gone_leaves_everything(running, caplog):
    running.path.unlink()
    for _ in range(3):
        await running.watch.look()
    assert running.effect() == "allow" and caplog.text.count("is gone") == 1
    await running.changed_to(POLICY + DENY)
    assert running.effect() == "deny"


async def test_a_room_that_cannot_prepare_stops_the_whole_change(running, monkeypatch, caplog):
    before = running.gateway.line.in_force
    credentials = next(room for room in running.gateway.rooms if room.name == "credentials")

    def fails(loaded):
        raise ZeroDivisionError("something of ours")

    monkeypatch.setattr(credentials, "prepare", fails)
    await running.changed_to(POLICY + RULE + DENY)
    await running.watch.look()
    assert running.gateway.line.in_force is before and caplog.text.count("stays in force") == 1


EXCHANGE = """[identity.token_exchange]
client_id = "gateway"
client_secret = "${RELOAD_KEY}"
[dialects.d]"""


async def test_who_vouches_for_people_takes_a_restart_and_the_log_says_of_each_key(running, caplog):
    changed = POLICY.replace("[dialects.d]", f'audience = "other"\ngroups_claim = "roles"\n{EXCHANGE}')
    await running.changed_to(changed + RULE + DENY)
    assert running.effect() == "allow"  # nothing of the file is in force, its new rule neither
    assert [problem["where"] for problem in running.said["problems"]] == [
        "identity.audience", "identity.groups_claim", "identity.token_exchange",
    ]  # fmt: skip
    for line, key in ((3, "audience"), (4, "groups_claim"), (5, "token_exchange")):
        assert f"policy.toml:{line}: identity.{key}: cannot change while the gateway runs (restart" in caplog.text


async def test_a_service_begins_to_take_tokens_of_people_without_a_restart(tmp_path, monkeypatch):
    monkeypatch.setenv("RELOAD_KEY", "k1")
    monkeypatch.setattr(f"{__name__}.POLICY", POLICY.replace("[dialects.d]", EXCHANGE))
    running = Running(tmp_path / "policy.toml", State(tmp_path / "state").open())
    assert running.gateway.line.in_force["credentials"].wanted("one") is None
    before = running.gateway.line.in_force["credentials"]
    shared = '{ header = "X-Key", value = "${RELOAD_KEY}" }'
    await running.changed_to(POLICY.replace(shared, '{ on_behalf = { audience = "first" } }') + RULE)
    assert running.said["problems"] == []
    assert running.gateway.line.in_force["credentials"].wanted("one").target.audience == "first"
    assert running.gateway.line.in_force["credentials"].of("one") is None and before.of("one") is not None


async def test_without_a_client_of_its_own_at_the_provider_it_does_not(running):
    shared = '{ header = "X-Key", value = "${RELOAD_KEY}" }'
    await running.changed_to(POLICY.replace(shared, '{ on_behalf = { audience = "first" } }') + RULE)
    assert [problem["where"] for problem in running.said["problems"]] == ["services.one.credential.on_behalf"]
    assert running.gateway.line.in_force["credentials"].of("one") is not None
