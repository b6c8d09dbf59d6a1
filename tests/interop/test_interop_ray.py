"""Ray with JobSubmissionClient: what runs is held for an approver by its digest, and denied with our sentence."""

from __future__ import annotations

import json

import pytest

from tests.interop.denials import NEXT, REASON, asked_once, assert_said_once, since
from tests.interop.environments import Environment

pytestmark = pytest.mark.interop

CHECKED = [("ray", "Ray 2.60.0", "`JobSubmissionClient` 2.60.0")]

RAY = Environment("ray", ("ray[default]==2.60.0",))
POLICY = """
[services.ray]
hosts = ["ray.acme.example"]
dialect = "ray"
connect = "http://127.0.0.1:@SERVICE@"
addresses = ["127.0.0.0/8"]

[[rules]]
id = "people-run"
effect = "allow"
who = ["group:engineering", "group:data-stewards"]
kind = ["poll", "upload", "script", "read", "cancel"]

[[rules]]
id = "fraud-looks"
effect = "allow"
who = ["group:fraud"]
kind = ["poll", "upload", "script"]

[[rules]]
id = "no-code-from-elsewhere"
effect = "deny"
kind = ["script"]
destination = "external"
who = ["group:fraud"]
reason = "Salaries are for payroll."
next_step = "Leave the column out."

[[rules]]
id = "stewards-wait"
effect = "hold"
kind = ["script"]
who = ["group:data-stewards"]
approvers = ["group:engineering"]
hold_seconds = 1.0
reason = "Scripts of stewards are looked at first."
"""
RUN = """
import json, sys
from ray.job_submission import JobSubmissionClient
try:
    client = JobSubmissionClient("https://ray.acme.example:443")
    job = client.submit_job(entrypoint="python job.py", runtime_env=json.loads(sys.argv[1]))
    for _ in range(600):
        if client.get_job_status(job).is_terminal():
            break
        import time; time.sleep(0.2)
    print(json.dumps([job, client.get_job_status(job), client.get_job_logs(job)]))
except RuntimeError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def gate(make_gate, make_server, tmp_path_factory):
    RAY.make()
    folder = tmp_path_factory.mktemp("ray")
    start = [RAY.run("ray"), "start", "--head", "--block", "--num-cpus=1", "--dashboard-host=127.0.0.1", "--port=0"]
    start += ["--node-ip-address=127.0.0.1", "--disable-usage-stats", f"--temp-dir={folder / 'r'}"]
    server = make_server(lambda port: [*start, f"--dashboard-port={port}"], folder)
    with make_gate(folder, POLICY.replace("@SERVICE@", str(server.port)), with_console=True) as running:
        yield running


def run(gate, person="ada", working_dir="code"):
    """What a person sees who submits a job and waits for its logs."""
    station = gate.workstation(person)
    (station.folder / "code").mkdir(exist_ok=True)
    (station.folder / "code" / "job.py").write_text("print('it ran')\n")
    return station.python(RAY, RUN, json.dumps({"working_dir": working_dir}), seconds=300)


def submitted(gate, before):
    """The recorded exchanges after the first `before` in which a job was submitted."""
    return [exchange for exchange in since(gate, before) if exchange["kind"] == "script"]


def test_a_job_runs_and_its_logs_come_back(gate):
    before = len(gate.recorded())
    _, status, logs = run(gate).json()
    assert status == "SUCCEEDED" and "it ran" in logs
    (script,) = submitted(gate, before)
    assert script["verdict"] == "allow"


# What a script sends is not in its request, so a deny of what leaves stops each: from elsewhere, and from here.
@pytest.mark.parametrize("working_dir", ["https://evil.example/code.zip", "code"])
def test_a_denial_is_said_once_and_blames_no_token(gate, working_dir):
    before = len(gate.recorded())
    with asked_once(gate, "JobSubmissionClient"):
        said = run(gate, "grace", working_dir)
    assert said.code == 1 and "Request failed with status code 400" in said.err
    assert_said_once(said, REASON, NEXT)
    said.lacks("RAY_AUTH", "oken authentication")
    (script,) = submitted(gate, before)
    assert script["verdict"].startswith("refused")


def test_a_held_job_is_said_once_and_runs_when_it_was_approved(gate):
    before = len(gate.recorded())
    said = run(gate, "linus")
    assert said.code == 1
    assert_said_once(said, "Scripts of stewards are looked at first.")
    gate.approve("stewards-wait", "ada")
    _, status, logs = run(gate, "linus").json()
    assert status == "SUCCEEDED" and "it ran" in logs
    held, approved = submitted(gate, before)
    assert held["verdict"].startswith("hold") and "stewards-wait" in held["rules"]
    assert approved["rules"] == held["rules"]
