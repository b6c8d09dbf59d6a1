"""Ray jobs: what runs is what was uploaded under the gateway's eyes, and its logs are only for who started it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operations.one_service import SENTENCE, Asking

PACKAGE = "/api/packages/gcs/_ray_pkg_0123.zip"
URI = "gcs://_ray_pkg_0123.zip"
JOB = {"entrypoint": "python exfil.py", "runtime_env": {"working_dir": URI, "env_vars": {"TOKEN": "x"}}, "metadata": {}}


def uploaded(content=b"zip", it=None, person="ada", status=200):
    it = it or Asking("ray")
    operation = it.read(f"PUT {PACKAGE}", content, person)
    it.delivered(f"PUT {PACKAGE}", {}, content, person=person, status=status)
    return it, operation


def started(it, job="raysubmit_1", person="ada"):
    it.delivered("POST /api/jobs/", {"submission_id": job, "job_id": job}, JOB, person=person)


def test_a_job_has_the_digest_of_what_it_runs():
    it, upload = uploaded()
    assert upload.kind == "upload" and upload.script_digest
    job = it.read("POST /api/jobs/", JOB)
    assert (job.kind, job.statement, job.column_scope) == ("script", "python exfil.py", "unknown")
    assert job.script_digest and job.destination is None
    again, _ = uploaded()
    assert again.read("POST /api/jobs/", JOB).script_digest == job.script_digest


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job.update(entrypoint="python other.py"),
        lambda job: job["runtime_env"]["env_vars"].update(PYTHONSTARTUP="x.py"),
        lambda job: job["runtime_env"].update(pip=["evil"]),
    ],
)
def test_another_job_has_another_digest(change):
    it, _ = uploaded()
    first = it.read("POST /api/jobs/", JOB).script_digest
    other = {**JOB, "runtime_env": {**JOB["runtime_env"], "env_vars": {"TOKEN": "x"}}}
    change(other)
    assert it.read("POST /api/jobs/", other).script_digest not in (None, first)


def test_other_content_is_another_digest():
    one, _ = uploaded(b"one")
    two, _ = uploaded(b"two")
    assert one.read("POST /api/jobs/", JOB).script_digest != two.read("POST /api/jobs/", JOB).script_digest


def test_a_package_that_nobody_uploaded_here_is_refused():
    assert Asking("ray").read("POST /api/jobs/", JOB).kind == "unknown"
    failed, _ = uploaded(status=500)
    assert failed.read("POST /api/jobs/", JOB).kind == "unknown"


@pytest.mark.parametrize("person", ["ada", "mallory"])
def test_a_package_cannot_be_exchanged_after_it_was_judged(person):
    it, _ = uploaded(b"good")
    assert it.read(f"PUT {PACKAGE}", b"evil", person).kind == "unknown"
    assert it.read(f"PUT {PACKAGE}", b"good", person).kind == "upload"


def test_a_package_is_everybodys():
    it, _ = uploaded()
    assert it.read("POST /api/jobs/", JOB, "linus").kind == "script"


@pytest.mark.parametrize(
    ("environment", "shown", "side"),
    [
        ({"working_dir": "https://evil.example/x.zip"}, "https://evil.example/x.zip", "external"),
        ({"working_dir": "s3://acme-code/x.zip"}, "s3://acme-code/x.zip", "internal"),
        ({"py_modules": ["s3://acme-code/x.zip", "gs://evil/y.zip"]}, "several: s3://acme-code/x.zip, gs://evil/y.zip", "external"),
        ({"pip": ["git+https://evil.example/x"]}, None, "external"),
        ({"image_uri": "evil/x:latest"}, "unreadable: evil/x:latest", "external"),
    ],
)  # fmt: skip
def test_code_from_elsewhere_is_shown_and_has_no_digest(environment, shown, side):
    operation = Asking("ray").read("POST /api/jobs/", {"entrypoint": "x", "runtime_env": environment})
    assert (operation.kind, operation.script_digest, operation.destination_side) == ("script", None, side)
    assert shown is None or operation.destination == shown


def test_the_way_of_a_job():
    it, _ = uploaded()
    started(it)
    poll = it.read("GET /api/jobs/raysubmit_1")
    logs = it.read("GET /api/jobs/raysubmit_1/logs")
    assert (poll.kind, logs.kind, logs.chunks) == ("poll", "read", ("logs",))
    assert logs.script_digest == poll.script_digest and logs.result == "job:raysubmit_1"
    assert it.read("POST /api/jobs/raysubmit_1/stop").kind == "cancel"
    assert it.read("DELETE /api/jobs/raysubmit_1").kind == "admin"
    delivery = it.delivered("GET /api/jobs/raysubmit_1/logs", {"logs": "123-45-6789"})
    assert delivery.leaks == ("$.logs",)


@pytest.mark.parametrize("request_", ["GET /api/jobs/raysubmit_1", "GET /api/jobs/raysubmit_1/logs", "POST /api/jobs/raysubmit_1/stop"])  # fmt: skip
def test_somebody_elses_job_and_one_that_nobody_knows(request_):
    it, _ = uploaded()
    started(it)
    assert it.read(request_, person="mallory").owner == "ada"
    assert it.read(request_.replace("_1", "_2")).kind == "unknown"


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        ("POST /api/jobs/", {**JOB, "more": 1}),
        ("POST /api/jobs/", {"entrypoint": ["x"]}),
        ("POST /api/jobs/", {"entrypoint": "x", "runtime_env": "gcs://x"}),
        ("POST /api/jobs/", b"{}"),
        ("POST /api/job_agent/jobs/", JOB),
        ("PUT /api/serve/applications/", {"applications": []}),
        ("GET /api/jobs/?x=1", None),
        ("GET /api/jobs/x/logs/tail", None),
        (f"PUT {PACKAGE}?x=1", b"zip"),
        ("GET /api/cluster_status", None),
        ("GET /logs/", None),
    ],
)
def test_what_is_not_understood(request_, body):
    it, _ = uploaded()
    assert it.read(request_, body).kind == "unknown"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_a_refusal_is_plain_text_and_no_question_of_tokens(status):
    # At 401 and 403 the client blames the token of the cluster, and at 404 it uploads a package.
    answer = Asking("ray").refused("POST /api/jobs/", status)
    assert (answer.status, answer.body.decode()) == (400, SENTENCE + "\n")
    assert Asking("ray").refused(f"GET {PACKAGE}", status).status == 400


def test_where_the_client_shows_no_other_body_the_status_stays():
    # Of the first request, which asks for the version, it shows the body at 403 alone.
    answer = Asking("ray").refused("GET /api/version", 403)
    assert (answer.status, answer.body.decode()) == (403, SENTENCE + "\n")


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=10
    )
)
def test_nothing_is_raised(environment):
    document = {"entrypoint": "x", "runtime_env": environment}
    assert Asking("ray").read("POST /api/jobs/", document).kind in ("script", "unknown")
