"""What the console hands out as the gateway's authority: certificates, and under no circumstances a key."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from sluicegate.clock import SetClock
from sluicegate.console import authority_api
from sluicegate.console.guard import OPEN_PATHS, Guard
from sluicegate.pipeline import authority, rotation
from sluicegate.pipeline.constraints import Names


class Nobody:
    async def verify(self, token):
        raise AssertionError("no credential is needed")


@pytest.fixture
def ask(tmp_path):
    def asked(path):
        guard = Middleware(Guard, hosts=frozenset({"localhost"}), verifier=Nobody(), clock=SetClock())
        app = Starlette(routes=[authority_api.route(path)], middleware=[guard])
        return TestClient(app, base_url="http://localhost").get(authority_api.PATH)

    return asked


def test_what_is_to_be_trusted_and_during_a_rotation_both(ask, tmp_path):
    assert authority_api.PATH in OPEN_PATHS
    names = Names(frozenset({"chunks.test"}))
    authority.prepare(tmp_path, names, {})
    rotation.begin(tmp_path, names, None, days=30)
    answer = ask(tmp_path / "mitmproxy-ca-cert.pem")
    assert answer.status_code == 200 and answer.content == rotation.read(tmp_path).pem
    assert answer.content.count(b"BEGIN CERTIFICATE") == 2


def test_a_key_is_never_handed_out(ask, tmp_path):
    authority.prepare(tmp_path, Names(), {})
    for path in (authority.file_of(tmp_path), tmp_path / "nowhere", tmp_path, None):
        answer = ask(path)
        assert answer.status_code == 404 and b"PRIVATE" not in answer.content, path
