"""The gateway's own authority: what it may sign for, how it is kept, and how another takes its place."""

from __future__ import annotations

import json
import os
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import certs
from typer.testing import CliRunner

from sluicegate.cli.app import app
from sluicegate.errors import Fault
from sluicegate.pipeline import authority, constraints, rotation
from sluicegate.pipeline.constraints import Names, of_certificate, of_policy
from sluicegate.settings import load

NAMES = Names(frozenset({"chunks.test", "localhost"}))
POLICY = """
[identity]
issuer = "https://login.example.org"
{gateway}
[services.chunks]
hosts = [{hosts}]
dialect = "chunks"
[[dialects.chunks.routes]]
request = "GET /x"
kind = "read"
"""


@pytest.fixture
def policy(tmp_path):
    """Writes a policy for these hosts and gives its path."""

    def written(*hosts, gateway=""):
        path = tmp_path / "policy.toml"
        path.write_text(POLICY.format(hosts=json.dumps(hosts)[1:-1], gateway=gateway))
        return path

    return written


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / ".sluicegate" / "ca"
    made.mkdir(parents=True)
    return made


def run(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, Fault):
        return done.exception.exit_code, done.output + str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_hosts_of_the_policy_and_no_others(policy):
    names = of_policy(
        load(policy("Chunks.test:8443", "*.buckets.test", "http://clear.test", "10.0.0.7:443", "[fd00::7]")).settings
    )
    assert str(names) == "buckets.test, chunks.test, clear.test, 10.0.0.7, fd00::7"
    for host in ("chunks.test", "CHUNKS.TEST.", "a.buckets.test", "10.0.0.7", "[fd00::7]", "FD00:0::7"):
        assert names.cover(host), host
    for host in (
        "evilchunks.test",
        "test",
        "chunks.test.evil.test",
        "10.0.0.8",
        "::1",
        "",
        ".",
        "*",
        "a b",
        "0x0a000007",
    ):
        assert not names.cover(host), host
    assert of_policy(load(policy("chunks.test", gateway='[gateway]\nothers = "inspect"')).settings).everything


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join).filter(lambda host: not host[-1].isdigit())


@given(st.sets(hosts, max_size=5), st.sets(st.ip_addresses(), max_size=3), st.booleans())
def test_what_is_put_into_a_certificate_is_read_back(domains, addresses, everything):
    names = Names(frozenset(domains), frozenset(addresses), everything)
    found = of_certificate(x509.load_pem_x509_certificate(authority.create(names, None)))
    assert found == (Names(everything=True) if everything else names)
    assert not found.lack(names) and (everything or not names.lack(found))


