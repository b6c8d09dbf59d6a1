"""sluicegate recording keys: an age identity for nobody else's eyes, never written over."""

from __future__ import annotations

import json
import stat

import pyrage
import pytest
from typer.testing import CliRunner

from sluicegate.cli.recording import app
from sluicegate.errors import Fault
from sluicegate.recording.ledger.keys import default_origin, signing_key
from sluicegate.recording.ledger.note import Signer


def test_the_file_is_an_age_identity_and_the_recipient_fits_it(tmp_path):
    out = tmp_path / "investigator.txt"
    done = CliRunner().invoke(app, ["keys", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    secret = [line for line in out.read_text().splitlines() if not line.startswith("#")]
    identity = pyrage.x25519.Identity.from_str(secret[0])
    assert str(identity.to_public()) == told["recipient"]
    assert secret[0] not in done.stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    with pytest.raises(Fault, match="is there already"):
        CliRunner().invoke(app, ["keys", "--out", str(out)], catch_exceptions=False)
    assert out.read_bytes() == before


def test_the_next_key_is_made_once_and_listed(tmp_path):
    (tmp_path / "policy.toml").write_text('[identity]\nissuer = "https://idp.example"\n')
    where = ["--policy", str(tmp_path / "policy.toml"), "--state", str(tmp_path / "state")]
    with pytest.raises(Fault, match="no gateway has run yet"):
        CliRunner().invoke(app, ["keys", "rotate", *where], catch_exceptions=False)
    key = signing_key(tmp_path / "state" / "keys")
    told = json.loads(CliRunner().invoke(app, ["keys", "rotate", *where, "--json"], catch_exceptions=False).stdout)
    listed = json.loads(CliRunner().invoke(app, ["keys", "list", *where, "--json"], catch_exceptions=False).stdout)
    assert listed["next"] == told["next"]
    assert listed["key"] == Signer(default_origin(key), key).verifier.text()
    assert listed["next"].startswith(f"{default_origin(key)}+"), "the log keeps its name"
    with pytest.raises(Fault, match="already"):
        CliRunner().invoke(app, ["keys", "rotate", *where], catch_exceptions=False)
    assert CliRunner().invoke(app, ["keys"]).exit_code == 2
