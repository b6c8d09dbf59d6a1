"""sluicegate recording keys: an age identity for nobody else's eyes, never written over."""

from __future__ import annotations

import json
import stat

import pyrage
import pytest
from typer.testing import CliRunner

from sluicegate.cli.recording import app
from sluicegate.errors import Fault


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