def test_the_key_is_for_one_user_and_may_be_encrypted(folder):
    before = os.umask(0)
    try:
        authority.prepare(folder, NAMES, {"SLUICEGATE_CA_PASSPHRASE": "open sesame"})
    finally:
        os.umask(before)
    file = authority.file_of(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and b"ENCRYPTED PRIVATE KEY" in file.read_bytes()
    shown = folder / "mitmproxy-ca-cert.pem"
    assert b"PRIVATE" not in shown.read_bytes() and b"CERTIFICATE" in shown.read_bytes()
    with pytest.raises(Fault, match="encrypted, and nothing says its passphrase"):
        authority.prepare(folder, NAMES, {})
    with pytest.raises(Fault, match="passphrase is wrong") as told:
        authority.prepare(folder, NAMES, {"SLUICEGATE_CA_PASSPHRASE": "guess"})
    assert "guess" not in str(told.value)
    named = folder / "passphrase"
    named.write_text("open sesame\n")
    environ = {"SLUICEGATE_CA_PASSPHRASE_FILE": str(named)}
    authority.prepare(folder, NAMES, environ)
    store = certs.CertStore.from_store(
        folder, "mitmproxy", 2048, authority.options(folder, environ)["cert_passphrase"].encode()
    )
    assert store.default_ca.subject


def test_what_cannot_be_used_ends_the_start(folder):
    authority.prepare(folder, NAMES, {})
    file = authority.file_of(folder)
    good = file.read_bytes()
    file.chmod(0o640)
    with pytest.raises(Fault, match=r"read by others.*chmod 600"):
        authority.prepare(folder, NAMES, {})
    file.chmod(0o600)
    other = authority.create(NAMES, None)
    marker = b"-----BEGIN CERTIFICATE-----"
    swapped = good.partition(marker)[0] + marker + other.partition(marker)[2]
    for content in (b"", b"not a certificate", good[:200], good[::-1], swapped, marker + good.partition(marker)[2]):
        file.write_bytes(content)
        with pytest.raises(Fault, match="is not a certificate with its key"):
            authority.prepare(folder, NAMES, {})
    file.write_bytes(authority.create(NAMES, None, days=-1))
    with pytest.raises(Fault, match=r"ended on .*sluicegate ca rotate"):
        authority.prepare(folder, NAMES, {})
    with pytest.raises(Fault, match="passphrase file"):
        authority.prepare(folder, NAMES, {"SLUICEGATE_CA_PASSPHRASE_FILE": str(folder / "nowhere")})


def test_a_host_outside_ends_the_start_and_says_what_to_do(folder, policy):
    authority.prepare(folder, NAMES, {})
    wider = of_policy(load(policy("chunks.test", "payroll.test")).settings)
    with pytest.raises(Fault, match=r"may not sign for payroll.test.*sluicegate ca rotate"):
        authority.prepare(folder, wider, {})
    with pytest.raises(Fault, match="every other host"):
        authority.prepare(folder, Names(everything=True), {})


def test_rotation_overlaps_and_each_step_comes_once(folder, policy):
    path = str(policy("chunks.test"))
    authority.prepare(folder, of_policy(load(policy("chunks.test")).settings), {})
    first = rotation.read(folder).current.fingerprint
    assert run("ca", "show", "--policy", path)[0] == 0

    path = str(policy("chunks.test", "payroll.test"))
    status, said = run("ca", "show", "--policy", path)
    assert status == 1 and "may not sign for payroll.test: sluicegate ca rotate" in said
    assert run("ca", "rotate", "--policy", path, "--switch")[0] == 1
    assert run("ca", "rotate", "--policy", path)[0] == 0
    assert run("ca", "rotate", "--policy", path)[0] == 1  # made already
    found = rotation.read(folder)
    assert (
        found.next
        and found.current.fingerprint == first
        and stat.S_IMODE((folder / "next-ca.pem").stat().st_mode) == 0o600
    )
    assert trusted(folder) == {first, found.next.fingerprint}

    path = str(policy("chunks.test", "payroll.test", "more.test"))
    status, said = run("ca", "rotate", "--policy", path, "--switch")
    assert status == 1 and "more.test" in said and rotation.read(folder).current.fingerprint == first
    assert run("ca", "rotate", "--policy", path)[0] == 0  # the one that waits would not do, so it is made anew
    following = rotation.read(folder).next.fingerprint
    assert following != found.next.fingerprint
    assert run("ca", "rotate", "--policy", path, "--switch")[0] == 0
    found = rotation.read(folder)
    assert found.current.fingerprint == following and found.previous.fingerprint == first and found.next is None
    assert trusted(folder) == {first, following}
    authority.prepare(folder, of_policy(load(policy("chunks.test", "payroll.test", "more.test")).settings), {})
    assert b"PRIVATE" not in (folder / "previous-ca-cert.pem").read_bytes()
    assert [p.name for p in folder.iterdir() if b"PRIVATE" in p.read_bytes()] == ["mitmproxy-ca.pem"]

    assert run("ca", "rotate", "--policy", path, "--finish")[0] == 0
    assert run("ca", "rotate", "--policy", path, "--finish")[0] == 1
    assert trusted(folder) == {following}
    assert run("ca", "rotate", "--policy", path, "--finish", "--switch")[0] == 2
    assert run("ca", "rotate", "--policy", path)[0] == 0 and run("ca", "rotate", "--policy", path, "--discard")[0] == 0
    assert trusted(folder) == {following}


def test_what_is_shown_and_exported_is_never_a_key(folder, policy, tmp_path):
    path = str(policy("chunks.test"))
    status, said = run("ca", "show", "--policy", path)
    assert status == 2 and "There is no authority" in said
    authority.prepare(folder, of_policy(load(policy("chunks.test")).settings), {})
    run("ca", "rotate", "--policy", path)
    document = json.loads(run("ca", "show", "--policy", path, "--json")[1])
    assert [each["signs_for"] for each in document["authorities"]] == ["chunks.test", "chunks.test"]
    assert len({each["sha256"] for each in document["authorities"]}) == 2
    for form in ("pem", "der", "java"):
        target = tmp_path / form
        assert run("ca", "export", "--policy", path, "--format", form, "--output", str(target))[0] == 0
        assert b"PRIVATE" not in target.read_bytes()
    assert len(x509.load_pem_x509_certificates((tmp_path / "pem").read_bytes())) == 2
    x509.load_der_x509_certificate((tmp_path / "der").read_bytes())


def trusted(folder):
    found = x509.load_pem_x509_certificates((folder / "mitmproxy-ca-cert.pem").read_bytes())
    return {authority.Authority(each, each).fingerprint for each in found}


def test_a_wide_authority_is_said_to_be_wide(folder, policy, caplog):
    authority.prepare(folder, Names(everything=True), {})
    assert "sluicegate ca rotate" not in caplog.text
    authority.prepare(folder, NAMES, {})
    assert "may sign for every host" in caplog.text
    status, said = run("ca", "show", "--policy", str(policy("chunks.test")))
    assert status == 1 and "signs for every host" in said


def test_an_authority_that_ends_soon_is_to_be_replaced(folder, policy):
    path = policy("chunks.test")
    made = authority.create(of_policy(load(path).settings), None, days=20)
    authority.put(authority.file_of(folder), made, 0o600)
    status, said = run("ca", "show", "--policy", str(path))
    assert status == 1 and f"{x509.load_pem_x509_certificate(made).not_valid_after_utc:%Y-%m-%d}" in said


def test_constraints_of_somebody_else_are_not_guessed_at(folder):
    made = authority.create(NAMES, None)
    key = serialization.load_pem_private_key(made, None)
    ours = x509.load_pem_x509_certificate(made)
    builder = x509.CertificateBuilder(
        ours.subject, ours.subject, ours.public_key(), 7, ours.not_valid_before_utc, ours.not_valid_after_utc
    ).add_extension(x509.NameConstraints([x509.DirectoryName(ours.subject)], None), critical=True)
    other = builder.sign(key, hashes.SHA256())
    with pytest.raises(ValueError):
        constraints.of_certificate(other)
    pem = made.partition(b"-----BEGIN CERT")[0] + authority.Authority(other, other).pem
    authority.put(authority.file_of(folder), pem, 0o600)
    with pytest.raises(Fault):
        authority.prepare(folder, NAMES, {})


def test_the_key_of_the_root_is_nowhere(folder):
    found = authority.prepare(folder, NAMES, {})
    key = serialization.load_pem_private_key(authority.file_of(folder).read_bytes(), None)
    assert key.public_key() == found.signer.public_key() != found.certificate.public_key()
    found.signer.verify_directly_issued_by(found.certificate)
