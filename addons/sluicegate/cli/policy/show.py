"""sluicegate policy show: what the policy says, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.policy.asking import load_to_ask
from sluicegate.cli.policy.layout import rows
from sluicegate.cli.safe_text import safe
from sluicegate.policy.sentences import mask_sentence, rule_sentence
from sluicegate.settings import Settings, model

_TITLES = {
    "deny": "Denied, whatever else allows it",
    "hold": "Held until somebody approves",
    "allow": "Allowed",
}


def show(
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print the policy as JSON, defaults included.")] = False,
) -> None:
    """Show what the policy says, in plain sentences.

    Example: sluicegate policy show --policy policy.toml
    """
    loaded = load_to_ask(policy)
    if as_json:
        document = {"policy": str(policy), "digest": loaded.digest, **loaded.settings.model_dump(mode="json")}
        typer.echo(json.dumps(document, indent=2))
        return
    console = Console(highlight=False)
    console.print(Text(safe(f"{policy} (sha256 {loaded.digest[:12]})")), soft_wrap=True)
    for title, lines in _sections(loaded.settings):
        console.print()
        console.print(Text(title, "bold"))
        rows(console, [((Text(safe(name), "cyan"),) if name else (), text) for name, text in lines], indent=2)


def _sections(settings: Settings) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "Services", [(name, _service(name, settings)) for name in settings.services]
    if settings.datasets:
        yield "Datasets", [(name, _dataset(table)) for name, table in settings.datasets.items()]
    for effect, title in _TITLES.items():
        rules = sorted((rule for rule in settings.rules if rule.effect == effect), key=lambda rule: rule.id)
        if rules:
            yield title, [(rule.id, _rule(rule)) for rule in rules]
    yield "Everything else", [("", "Denied.")]
    if settings.masks:
        masks = sorted(settings.masks, key=lambda mask: mask.id)
        yield "Masked in responses", [(mask.id, mask_sentence(mask, settings)) for mask in masks]
    yield "Other hosts", [("", _others(settings))]


def _service(name: str, settings: Settings) -> str:
    service = settings.services[name]
    table = settings.dialects.get(service.dialect)
    how = f"dialect {service.dialect}" + (f", {len(table.routes)} routes" if table else ", built in")
    return f"{', '.join(service.hosts)} ({how})"


def _dataset(table: model.Dataset) -> str:
    classes: dict[str, list[str]] = {}
    for column, of in table.columns.items():
        classes.setdefault(of, []).append(column)
    known = "; ".join(f"{of}: {', '.join(columns)}" for of, columns in sorted(classes.items()))
    return f"at {table.service}, {known or 'no sensitive columns'}"


def _rule(rule: model.Rule) -> str:
    mode = " (Only reported, not applied.)" if rule.mode == "report" else ""
    return rule_sentence(rule) + mode


def _others(settings: Settings) -> str:
    gateway = settings.gateway
    return {
        "refuse": "Hosts that no service names are refused.",
        "tunnel": f"Hosts that no service names are refused, but for TLS to {', '.join(gateway.tunnel_hosts)}.",
        "inspect": "Hosts that no service names are inspected, and judged as the service `others`.",
    }[gateway.others]
