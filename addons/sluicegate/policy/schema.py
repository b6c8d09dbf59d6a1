"""The JSON Schema of policy.toml for editors, made from the model that loads it.

`python -m sluicegate.policy.schema` writes it anew; a test compares the shipped file with what this makes.
"""

from __future__ import annotations

import json
from pathlib import Path

import sluicegate.settings
from sluicegate.settings import Settings

SHIPPED = Path(sluicegate.settings.__file__).with_name("policy.schema.json")
"""The schema that the package carries; policy.toml names it in its first line."""


def schema() -> str:
    """The schema as the text of its file."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(),
        "title": "policy.toml of Sluicegate",
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SHIPPED.write_text(schema(), encoding="utf-8")
