"""What every channel promises: it arrives, with a key its receiver can honour; errors say whether to try again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa

from alerts.channels.apprise_channel import AppriseChannel
from alerts.channels.command import CommandChannel
from alerts.channels.mailbox import MailboxChannel
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Channel, Publisher, Receipt
from hearthwatch.records import mailbox
from hearthwatch.records.database import Database
from hearthwatch.values import Message

# Apprise looks for a module that newer Pythons do not have any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass(frozen=True)
class Harness:
    """A channel and its receiver's side.

    ``arrived`` gives the texts that a receiver has that honours the key, after so many sendings; ``cut`` takes the receiver away.
    """

    channel: Channel
    address: str
    wrong: tuple[str, ...]
    arrived: Callable[[int], list[str]]
    cut: Callable[[], None]


def mailbox_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    def arrived(sent: int) -> list[str]:
        with database.reading() as connection:
            return [letter.text for letter in mailbox.list_letters(connection)]

    def cut() -> None:
        with database.transaction() as connection:
            connection.execute(sa.text("drop table mailbox"))

    wrong = ("mailto://kim@example.org", "", "file:///tmp/x")
    yield Harness(MailboxChannel(database, clock), "mailbox://c-1", wrong, arrived, cut)


def apprise_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    by_key: dict[str, str] = {}

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            by_key.setdefault(str(self.headers["Idempotency-Key"]), str(body["message"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def cut() -> None:
        server.shutdown()
        server.server_close()

    address = f"json://127.0.0.1:{server.server_address[1]}/hook"
    wrong = ("exec://rm", "file:///etc/passwd", "json://", "mailbox://c-1", "", "mailto:kim@example.org")
    channel = AppriseChannel(schemes={"json", "mailto"})
    yield Harness(channel, address, wrong, lambda sent: list(by_key.values()), cut)
    cut()
    thread.join()


class Cuttable:
    """A publisher that can lose its broker."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.away = False

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response: tuple[str, bytes] | None = None
    ) -> None:
        self.publisher.publish(topic, payload, retain=retain, response=response)

    def flush(self, timeout: float) -> None:
        if self.away:
            raise Unavailable("the broker is away")
        self.publisher.flush(timeout)

    def close(self) -> None:
        self.publisher.close()


def command_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    received: list[str] = []
    news = threading.Condition()
    subscriber = open_subscriber(
        "local://commands",
        client_id="device",
        filters=["hearthwatch/v1/+/command"],
        session_expiry_s=0,
        receive_maximum=100,
    )
    publisher = Cuttable(open_publisher("local://commands", client_id="platform"))

    def take(message: Message, receipt: Receipt) -> None:
        subscriber.acknowledge([receipt])
        with news:
            received.append(message.payload.decode())
            news.notify()

    subscriber.start(take, lambda up, present: None)

    def arrived(sent: int) -> list[str]:
        with news:
            assert news.wait_for(lambda: len(received) >= sent, timeout=10)
            by_id: dict[str, str] = {}  # a device knows a command by the id in its payload
            for text in received:
                by_id.setdefault(json.loads(text)["id"], text)
            return list(by_id.values())

    def cut() -> None:
        publisher.away = True

    wrong = ("hearthwatch/v1/+/command", "hearthwatch/v1/a/b/command", "hearthwatch/v1/x/telemetry", "", "#")
    yield Harness(CommandChannel(publisher), "hearthwatch/v1/lock-1/command", wrong, arrived, cut)
    publisher.close()
    subscriber.stop()


@pytest.fixture(params=[mailbox_harness, apprise_harness, command_harness], ids=["mailbox", "apprise", "mqtt"])
def harness(request: pytest.FixtureRequest, database: Database, clock: SteppedClock) -> Iterator[Harness]:
    yield from request.param(database, clock)


def send(harness: Harness, text: str, *, key: str, address: str | None = None) -> None:
    harness.channel.deliver(
        address=harness.address if address is None else address,
        subject="A subject",
        text=text,
        html="<p>html</p>",
        key=key,
    )


def test_an_address_that_is_not_the_channel_s_is_refused_and_not_repeated(harness: Harness) -> None:
    for address in harness.wrong:
        with pytest.raises(Refused) as refused:
            send(harness, "hello", key="k", address=address)
        assert len(address) < 12 or address not in str(refused.value)
    assert harness.arrived(0) == []


def test_a_receiver_that_is_away_is_unavailable(harness: Harness) -> None:
    harness.cut()
    with pytest.raises(Unavailable):
        send(harness, "hello", key="k")


def test_what_is_sent_arrives(harness: Harness) -> None:
    send(harness, '{"id":"1"}', key="k-1")
    send(harness, '{"id":"2","text":"世界"}', key="k-2")
    assert sorted(harness.arrived(2)) == ['{"id":"1"}', '{"id":"2","text":"世界"}']


def test_the_same_key_twice_is_one_for_a_receiver_that_honours_it(harness: Harness) -> None:
    for _ in range(2):
        send(harness, '{"id":"1"}', key="k-1")
    send(harness, '{"id":"2"}', key="k-2")
    assert sorted(harness.arrived(3)) == ['{"id":"1"}', '{"id":"2"}']


def test_a_channel_has_the_name_that_the_outbox_knows_it_by(harness: Harness, request: pytest.FixtureRequest) -> None:
    assert harness.channel.name == request.node.callspec.id
