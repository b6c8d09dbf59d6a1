"""Findings on their way to other systems: real servers that fail, come back and are interrupted; nothing lost or doubled."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sluicegate.detection.out import sending as out
from sluicegate.detection.out.collector import ToCollector
from sluicegate.detection.out.ocsf import VERSION, event
from sluicegate.detection.out.sending import HTTP, SYSLOG, Sending
from sluicegate.detection.out.syslog import ToSyslog
from sluicegate.detection.stored import store
from sluicegate.settings.model.findings_out import Collector, Syslog
from tests.databases import with_tables
from tests.detection.receiving import Place, SyslogServer, found

NOW = datetime.now(UTC)


@pytest.fixture
async def database(tmp_path):
    made = with_tables(tmp_path / "d.sqlite3")
    await made.open()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for localhost that vouches for itself, with its key in the same file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=localhost")
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("authority") / "server.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*kinds))
    return str(path)


async def put(database, *several):
    await database.run(lambda connection: store(connection, several, (SYSLOG, HTTP)))


@pytest.fixture
def serve():
    made = []

    def start(server):
        made.append(server)
        return server

    yield start
    for one in made:
        one.close()


async def test_syslog_takes_messages_as_the_rfcs_say(database, serve, authority):
    server = serve(SyslogServer(authority))
    await put(database, found(1), found(2, "taint", score=60.0))
    sending = Sending(database, ToSyslog(Syslog(address=server.address, trusted_ca=authority)), SYSLOG)
    assert await sending.send() == 2 and await sending.send() == 0
    first, second = server.messages
    header, _, text = first.partition(b'"] ')
    assert header.startswith(b"<108>1 2027-01-15T08:00:01.500Z ") and b" sluicegate - walk [origin software=" in header
    assert second.startswith(b"<106>1 ")  # critical
    assert json.loads(text)["finding_info"]["uid"] == f"{1:032x}" and b"\n" not in text


async def test_syslog_that_does_not_say_that_it_read_gets_it_again(database, serve, authority, caplog):
    server = serve(SyslogServer(authority, drops=2))
    await put(database, found(1))
    settings = Syslog(address=server.address, trusted_ca=authority)
    sending = Sending(database, ToSyslog(settings), SYSLOG)
    assert [await sending.send(), await sending.send()] == [0, 0] and caplog.text.count("they wait") == 1
    await put(database, found(2))
    again = Sending(database, ToSyslog(settings), SYSLOG)  # after a restart
    assert await again.send() == 2
    ids = [json.loads(message.partition(b'"] ')[2])["metadata"]["uid"] for message in server.messages]
    assert ids == [f"{1:032x}", f"{2:032x}"]


async def test_a_syslog_server_that_nobody_vouches_for_gets_nothing(database, serve, authority):
    server = serve(SyslogServer(authority))
    await put(database, found(1))
    assert await Sending(database, ToSyslog(Syslog(address=server.address)), SYSLOG).send() == 0
    assert server.messages == []


async def test_an_address_that_fails_and_recovers_gets_each_once_in_order(database, serve):
    place = serve(Place(204, 503, 500))
    await put(database, *(found(number) for number in range(4)))
    settings = Collector(url=place.url, headers={"Authorization": "Bearer ${TOKEN}"})
    sending = Sending(database, ToCollector(settings, {"TOKEN": "t0ken"}), HTTP)
    assert [await sending.send(), await sending.send()] == [1, 0]
    again = Sending(database, ToCollector(settings, {"TOKEN": "t0ken"}), HTTP)  # after a restart in between
    assert [await again.send(), await again.send()] == [3, 0]
    assert [said["metadata"]["uid"] for _, said in place.taken] == [f"{number:032x}" for number in range(4)]
    assert {seen["Authorization"] for seen in place.seen} == {"Bearer t0ken"}


async def test_what_was_taken_and_not_answered_comes_again_under_the_same_key(database, serve):
    place = serve(Place("took and died"))
    await put(database, found(1))
    sending = Sending(database, ToCollector(Collector(url=place.url)), HTTP)
    assert [await sending.send(), await sending.send(), await sending.send()] == [0, 1, 0]
    assert [key for key, _ in place.taken] == [f'"{1:032x}"'] * 2  # so it is known there


@pytest.mark.parametrize("answer", [301, 400, 404])
async def test_no_answer_but_yes_takes_anything_out(database, serve, answer):
    place = serve(Place(answer))
    await put(database, found(1))
    sending = Sending(database, ToCollector(Collector(url=place.url)), HTTP)
    assert await sending.send() == 0 and place.taken == []
    assert await sending.send() == 1


async def test_one_sink_that_fails_does_not_hold_up_another(database, serve, authority):
    server = serve(SyslogServer(authority))
    await put(database, found(1))
    nobody = Collector(url="http://127.0.0.1:9/")
    assert await Sending(database, ToCollector(nobody), HTTP).send() == 0
    assert await Sending(database, ToSyslog(Syslog(address=server.address, trusted_ca=authority)), SYSLOG).send() == 1


@pytest.mark.parametrize(("indicator", "name"), [("walk", "detection_finding"), ("taint", "data_security_finding")])
def test_events_are_valid_in_the_schema_of_that_version(indicator, name):
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION)).get_class_schema(class_name=name, profiles=["host"])
    validator = Draft202012Validator(schema)
    made = event(found(1, indicator, evidence={"dataset": "customers"}, dataset="", service="notes").plain())
    about = ("customers", "dataset") if indicator == "taint" else ("notes", "service")
    assert made["resources"] == [dict(zip(("name", "type"), about, strict=True))]
    assert [error.message for error in validator.iter_errors(made)] == []
    assert list(validator.iter_errors({**made, "type_uid": 1})), "the schema finds nothing wrong with anything"


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Collector, {"url": "http://elsewhere.test/"}),
        (Collector, {"url": "https://user@elsewhere.test/"}),
        (Collector, {"url": "https://elsewhere.test/", "headers": {"a b": "c"}}),
        (Syslog, {"address": "elsewhere.test"}),
        (Syslog, {"address": "elsewhere.test:6514", "certificate": "c.pem"}),
    ],
)
def test_places_that_cannot_be_meant_are_no_settings(model, given):
    with pytest.raises(ValueError, match=r"validation error"):
        model.model_validate(given)


async def test_killed_between_the_address_and_the_cursor_one_comes_again_and_nothing_else(database, serve, monkeypatch):
    place = serve(Place())
    await put(database, found(1), found(2))
    with monkeypatch.context() as killed:

        def gone(*_, **__):
            raise OSError("killed before the row was taken out")

        killed.setattr(out, "_sent", gone)
        assert await Sending(database, ToCollector(Collector(url=place.url)), HTTP).send() == 0
    await put(database, found(3))
    again = Sending(database, ToCollector(Collector(url=place.url)), HTTP)  # after the restart
    assert [await again.send(), await again.send()] == [3, 0]
    numbers = [int(key.strip('"'), 16) for key, _ in place.taken]
    assert numbers == [1, 1, 2, 3]  # under the same key, in order
