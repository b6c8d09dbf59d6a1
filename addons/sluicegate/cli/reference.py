"""The reference of the commands in docs/commands.md, made from the commands' own help.

python -m sluicegate.cli.reference docs/commands.md       writes the part between the marks anew
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

from sluicegate.cli.app import app
from sluicegate.policy.reference import write
from sluicegate_replay.cli.app import app as replay_app

WIDTH = 88
APPLICATIONS = (("sluicegate", app), ("sluicegate-replay", replay_app))


def pages(application: typer.Typer, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path of a command, its help) for an application and every command in it."""
    yield path, help_of(application, *path)
    inner = application
    for name in path:
        inner = next(g.typer_instance for g in inner.registered_groups if g.name == name and g.typer_instance)
    for group in inner.registered_groups:
        if group.name:
            yield from pages(application, *path, group.name)
    for command in inner.registered_commands:
        called = command.name or (command.callback.__name__ if command.callback else "")
        yield (*path, called), help_of(application, *path, called)


def help_of(application: typer.Typer, *command: str) -> str:
    """What `--help` prints. Raises RuntimeError when it does not work."""
    result = CliRunner().invoke(application, [*command, "--help"], terminal_width=WIDTH, env={"COLUMNS": str(WIDTH)})
    if result.exit_code != 0:
        raise RuntimeError(f"{' '.join(command)} --help ended with {result.exit_code}")
    # The first line names the application as the runner knows it; the heading says what it is called.
    return result.output.partition("\n\n")[2].rstrip()


def reference(*applications: tuple[str, typer.Typer]) -> str:
    """Markdown: a heading for each command and its help."""
    parts = []
    for name, application in applications:
        for path, text in pages(application):
            parts.append(f"## `{' '.join((name, *path))}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


if __name__ == "__main__":
    write(Path(sys.argv[1]), reference(*APPLICATIONS))
