"""Telling people: the right form, no data, again until it arrives, and one place that fails keeps no other waiting."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sluicegate.approvals.hold import hold_of
from sluicegate.approvals.notify import signature
from sluicegate.approvals.notify.deliver import FIRST_PAUSE, TRIES, Deliverer
from sluicegate.approvals.notify.message import Notice, mail
from sluicegate.approvals.problems import problems
from sluicegate.approvals.store import Store
from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.tables import notices
from sluicegate.exchange import Exchange, Operation, Principal, Terms, Verdict
from sluicegate.settings import load
from sluicegate.settings.model import Approvals, Notify
from tests.approvals.test_approvals_terms import ADA, EMERGENCY, LINUS, hold
from tests.databases import with_tables

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


class Receiver:
    """A real HTTP server that keeps what it was sent, and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("location", receiver.url)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=hidden"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.server.shutdown()
    running.server.server_close()


class Mailbox(threading.Thread):
    """A mail server that takes one message after the other (RFC 5321)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mails: list[str] = []
        self.to: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as file:
                self._talk(file)

    def _talk(self, file: Any) -> None:
        def say(text: str) -> None:
            file.write(text.encode() + b"\r\n")
            file.flush()

        say("220 mail")
        while line := file.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if word == "RCPT":
                self.to.append(line)
            if word == "DATA":
                say("354 go on")
                lines = []
                while (text := file.readline().decode()) != ".\r\n":
                    lines.append(text)
                self.mails.append("".join(lines))
            say("221 bye" if word == "QUIT" else "250 ok")

    def stop(self) -> None:
        self._listener.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest_asyncio.fixture
async def database(database_at: Callable[[], Database]) -> Any:
    database = database_at()
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database, clock: SetClock) -> Store:
    return Store(database, Approvals(), clock)


def deliverer(
    database: Database, clock: SetClock, environment: dict[str, str] | None = None, **places: Notify
) -> Deliverer:
    return Deliverer(places, "https://gate.example", environment or {}, database, clock)


async def rows(database: Database) -> list[Any]:
    return await database.read(lambda c: list(c.execute(select(notices).order_by(notices.c.id))))


async def test_slack_teams_and_a_webhook_get_a_link_and_no_data(
    store: Store, database: Database, clock: SetClock, receiver: Receiver
) -> None:
    asked = await store.ask(hold())
    sends = deliverer(
        database,
        clock,
        {"HOOK": receiver.url, "KEY": SECRET},
        slack=Notify(kind="slack", url="${HOOK}"),
        teams=Notify(kind="teams", url="${HOOK}"),
        hook=Notify(kind="webhook", url="${HOOK}", secrets=["${KEY}", OTHER]),
    )
    assert await sends.round() == 1
    assert await sends.round() == 0
    link = f"https://gate.example/approvals/{asked.code}"
    bodies = [body.decode() for _, body in receiver.got]
    assert len(bodies) == 3
    for body in bodies:
        assert link in body and asked.code in body
        for data in ("customers", "s3://b", "engineering", "Why.", "chunks", asked.fingerprint, "exports"):
            assert data not in body.replace(link, ""), data
    blocks = next(json.loads(body) for body in bodies if "blocks" in body)
    assert blocks["blocks"][1]["elements"][0]["url"] == link
    card = next(json.loads(body) for body in bodies if "AdaptiveCard" in body)["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["actions"][0] == {"type": "Action.OpenUrl", "title": "Open in the console", "url": link}


async def test_the_webhook_is_signed_by_each_secret(
    store: Store, database: Database, clock: SetClock, receiver: Receiver
) -> None:
    await store.ask(hold())
    await deliverer(database, clock, hook=Notify(kind="webhook", url=receiver.url, secrets=[SECRET, OTHER])).round()
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for key in (b"k" * 32, b"o" * 24)
    ]
    assert headers["webhook-signature"].split(" ") == expected
    assert abs(int(headers["webhook-timestamp"]) - clock.now()) < 1
    assert json.loads(body)["type"] == "approval.asked"


def test_the_vector_of_standard_webhooks() -> None:
    """The example of the specification's own libraries: this secret, id, time and body give this signature."""
    made = signature.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_" + "A" * 200]
)
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError):
        signature.key_of(secret)


async def test_mail(store: Store, database: Database, clock: SetClock) -> None:
    asked = await store.ask(hold())
    box = Mailbox()
    place = Notify(
        kind="email", to=["stewards@example.org", "b@example.org"], sender="gate@example.org",
        server=f"127.0.0.1:{box.port}", security="none",
    )  # fmt: skip
    await deliverer(database, clock, mail=place).round()
    box.stop()
    (text,) = box.mails
    assert len(box.to) == 2
    assert f"https://gate.example/approvals/{asked.code}" in text and "customers" not in text
    assert (await rows(database))[0].places["mail"]["sent"] == clock.now()


def test_no_header_is_smuggled_into_a_mail() -> None:
    with pytest.raises(ValueError):
        mail(Notice(1, "asked", "a", "X\r\nBcc: evil@example.org", 0.0, "l"), "a@b", ["c@d"])


