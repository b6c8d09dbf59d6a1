"""Detection on labelled events that were not written here: the tests of the rules in pypanther (Apache 2.0).

python -m bench.labelled [--package FOLDER]

Each is an event of an audit log with a label: whether the rule of its authors must speak. Those of S3 and of Snowflake
that are about handing out, taking and removing are written as the requests that they were, read by the dialects, and
fed to a person with four weeks of ordinary reading behind them. The package is downloaded, read as text, and never run.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from bench.detection import wilson
from sluicegate.clock import SystemClock
from sluicegate.detection.event import Event
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.operations import Reader, RequestView
from sluicegate.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGE = "pypanther==0.1.1a62"
START = 1_799_020_800.0
DAY = 86_400.0
S3 = {
    "PutBucketPolicy": ("PUT", "policy"), "PutBucketAcl": ("PUT", "acl"), "GetBucketAcl": ("GET", "acl"),
    "GetBucketPolicy": ("GET", "policy"), "PutBucketLifecycle": ("PUT", "lifecycle"),
    "GetBucketLifecycle": ("GET", "lifecycle"), "DeleteBucket": ("DELETE", ""), "DeleteObject": ("DELETE", ""),
    "DeleteObjects": ("POST", "delete"), "ListBucket": ("GET", "list-type=2"), "CopyObject": ("PUT", ""),
}  # fmt: skip
"""Method and subresource of each call (S3 API reference)."""
RULES = (
    "aws_resource_made_public", "aws_s3_bucket_policy_modified", "aws_s3_copy_object_with_client_side_encryption",
    "aws_s3_bucket_deleted", "aws_s3_delete_object", "aws_s3_delete_objects", "aws_cloudtrail_short_lifecycle",
    "snowflake_stream_file_downloaded", "snowflake_stream_table_copied_into_stage",
    "snowflake_stream_temp_stage_created",
)  # fmt: skip
"""Rules about what is done; others are about who does it from where, which this says nothing of."""


_PARTS = ("name", "expected_result", "log")


class Labelled(NamedTuple):
    """An event of the package."""

    rule: str
    name: str
    bad: bool
    log: dict[str, Any]


def labelled(wheel: Path) -> Iterator[Labelled]:
    """The tests of the rules, out of their source."""
    with zipfile.ZipFile(wheel) as packed:
        for name in sorted(packed.namelist()):
            rule = Path(name).stem
            if rule not in RULES:
                continue
            for node in ast.walk(ast.parse(packed.read(name))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RuleTest":
                    given = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg in _PARTS}
                    yield Labelled(rule, given["name"], given["expected_result"], given["log"])


def request(log: dict[str, Any]) -> tuple[str, RequestView] | None:
    """The service, and the request that the event was; None where it was none of these calls."""
    lower = {str(name).lower(): value for name, value in log.items()}
    if lower.get("query_text"):
        body = json.dumps({"sqlText": lower["query_text"]}).encode()
        headers = {"content-type": ("application/json",)}
        return "snowflake", RequestView("POST", "/queries/v1/query-request", "", headers, body, "snowflake.test")
    call, told = S3.get(str(log.get("eventName"))), log.get("requestParameters")
    if log.get("eventSource") != "s3.amazonaws.com" or call is None or not isinstance(told, dict):
        return None
    method, query = call
    bucket, thing = str(told.get("bucketName") or "bucket"), quote(str(told.get("key") or ""))
    headers = {str(name).lower(): (str(value),) for name, value in told.items() if str(name).startswith("x-amz-")}
    if log["eventName"] == "CopyObject":
        headers["x-amz-copy-source"] = (f"/{bucket}/{thing}",)
    if log["eventName"] == "DeleteObjects":
        thing = ""
    body = json.dumps(told.get("bucketPolicy") or told.get("LifecycleConfiguration") or "").encode()
    return "s3", RequestView(method, f"/{bucket}/{thing}".rstrip("/"), query, headers, body, "s3.test")


def settings() -> Settings:
    """A policy with both services."""
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "services": {name: {"hosts": [f"{name}.test"], "dialect": name} for name in ("s3", "snowflake")},
            "datasets": {
                "files": {"service": "s3", "name": "s3://*", "columns": {"ssn": "restricted"}},
                "rows": {"service": "snowflake", "name": "hr.emp", "columns": {"ssn": "restricted"}},
            },
            "detection": {"alerts_per_thousand": 1000.0},
        }
    )


def said(one: Labelled, reader: Reader, told: Settings) -> tuple[str, set[str]] | None:
    """How the request is read, and the indicators that speak. None where the event is no such request."""
    made = request(one.log)
    if made is None:
        return None
    service, view = made
    operation = reader.read(view, service, "", "somebody")
    watching = Watching(Weighing(told))
    people = [f"https://idp.test p{number}" for number in range(8)]
    for day in range(28):
        for who in people:
            for number in range(10):
                chunk = (str((day * 31 + number * 7) % 200),)
                at = START + day * DAY + (9 + number / 2) * 3600
                usual = Event(
                    f"{day}{who}{number}", at, who, ("eng",), dataset="files", declared=True, service="s3",
                    chunks=chunk, chunk_count=1, status=200, rows=20, clear=("id",), size=2000,
                )  # fmt: skip
                watching.after(usual)
    failed = one.log.get("errorCode") or (one.log.get("EXECUTION_STATUS") or "SUCCESS") != "SUCCESS"
    every = tuple(dict.fromkeys(word for part in (operation, *operation.parts) for word in part.statements))
    event = Event(
        "the one", START + 28 * DAY + 11 * 3600, people[0], ("eng",), service=service, dataset=operation.dataset,
        declared=operation.declared, kind=operation.kind, chunks=operation.chunks, chunk_count=len(operation.chunks),
        method=view.method, target=view.path, destination=operation.destination,
        external=operation.destination_side == "external", statements=every, status=403 if failed else 200,
    )  # fmt: skip
    found = {point.indicator for point in watching.after(event)}
    return f"{operation.kind} {operation.destination_side or ''} {' '.join(every)}".strip(), found


def main() -> int:
    """Print each event, and how many of either label were pointed to."""
    options = argparse.ArgumentParser()
    options.add_argument("--package", type=Path, default=ROOT / ".interop" / "pypanther")
    folder = options.parse_args().package
    if not list(folder.glob("*.whl")):
        command = [
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--pre",
            "--ignore-requires-python",
            "--dest",
            str(folder),
        ]
        subprocess.run([sys.executable, "-m", *command, PACKAGE], check=False)
    wheel = next(iter(folder.glob("*.whl")), None)
    if wheel is None:
        print(f"{PACKAGE} is not in {folder}, and could not be downloaded", file=sys.stderr)
        return 2
    told = settings()
    reader = Reader(told, SystemClock())
    counts = {True: [0, 0, 0], False: [0, 0, 0]}
    for one in labelled(wheel):
        come = said(one, reader, told)
        if come is None:
            continue
        kind, found = come
        counts[one.bad][0] += 1
        counts[one.bad][1] += bool(found)
        counts[one.bad][2] += kind.split()[0] not in ("read", "poll")
        print(f"  {'bad ' if one.bad else 'good'} {one.rule[:34]:34} {kind[:44]:44} {' '.join(sorted(found))}")
    for bad, (of, pointed, other) in counts.items():
        low, high = wilson(pointed, of)
        print(f"labelled {'bad' if bad else 'good'}: {pointed} of {of} pointed to ({low:.2f} to {high:.2f}); "
              f"{other} read as something else than reading")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
