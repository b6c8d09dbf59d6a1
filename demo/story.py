"""The demo's story, played with real curl and a Python client through HTTPS_PROXY.

Each step prints what is done and what came back, and says whether it did what it should. Exit code 0 only if all did.

    python -m demo.story
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from demo.processes import CONSOLE, GATEWAY, ROOT, SERVICE, Demo, DemoFault

out = Console(highlight=False)

CHUNK = f"{SERVICE}/datasets/customers/chunks/7?columns=id,name,email,ssn"
EXPORTS = f"{SERVICE}/datasets/customers/exports"
OUTSIDE = f"s3://partner-drop/customers-7-{int(time.time())}.ndjson"
BIN = Path(sys.executable).parent


class Story:
    """The steps, in order. A step that does not do what it should is marked, and the story goes on to its end."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.tokens = {person: demo.sign_in(person) for person in ("ada", "grace", "linus")}
        self.failed: list[str] = []
        self.number = 0

    def step(self, title: str) -> None:
        self.number += 1
        out.print()
        out.print(Text(f" {self.number}. {title} ", style="bold reverse"))

    def expect(self, what: str, holds: bool) -> None:
        """Print one thing that should hold, and remember it when it does not."""
        out.print(Text("  ok   " if holds else "  FAILED ", style="green" if holds else "bold red"), Text(what), sep="")
        if not holds:
            self.failed.append(f"step {self.number}: {what}")

    def show(self, text: str, lines: int = 14) -> None:
        shown = text.strip().splitlines()
        rest = [f"... and {len(shown) - lines} more lines"] if len(shown) > lines else []
        out.print(Panel(Text("\n".join(shown[:lines] + rest)), border_style="dim", expand=False))

    def environment(self, person: str | None) -> dict[str, str]:
        """What `HTTPS_PROXY` and the authority's variables look like on a person's workstation."""
        clean = {k: v for k, v in os.environ.items() if k.lower() not in ("no_proxy", "all_proxy", "http_proxy")}
        credential = f"{person}:{self.tokens[person]}@" if person else ""
        ca = str(self.demo.gateway_ca)
        return {**clean, "HTTPS_PROXY": f"http://{credential}{GATEWAY}", "CURL_CA_BUNDLE": ca, "SSL_CERT_FILE": ca}

    def curl(self, person: str | None, *arguments: str) -> subprocess.Popen[str]:
        """Start curl as a person; what is printed leaves the token out."""
        shown = " ".join(f"'{a}'" if " " in a or "?" in a or "{" in a else a for a in arguments)
        out.print(Text(f"  {person or 'nobody'}$ curl {shown}", style="cyan"))
        return subprocess.Popen(
            [
                "curl",
                "--silent",
                "--show-error",
                "--max-time",
                "90",
                "--write-out",
                "\n%{http_connect} %{http_code}",
                *arguments,
            ],
            env=self.environment(person),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, person: str | None, *arguments: str) -> tuple[str, str, str, str]:
        """Run curl to its end: status of CONNECT, status of the answer, body, and what curl complained of."""
        return self.answer(self.curl(person, *arguments))

    @staticmethod
    def answer(process: subprocess.Popen[str]) -> tuple[str, str, str, str]:
        body, complaint = process.communicate(timeout=120)
        body, _, codes = body.rpartition("\n")
        connect, code = codes.split()
        return connect, code, body, complaint

    def sluicegate(self, person: str, *arguments: str) -> tuple[int, str]:
        """Run `sluicegate` as a signed-in person."""
        out.print(Text(f"  {person}$ sluicegate {' '.join(arguments)}", style="cyan"))
        done = subprocess.run(
            [str(BIN / "sluicegate"), *arguments],
            env={
                **os.environ,
                "SLUICEGATE_TOKEN": self.tokens[person],
                "SLUICEGATE_CONSOLE": CONSOLE,
                "COLUMNS": "110",
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def true_rows(self) -> list[dict[str, Any]]:
        """The chunk as the service itself knows it, asked directly with the service's own secret."""
        trusted = ssl.create_default_context(cafile=str(self.demo.state / "demo" / "ca.pem"))
        with httpx2.Client(trust_env=False, verify=trusted) as client:
            answer = client.get(CHUNK, headers={"Authorization": f"Bearer {self.demo.token}"})
            rows: list[dict[str, Any]] = answer.json()["rows"]
            return rows

    # The steps

    def no_credential(self) -> None:
        self.step("Nobody in particular asks for a chunk")
        connect, _, _, complaint = self.ask(None, CHUNK)
        self.show(complaint)
        self.expect("refused at CONNECT with 407, before anything reached the service", connect == "407")

    def masked_chunk(self) -> None:
        self.step("Ada (engineering) reads a chunk")
        _, code, body, _ = self.ask("ada", CHUNK)
        rows, truth = json.loads(body)["rows"], self.true_rows()
        self.show(json.dumps(rows[:2], indent=2))
        self.expect(f"allowed, {len(rows)} rows", code == "200" and len(rows) == 100)
        pairs = list(zip(rows, truth, strict=True))
        self.expect(
            "ssn shows its last four characters and no more",
            all(
                m["ssn"] != t["ssn"] and m["ssn"][-4:] == t["ssn"][-4:] and t["ssn"][:6] not in m["ssn"]
                for m, t in pairs
            ),
        )
        self.expect("email is a pseudonym", all(t["email"] not in body and m["email"] for m, t in pairs))
        self.expect("id is as it was", all(m["id"] == t["id"] for m, t in pairs))

    def unmasked_chunk(self) -> None:
        self.step("Grace (fraud) reads the same chunk, with a Python client")
        out.print(Text(f"  grace$ python: httpx2.Client().get('{CHUNK}')", style="cyan"))
        trusted = ssl.create_default_context(cafile=str(self.demo.gateway_ca))
        proxy = self.environment("grace")["HTTPS_PROXY"]
        with httpx2.Client(trust_env=False, proxy=proxy, verify=trusted, timeout=30) as client:
            answer = client.get(CHUNK)
        rows = answer.json()["rows"]
        self.show(json.dumps(rows[:1], indent=2))
        self.expect("allowed and unmasked, because the policy lifts the masks for her group", rows == self.true_rows())

    def denied_command(self) -> None:
        self.step("Ada drops the dataset")
        _, code, body, _ = self.ask("ada", "-X", "DELETE", f"{SERVICE}/datasets/customers")
        self.show(body)
        problem = json.loads(body)
        self.expect(
            "denied, with the rule and the reason", code == "403" and problem.get("rules") and problem["detail"]
        )
        self.expect("the dataset is still there", len(self.true_rows()) == 100)

    def approved_export(self) -> None:
        self.step("Ada exports to a bucket that is not ours; Linus (data-stewards) approves")
        waiting = self.curl("ada", "--json", json.dumps({"destination": OUTSIDE, "chunks": [7]}), EXPORTS)
        pending = self.pending("linus")
        self.expect("the request is held and nothing has left", waiting.poll() is None and not self.exported(OUTSIDE))
        self.show(self.sluicegate("linus", "approvals", "list")[1])
        status, text = self.sluicegate("linus", "approvals", "approve", pending["code"])
        self.show(text)
        self.expect("Linus approves", status == 0)
        _, code, body, _ = self.answer(waiting)
        self.show(body)
        self.expect("Ada's curl, which had waited, goes on: 201", code == "201")
        self.expect("the object is in the bucket", self.exported(OUTSIDE))

    def own_export(self) -> None:
        self.step("Linus exports the same, and tries to approve himself")
        elsewhere = OUTSIDE.replace("customers-7", "linus-7")
        body = json.dumps({"destination": elsewhere, "chunks": [7]})
        waiting = self.curl("linus", "-H", "Prefer: wait=5", "--json", body, EXPORTS)
        pending = self.pending("linus")
        status, text = self.sluicegate("linus", "approvals", "approve", pending["code"])
        self.show(text)
        self.expect("nobody approves their own request, whatever their role", status != 0)
        _, code, answer, _ = self.answer(waiting)
        self.show(answer)
        self.expect("the request ends refused, with the way to go on", code == "403" and "next_step" in answer)
        self.expect("nothing has left", not self.exported(elsewhere))

    def replay(self) -> None:
        self.step("Weeks later, an investigator replays it all")
        for arguments in (("list",), ("list", "--json")):
            status, text = self.replay_tool(*arguments, shown=arguments == ("list",))
            self.expect(f"sluicegate-replay {' '.join(arguments)} reads the recordings", status == 0)
        exchanges = json.loads(text)["exchanges"]
        mine = [e for e in exchanges if e["started"] >= self.began]
        sessions = {e["session"] for e in mine if e.get("session")}
        self.expect("every exchange of the story is there, refused ones included", len(mine) == 6)
        denied = next(e for e in mine if e["kind"] == "admin")
        status, text = self.replay_tool("show", denied["id"])
        self.expect("the denied command can be shown, with its reason", "403" in text and status == 0)
        self.expect(
            "a session can be played",
            bool(sessions) and self.replay_tool("play", sorted(sessions)[0], "--no-wait")[0] == 0,
        )
        secrets = [self.demo.token, *self.tokens.values()]
        files = [f for f in (self.demo.state / "recordings").rglob("*") if f.is_file()]
        self.expect(
            "no credential stands in any recording",
            bool(files) and not any(s.encode() in f.read_bytes() for f in files for s in secrets),
        )

    # What the steps stand on

    def replay_tool(self, *arguments: str, shown: bool = True) -> tuple[int, str]:
        folder = str(self.demo.state / "recordings")
        out.print(Text(f"  investigator$ sluicegate-replay {' '.join(arguments)}", style="cyan"))
        done = subprocess.run(
            [str(BIN / "sluicegate-replay"), *arguments, "--from", folder],
            env={**os.environ, "COLUMNS": "118"}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if shown:
            self.show(done.stdout + done.stderr, 24)
        return done.returncode, done.stdout

    def pending(self, person: str) -> dict[str, Any]:
        """The newest pending approval, once it is there."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            done = subprocess.run(
                [str(BIN / "sluicegate"), "approvals", "list", "--json"],
                env={**os.environ, "SLUICEGATE_TOKEN": self.tokens[person], "SLUICEGATE_CONSOLE": CONSOLE},
                cwd=ROOT, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            rows = json.loads(done.stdout)["approvals"] if done.returncode == 0 else []
            waiting = [row for row in rows if row["state"] == "pending"]
            if waiting:
                return max(waiting, key=lambda row: row["created"])
        raise DemoFault(f"no request came to be pending:\n{done.stdout}{done.stderr}")

    def exported(self, destination: str) -> bool:
        bucket, _, key = destination.removeprefix("s3://").partition("/")
        return (self.demo.sink / bucket / key).exists()

    def play(self) -> list[str]:
        """All steps; returns what did not hold."""
        self.began = time.time() - 1
        steps: list[Callable[[], None]] = [
            self.no_credential,
            self.masked_chunk,
            self.unmasked_chunk,
            self.denied_command,
            self.approved_export,
            self.own_export,
            self.replay,
        ]
        for step in steps:
            step()
        return self.failed


def main() -> int:
    """Play the story. Exit code 0 when every step did what it should, 1 when one did not, 2 when it cannot start."""
    began = time.monotonic()
    try:
        out.print("Starting identity provider, chunk service, gateway and console ...")
        with Demo() as demo:
            failed = Story(demo).play()
    except DemoFault as fault:
        print(f"sluicegate demo: {fault}", file=sys.stderr)
        return 2
    out.print()
    for what in failed:
        out.print(Text(f"FAILED {what}", style="bold red"))
    ending = "The story did not hold" if failed else "Every step did what it should"
    out.print(f"{ending}, in {time.monotonic() - began:.0f} s. Nothing is left running.")
    out.print("\nThe recordings are in .sluicegate/recordings. Try:\n")
    for line in ("list", "show ID", "play SESSION --speed 4"):
        out.print(Text(f"  .venv/bin/sluicegate-replay {line}", style="cyan"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
