"""boto3, the AWS command line and s3fs against moto's server: what a person at one of them sees.

The clients keep AWS's host names, virtual-host style included, and sign their requests as they do.
"""

from __future__ import annotations

import json
import os
from urllib.request import Request, urlopen

import pytest

from tests.interop.aws_calls import CALLS, FILES, PAGES, S3FS_CALLS
from tests.interop.aws_environments import CLIENTS, MOTO, S3FS
from tests.interop.denials import asked_once
from tests.interop.serving import Workstation

pytestmark = pytest.mark.interop

CHECKED = [
    ("s3", "moto 5.2.5", "boto3 1.44.5, AWS CLI 1.46.3, s3fs 2026.9.0, curl (presigned)"),
    ("dynamodb", "moto 5.2.5", "boto3 1.44.5"),
    ("athena", "moto 5.2.5, with canned rows", "boto3 1.44.5"),
]

POLICY = """
[services.store]
hosts = ["s3.amazonaws.com", "*.s3.amazonaws.com", "s3.eu-central-1.amazonaws.com", "*.s3.eu-central-1.amazonaws.com"]
dialect = "s3"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]

[services.items]
hosts = ["dynamodb.eu-central-1.amazonaws.com", "*.ddb.eu-central-1.amazonaws.com"]
dialect = "dynamodb"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]

[services.athena]
hosts = ["athena.eu-central-1.amazonaws.com"]
dialect = "athena"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]
default_schema = "hr"

[services.redshift]
hosts = ["redshift-data.eu-central-1.amazonaws.com"]
dialect = "redshift-data"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]
default_schema = "hr"

[datasets.people]
service = "store"
name = "s3://hr-data/emp/*"
columns = { ssn = "restricted" }

[datasets.open]
service = "store"
name = "s3://hr-data/open/*"

[datasets.emp]
service = "items"
columns = { ssn = "restricted" }

[datasets.staff]
service = "athena"
name = "hr.emp"
columns = { ssn = "restricted" }
all_columns = ["id", "name", "ssn"]

[datasets.payroll]
service = "redshift"
name = "hr.emp"
columns = { ssn = "restricted" }
all_columns = ["id", "name", "ssn"]

[[rules]]
id = "asking"
effect = "allow"
who = ["group:engineering", "group:fraud"]
kind = ["read", "poll", "cancel", "upload", "export"]

[datasets.minutes]
service = "store"
name = "s3://hr-data/minutes/*"

[[rules]]
id = "minutes"
effect = "hold"
dataset = ["minutes"]
kind = ["read"]
approvers = ["group:data-stewards"]
reason = "Minutes are for those who were there."

[[rules]]
id = "buckets"
effect = "allow"
who = ["group:engineering"]
service = ["store"]
dataset = ["s3://hr-data*", "s3://evil-bucket*"]
kind = ["read", "poll", "upload"]

[[rules]]
id = "writing"
effect = "allow"
who = ["group:engineering"]
service = ["items"]
kind = ["write"]

[[rules]]
id = "uploads-elsewhere"
effect = "deny"
kind = ["upload"]
destination = "external"
reason = "That bucket is not ours."
next_step = "Upload to a bucket of ours."

[[rules]]
id = "exports"
effect = "hold"
kind = ["export"]
destination = "external"
approvers = ["group:data-stewards"]
reason = "Data is leaving for a bucket that we do not own."

[[rules]]
id = "sharing"
effect = "deny"
kind = ["share", "admin"]
reason = "Who may read a bucket is not changed through the gate."

[approvals]
hold_seconds = 1.0

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""

PEOPLE = "".join(json.dumps({"id": n, "ssn": f"123-45-{n:04}"}) + "\n" for n in range(20))
RESULT = {
    "rows": [{"Data": [{"VarCharValue": one} for one in row]} for row in (("id", "harmless"), ("1", "123-45-0001"))],
    "column_info": [
        {"CatalogName": "", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": "varchar",
         "Precision": 0, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": True}
        for name in ("id", "harmless")
    ],
}  # fmt: skip
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-nobody",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="module")
def gate(make_server, make_gate, tmp_path_factory):
    for environment in (MOTO, CLIENTS, S3FS):
        environment.make()
    server = make_server(
        lambda port: [MOTO.run("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        tmp_path_factory.mktemp("moto"),
        **KEYS,
    )
    folder = tmp_path_factory.mktemp("aws-gate")
    fill(folder, f"http://127.0.0.1:{server.port}")
    internal = 'internal_destinations = ["s3://hr-data", "s3://acme-*"]'
    with make_gate(folder, POLICY.replace("@SERVER@", str(server.port)), gateway=internal, with_console=True) as made:
        made.server = server
        yield made


def fill(folder, url):
    """Puts the data in, without the gateway."""
    direct = Workstation(folder, {"PATH": os.environ["PATH"], "HOME": str(folder), **KEYS})
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    calls = [["s3", "create_bucket", {"Bucket": name, **place}] for name in ("hr-data", "evil-bucket", "acme-athena")]
    calls += [["s3", "put_object", {"Bucket": "hr-data", "Key": key, "Body": body}] for key, body in
              (("emp/p-0.jsonl", PEOPLE), ("open/notes.txt", "hello world"), ("minutes/may.txt", "we met"))]  # fmt: skip
    calls += [["dynamodb", "create_table", {
        "TableName": "emp", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }]]  # fmt: skip
    calls += [
        ["dynamodb", "put_item", {"TableName": "emp", "Item": {"id": {"S": str(n)}, "ssn": {"S": f"123-45-{n:04}"}}}]
        for n in range(40)
    ]
    canned = {"account_id": "123456789012", "region": "eu-central-1", "results": [RESULT]}
    body = json.dumps(canned).encode()
    with urlopen(Request(f"{url}/moto-api/static/athena/query-results", body, {"content-type": "application/json"})):
        pass
    said = direct.python(CLIENTS, CALLS, json.dumps(calls), url).json()
    assert not [one for one in said if isinstance(one, str)], said


def call(gate, *calls, person="ada"):
    """What boto3 says to calls: its results, or its error as it would be shown."""
    return gate.workstation(person, **KEYS).python(CLIENTS, CALLS, json.dumps(calls)).json()


def sent_on(gate):
    return len(gate.server.output)


def get(key, **more):
    return ["s3", "get_object", {"Bucket": "hr-data", "Key": key, **more}]


def test_an_object_is_masked_and_boto3_takes_it(gate):
    people, listed, head = call(gate, get("emp/p-0.jsonl"), ["s3", "list_objects_v2", {"Bucket": "hr-data", "Prefix": "emp/"}],
                                ["s3", "head_object", {"Bucket": "hr-data", "Key": "emp/p-0.jsonl"}])  # fmt: skip
    assert "Contents" in listed and "ContentLength" in head, (listed, head)
    rows = [json.loads(line) for line in people["Body"].splitlines()]
    assert [row["id"] for row in rows] == list(range(20)) and "123-45-" not in people["Body"]
    assert [row["ssn"] for row in rows] == [f"****{n:04}" for n in range(20)] and "ChecksumCRC32" not in people
    assert [one["Key"] for one in listed["Contents"]] == ["emp/p-0.jsonl"] and head["ContentLength"] == len(PEOPLE)


def test_fraud_sees_them(gate):
    (people,) = call(gate, get("emp/p-0.jsonl"), person="grace")
    assert people["Body"] == PEOPLE


def test_a_range_of_what_is_masked_is_refused_and_of_what_is_not_passes(gate):
    masked, open_ = call(gate, get("emp/p-0.jsonl", Range="bytes=0-99"), get("open/notes.txt", Range="bytes=0-4"))
    assert "AccessDenied" in masked and "123-45-" not in masked, masked
    assert open_["Body"] == "hello" and open_["ContentRange"] == "bytes 0-4/11"


def test_what_is_not_there_is_said_by_the_service(gate):
    (missing,) = call(gate, get("emp/nothing.jsonl"))
    assert "NoSuchKey" in missing


DENIED = [
    (["s3", "put_object", {"Bucket": "evil-bucket", "Key": "x", "Body": "y"}], "That bucket is not ours."),
    (["s3", "create_multipart_upload", {"Bucket": "evil-bucket", "Key": "x"}], "That bucket is not ours."),
    (["s3", "put_bucket_policy", {"Bucket": "hr-data", "Policy": "{}"}], "Who may read a bucket is not changed through the gate."),
    (["s3", "put_object_acl", {"Bucket": "hr-data", "Key": "emp/p-0.jsonl", "ACL": "public-read"}], "Who may read a bucket is not changed through the gate."),
    (["s3", "put_object", {"Bucket": "hr-data", "Key": "open/x", "Body": "y", "ACL": "public-read"}], "Who may read a bucket is not changed through the gate."),
    (["s3", "copy_object", {"Bucket": "evil-bucket", "Key": "x", "CopySource": "hr-data/open/notes.txt"}], "That bucket is not ours."),
    (["dynamodb", "export_table_to_point_in_time", {"TableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/emp", "S3Bucket": "evil-bucket"}], "Data is leaving"),
    (["dynamodb", "delete_table", {"TableName": "emp"}], "Who may read a bucket"),
    (["athena", "start_query_execution", {"QueryString": "select id from hr.emp", "ResultConfiguration": {"OutputLocation": "s3://evil-bucket/q/"}}], "Data is leaving for a bucket that we do not own."),
    (["redshift-data", "execute_statement", {"Sql": "drop table hr.emp", "Database": "db", "WorkgroupName": "group"}], "Who may read a bucket"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "reason"), DENIED, ids=[f"{one[0][0]}-{one[0][1]}-{n}" for n, one in enumerate(DENIED)]
)
def test_a_denial_is_shown_once_and_nothing_goes_on(gate, asked, reason):
    before, known = sent_on(gate), len(gate.recorded())
    with asked_once(gate, f"boto3 ({asked[0]})"):
        (said,) = call(gate, asked)
    assert "AccessDenied" in said and said.count(reason) == 1, said
    assert (sent_on(gate), len(gate.recorded())) == (before, known + 1)


def test_a_held_object_is_read_once_that_was_approved(gate):
    before, known = sent_on(gate), len(gate.recorded())
    (said,) = call(gate, get("minutes/may.txt"))
    assert "AccessDenied" in said and said.count("Minutes are for those who were there.") == 1, said
    assert (sent_on(gate), len(gate.recorded())) == (before, known + 1)
    gate.approve("minutes")
    (got,) = call(gate, get("minutes/may.txt"))
    assert got["Body"] == "we met"
    (said,) = call(gate, get("minutes/may.txt"), person="grace")
    assert said.count("Minutes are for those who were there.") == 1, said  # the yes was for somebody else


def test_files_go_through_the_transfer_manager(gate):
    """Downloads ask for the size first; uploads of more than one part are aws-chunked."""
    down, up, elsewhere = gate.workstation("ada", **KEYS).python(CLIENTS, FILES).json()
    assert len(down.splitlines()) == 20 and "123-45-" not in down
    assert up == 6 << 20
    assert "That bucket is not ours." in elsewhere


def test_a_presigned_address_is_judged_like_the_request_that_it_stands_for(gate):
    code = "import boto3,sys; print(boto3.client('s3',region_name='eu-central-1').generate_presigned_url('get_object',Params={'Bucket':'hr-data','Key':sys.argv[1]}))"
    station = gate.workstation("ada", **KEYS)
    url = station.python(CLIENTS, code, "emp/p-0.jsonl").out.strip()
    said = station.run(["curl", "-sS", url])
    assert len(said.out.splitlines()) == 20 and "123-45-" not in said.out and "0007" in said.out
    said = station.run(["curl", "-sS", url, "-H", "Range: bytes=0-40"])
    assert "123-45-" not in said.out  # the range is not signed, so it is taken out and all of it comes, masked


def test_the_command_line_shows_the_reason(gate):
    station = gate.workstation("ada", **KEYS, AWS_DEFAULT_REGION="eu-central-1")
    aws = [CLIENTS.run("python"), CLIENTS.run("aws")]
    shown = station.run([*aws, "s3", "cp", "s3://hr-data/emp/p-0.jsonl", "-"])
    assert "123-45-" not in shown.all and len(shown.out.splitlines()) == 20, shown.all
    with asked_once(gate, "AWS CLI"):
        denied = station.run([*aws, "s3api", "put-bucket-policy", "--bucket", "hr-data", "--policy", "{}"])
    assert denied.code != 0 and denied.all.count("Who may read a bucket is not changed through the gate.") == 1
    denied = station.run([*aws, "s3", "cp", "-", "s3://evil-bucket/x"], text="y")
    assert denied.code != 0 and "That bucket is not ours." in denied.all


def test_s3fs(gate):
    with asked_once(gate, "s3fs"):
        listed, people, piece, written, elsewhere = gate.workstation("ada", **KEYS).python(S3FS, S3FS_CALLS).json()
    assert listed == ["hr-data/emp/p-0.jsonl"] and "123-45-" not in people and len(people.splitlines()) == 20
    assert (piece, written) == ("hell", "hello")
    assert elsewhere.startswith("PermissionError") and elsewhere.count("That bucket is not ours.") == 1


def test_items_are_masked_in_four_threads_page_by_page(gate):
    rows = gate.workstation("ada", **KEYS).python(CLIENTS, PAGES).json()
    assert len(rows) == 40 and all(ssn == f"****{int(number):04}" for number, ssn in rows)


def test_a_masked_attribute_is_not_filtered_by(gate):
    before = sent_on(gate)
    (said,) = call(gate, ["dynamodb", "scan", {"TableName": "emp", "FilterExpression": "begins_with(#s, :v)", "ExpressionAttributeNames": {"#s": "ssn"}, "ExpressionAttributeValues": {":v": {"S": "123"}}}])  # fmt: skip
    assert "AccessDenied" in said and sent_on(gate) == before, said


def test_athena_runs_where_its_results_stay_with_us(gate):
    started, = call(gate, ["athena", "start_query_execution", {"QueryString": "select id, ssn as harmless from hr.emp", "ResultConfiguration": {"OutputLocation": "s3://acme-athena/q/"}}])  # fmt: skip
    handle = {"QueryExecutionId": started["QueryExecutionId"]}
    state, results = call(gate, ["athena", "get_query_execution", handle], ["athena", "get_query_results", handle])
    assert state["QueryExecution"]["QueryExecutionId"] == handle["QueryExecutionId"]
    head, row = results["ResultSet"]["Rows"]
    assert [cell["VarCharValue"] for cell in head["Data"]] == ["id", "harmless"]
    number, masked = (cell["VarCharValue"] for cell in row["Data"])
    assert (number, masked) == ("1", "****0001")
    (foreign,) = call(gate, ["athena", "get_query_results", handle], person="grace")
    assert "AccessDenied" in foreign  # another person's result


def test_no_secret_of_the_clients_is_kept(gate):
    for path in gate.state.rglob("*"):
        if path.is_file():
            assert b"s3cr3t-of-nobody" not in path.read_bytes(), path