async def test_it_is_tried_again_with_growing_pauses_and_the_same_id(
    store: Store, database: Database, clock: SetClock, receiver: Receiver
) -> None:
    await store.ask(hold())
    receiver.status = 500
    good = Receiver()
    sends = deliverer(
        database,
        clock,
        bad=Notify(kind="webhook", url=receiver.url, secrets=[SECRET]),
        good=Notify(kind="slack", url=good.url),
    )
    pauses = []
    for _ in range(4):
        assert await sends.round() == 1
        (row,) = await rows(database)
        pauses.append(row.next_at - clock.now())
        clock.advance(row.next_at - clock.now() - 0.001)
        assert await sends.round() == 0
        clock.advance(0.001)
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert len(good.got) == 1, "one that has it is not told again"
    assert row.places["bad"] == {"tries": 4, "error": "answered 500"}
    receiver.status = 204
    await sends.round()
    (row,) = await rows(database)
    assert row.next_at is None and row.places["bad"]["sent"]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 5
    good.server.shutdown()
    good.server.server_close()


async def test_in_the_end_it_is_given_up_and_that_stays_visible(
    store: Store, database: Database, clock: SetClock
) -> None:
    await store.ask(hold())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/token=hidden"
    sends = deliverer(database, clock, slack=Notify(kind="slack", url=nowhere))
    for _ in range(TRIES):
        assert await sends.round() == 1
        clock.advance(4000)
    assert await sends.round() == 0
    (row,) = await rows(database)
    assert (row.next_at, row.places["slack"]["tries"]) == (None, TRIES)
    assert "hidden" not in str(row.places), "the address is a secret"


@pytest.mark.parametrize("status", [301, 302, 400, 401, 429, 503])
async def test_what_is_not_yes_is_no(
    store: Store, database: Database, clock: SetClock, receiver: Receiver, status: int
) -> None:
    await store.ask(hold())
    receiver.status = status
    await deliverer(database, clock, s=Notify(kind="slack", url=receiver.url)).round()
    assert (await rows(database))[0].places["s"]["error"] == f"answered {status}"
    assert len(receiver.got) == 1, "no redirect is followed"


async def test_two_consoles_tell_it_once(
    store: Store, database: Database, clock: SetClock, receiver: Receiver, database_at: Any
) -> None:
    other = database_at()
    await other.open()
    place = Notify(kind="slack", url=receiver.url)
    for number in range(5):
        await store.ask(hold(number))
    one, two = deliverer(database, clock, s=place), deliverer(other, clock, s=place)
    await one.round()
    await two.round()
    assert len(receiver.got) == 5
    await other.close()


async def test_one_whose_console_died_is_told_by_the_next(
    store: Store, database: Database, clock: SetClock, receiver: Receiver
) -> None:
    from sluicegate.approvals.notify import outbox

    await store.ask(hold())
    await database.run(lambda connection: outbox.claim(connection, clock.now()))
    sends = deliverer(database, clock, s=Notify(kind="slack", url=receiver.url))
    assert await sends.round() == 0
    clock.advance(outbox.CLAIMED_SECONDS)
    assert await sends.round() == 1
    assert len(receiver.got) == 1


async def test_an_alarm_is_told_at_once_and_what_was_not_asked_for_is_not(
    store: Store, database: Database, clock: SetClock, receiver: Receiver
) -> None:
    asked = await store.ask(hold(break_glass=("group:oncall",)))
    sends = deliverer(database, clock, s=Notify(kind="slack", url=receiver.url))
    await sends.round()
    await store.break_glass(asked.id, ADA, EMERGENCY)
    await sends.round()
    assert b"ALARM" in receiver.got[-1][1] and EMERGENCY.encode() not in receiver.got[-1][1]
    await store.review(asked.id, LINUS, True, "It was right.")
    await sends.round()
    assert len(receiver.got) == 2
    assert [row.about for row in await rows(database)] == ["asked", "broken_glass", "reviewed"]


async def test_what_is_rolled_back_is_not_told(store: Store, database: Database) -> None:
    asked = await store.ask(hold())
    with pytest.raises(Exception, match="own-request"):
        await store.decide(asked.id, ADA, True)
    assert len(await rows(database)) == 1


def test_problems_of_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOD_KEY", SECRET)
    path = tmp_path / "policy.toml"
    path.write_text("""[identity]
issuer = "https://idp.example"
[notify.a]
kind = "slack"
[notify.b]
kind = "webhook"
url = "http://other.example/x"
secrets = ["${UNSET_KEY}", "${GOOD_KEY}", "whsec_x"]
[notify.c]
kind = "email"
to = ["x@example.org"]
server = "mail.example.org:25"
security = "none"
""")
    found = {(problem.where, problem.message) for problem in problems(load(path))}
    assert found == {
        ("notify.a", "slack needs `url`"),
        ("notify.b.url", "is no https address"),
        ("notify.b.secrets", "the environment variable UNSET_KEY is not set"),
        ("notify.b.secrets", "is not base64 behind `whsec_`"),
        ("notify.c", "email needs `sender`"),
        ("notify.c.security", "sends mail in clear to another machine"),
        ("console.address", "is needed for the links in notifications"),
    }


