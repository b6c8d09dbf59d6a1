"""Wycheproof's signatures and keys: whatever it calls invalid proves nothing here, and what is valid and ours does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sluicegate.errors import Refusal
from sluicegate.identity import tokens
from sluicegate.identity.compact import decode
from sluicegate.identity.screening import screen
from sluicegate.settings.model import Identity

FOLDER = Path(__file__).parent.parent / "vectors" / "wycheproof"
SETTINGS = Identity(
    issuer="https://idp.example", algorithms=["RS256", "PS256", "ES256", "EdDSA"], untyped_tokens=True
)  # what signs is looked at here, and not what a token says of itself
OURS = {"RS256", "PS256", "ES256"}


def vectors(name: str) -> dict[int, dict[str, Any]]:
    return {one["id"]: one for one in json.loads((FOLDER / f"{name}.json").read_text())}


SIGNATURES, KEYS = vectors("json_web_signature"), vectors("json_web_key")


def proves(vector: dict[str, Any]) -> bool:
    """Whether the signature counts, with everything that we do but for the payload, which is none of a token here."""
    key = vector["key"]
    usable, _ = screen(key.get("keys", [key]))
    parts = vector["jws"].split(".")
    if len(parts) != 3:
        with pytest.raises(Refusal):
            tokens.read(vector["jws"], SETTINGS)
        return False
    header, payload, signature = parts
    try:
        decode(payload)
        unproved = tokens.read(f"{header}.e30.{signature}", SETTINGS)
        if unproved.kid not in usable:
            return False
        tokens.check_signature(
            tokens.Unproved(vector["jws"], unproved.algorithm, unproved.kid, False, {}), usable[unproved.kid]
        )
    except (Refusal, ValueError):
        return False
    return True


def named(vector: dict[str, Any]) -> str:
    return f"{vector['comment']} {vector['result']} {vector['jws'][:200]}"


INVALID = [number for number, one in SIGNATURES.items() if one["result"] == "invalid"]


@pytest.mark.parametrize("number", INVALID)
def test_an_invalid_signature_proves_nothing(number: int) -> None:
    assert not proves(SIGNATURES[number]), named(SIGNATURES[number])


def algorithm(vector: dict[str, Any]) -> Any:
    header = vector["jws"].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))).get("alg")


def test_a_valid_signature_with_an_algorithm_of_ours_proves() -> None:
    valid = {number: one for number, one in SIGNATURES.items() if one["result"] == "valid"}
    good = {number for number, one in valid.items() if proves(one)}
    expected = {number for number, one in valid.items() if algorithm(one) in OURS}
    assert good <= expected and len(good) >= 10
    assert {number: named(valid[number]) for number in expected - good} == {}


@pytest.mark.parametrize("number", KEYS)
def test_a_key_that_is_weak_or_misused_verifies_nothing(number: int) -> None:
    vector = KEYS[number]
    expected = vector["result"] == "valid" and algorithm(vector) in OURS
    assert proves(vector) is expected, named(vector)
