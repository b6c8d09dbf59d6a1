"""The reference of policy.toml in docs/policy.md, generated from the model that loads the file.

python -m sluicegate.policy.reference docs/policy.md       writes the part between the marks anew
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sluicegate.settings import Settings

BEGIN, END = "<!-- reference: generated -->", "<!-- reference: end -->"

_TITLES = {
    "gateway": "[gateway]",
    "identity": "[identity]",
    "services": "[services.NAME]",
    "dialects": "[dialects.NAME]",
    "datasets": "[datasets.NAME]",
    "jobs": "[jobs.NAME]",
    "rules": "[[rules]]",
    "masks": "[[masks]]",
    "detection": "[detection]",
    "approvals": "[approvals]",
    "notify": "[notify.NAME]",
    "recording": "[recording]",
    "console": "[console]",
}


def reference() -> str:
    """Markdown: a heading and a table of keys for each table of the file."""
    schema = Settings.model_json_schema()
    kinds: dict[str, Any] = schema["$defs"]
    parts = []
    for name, title in _TITLES.items():
        table = _table(schema["properties"][name])
        parts.append(f"### `{title}`\n\n{_about(kinds[table])}\n\n{_keys(kinds[table])}")
        if table == "Dialect":
            parts.append(f"#### `[[dialects.NAME.routes]]`\n\n{_about(kinds['Route'])}\n\n{_keys(kinds['Route'])}")
        if table == "Rule":
            parts += [
                f"#### `{key} = {{ ... }}`\n\n{_about(kinds[kind])}\n\n{_keys(kinds[kind])}"
                for key, kind in (("budget", "Budget"), ("approval", "Terms"))
            ]
        if table == "Detection":
            parts += [
                f"#### `[detection.{key}]`\n\n{_about(kinds[kind])}\n\n{_keys(kinds[kind])}"
                for key, kind in (("syslog", "Syslog"), ("http", "Collector"))
            ]
        if table == "Recording":
            parts.append(f"#### `[recording.keep]`\n\n{_about(kinds['Keep'])}\n\n{_keys(kinds['Keep'])}")
        if table == "Service":
            parts.append(f"#### `credential = {{ ... }}`\n\n{_keys(kinds['Credential'])}")
            parts.append(f"#### `on_behalf = {{ ... }}`\n\n{_about(kinds['OnBehalf'])}\n\n{_keys(kinds['OnBehalf'])}")
            parts.append(f"#### `[services.NAME.canary]`\n\n{_about(kinds['Canary'])}\n\n{_keys(kinds['Canary'])}")
        if table == "Identity":
            kind = kinds["TokenExchange"]
            parts.append(f"#### `[identity.token_exchange]`\n\n{_about(kind)}\n\n{_keys(kind)}")
    return "\n\n".join(parts)


def _table(node: dict[str, Any]) -> str:
    for part in (
        node,
        node.get("items", {}),
        node.get("additionalProperties", {}),
        *node.get("patternProperties", {}).values(),
    ):
        if isinstance(part, dict) and "$ref" in part:
            return str(part["$ref"].rpartition("/")[2])
    raise ValueError("a table of the model has no type of its own")


def _keys(kind: dict[str, Any]) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, node in kind["properties"].items():
        required = name in kind.get("required", ())
        default = "required" if required else "" if node.get("default") is None else f"`{_toml(node['default'])}`"
        rows.append(f"| `{name}` | {default} | {_paragraph(node.get('description', ''))} |")
    return "\n".join(rows)


def _about(kind: dict[str, Any]) -> str:
    text = _paragraph(kind["description"]).partition(": ")[2]
    return text[0].upper() + text[1:]


def _paragraph(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


def write(page: Path, text: str) -> None:
    """Write the part of a page between the marks anew."""
    head, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    write(Path(sys.argv[1]), reference())