def test_an_independent_receiver_believes_the_signature_and_no_changed_body(receiver: Receiver) -> None:
    """The library that Standard Webhooks gives to receivers, with the machine's clock, since it has no other."""
    body = json.dumps({"type": "approval.asked", "data": {"code": "ABCD-EFGH"}}).encode()
    made = signature.headers("notice_1_x", int(time.time()), body, [OTHER, SECRET])
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(body.decode(), made) == json.loads(body)
    old = signature.headers("notice_1_x", int(time.time()) - 3600, body, [SECRET])
    for headers, said in (
        (made, body.replace(b"ABCD", b"ABCE")),
        (made | {"webhook-id": "notice_2_x"}, body),
        (made | {"webhook-signature": made["webhook-signature"].replace("v1,", "v2,")}, body),
        (old, body),
        (signature.headers("notice_1_x", int(time.time()), body, ["whsec_" + "eHh4" * 8]), body),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(said.decode(), headers)


NUMBERS = itertools.count()
MARK = "zq7xvault"
"""Stands in everything that anybody wrote or asked for."""
HOSTILE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "<script>alert(1)</script>", "<!channel> @here", "[x](https://evil.example)", "\r\nBcc: evil@example.org\r\n\r\n",
            "hunter2", "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJub25lIn0.e30.", "{{7*7}}", "\u202egnp.exe", "*bold* <https://evil.example|ok>",
        ]
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Database, Store, SetClock]]:
    """A store that all examples use, on a loop of its own."""
    clock = SetClock()
    with asyncio.Runner() as runner:
        database = with_tables(tmp_path_factory.mktemp("notify") / "x.sqlite3")
        runner.run(database.open())
        yield runner, database, Store(database, Approvals(max_pending_per_person=100, max_pending=10_000), clock), clock
        runner.run(database.close())


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(texts=st.lists(HOSTILE, min_size=16, max_size=16), glass=st.booleans())
def test_nothing_that_anybody_wrote_or_asked_for_is_ever_sent(
    desk: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture, texts: list[str], glass: bool
) -> None:
    runner, database, store, clock = desk
    wrote = iter([f"{text}{MARK}{text}" for text in texts])
    person = Principal(
        f"{next(wrote)}{next(NUMBERS)}", "https://idp", name=next(wrote), groups=frozenset({next(wrote), "oncall"}),
        relations=frozenset({("manager", next(wrote))}),
    )  # fmt: skip
    exchange = Exchange(
        id=next(wrote), started=clock.now(), method="POST", scheme="https", host="chunks", port=443,
        target=f"/{next(wrote)}?token={next(wrote)}", principal=person, purpose=next(wrote), job=next(wrote), risk=1.0,
        operation=Operation(
            "chunks", "export", dataset=next(wrote), columns=(next(wrote),), chunks=(next(wrote),), column_scope="listed",
            destination=next(wrote), statement=next(wrote),
        ),
        verdict=Verdict(
            "hold", ("rule",), (next(wrote),), approvers=("group:data-stewards",), terms=Terms(break_glass=("group:oncall",))
        ),
    )  # fmt: skip
    box = Mailbox()
    sends = deliverer(
        database, clock, slack=Notify(kind="slack", url=receiver.url), teams=Notify(kind="teams", url=receiver.url),
        hook=Notify(kind="webhook", url=receiver.url, secrets=[SECRET]), log=Notify(kind="terminal"),
        mail=Notify(kind="email", to=["s@example.org"], sender="g@example.org", server=f"127.0.0.1:{box.port}", security="none"),
    )  # fmt: skip
    for place in sends._where.values():
        place.about[:] = ["asked", "approved", "denied", "broken_glass"]
    caplog.clear()
    receiver.got.clear()
    asked = runner.run(store.ask(hold_of(exchange, (("x-note", MARK),), f'{{"n": "{MARK}"}}'.encode())))
    reason = f"{texts[-1]}{MARK}."
    if glass:
        runner.run(store.break_glass(asked.id, person, reason))
    else:
        runner.run(store.decide(asked.id, LINUS, False, reason))
    with caplog.at_level("WARNING", "sluicegate.approvals"):
        while runner.run(sends.round()):
            pass
    box.stop()
    said = [record.getMessage() for record in caplog.records]
    for text in (
        *(body.decode() for _, body in receiver.got),
        *map(str, (headers for headers, _ in receiver.got)),
        *box.mails,
        *said,
    ):
        assert MARK not in text and "evil" not in text and "hunter2" not in text, text
    link = f"https://gate.example/approvals/{asked.code}"
    assert [len(receiver.got), len(box.mails), len(said)] == [6, 2, 2]
    assert all(link in text for text in (*(body.decode() for _, body in receiver.got), *box.mails, *said))
