"""What every channel promises: it arrives, with a key its receiver can honour; errors say whether to try again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from alerts.channels.command import CommandChannel
from alerts.channels.gateway import GatewayChannel
from alerts.channels.mail import MailChannel
from alerts.channels.mail_server import mail_server as mail_address
from alerts.channels.mailbox import MailboxChannel
from alerts.channels.webhook import WebhookChannel
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Channel, Publisher, Receipt
from hearthwatch.records import mailbox
from hearthwatch.records.database import Database
from hearthwatch.values import Message
from tests.gateway_server import gateway
from tests.smtp_server import mail_server

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
    html: str = "<p>html</p>"


def mailbox_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    def arrived(sent: int) -> list[str]:
        with database.reading() as connection:
            return [letter.text for letter in mailbox.list_letters(connection)]

    def cut() -> None:
        with database.transaction() as connection:
            connection.execute(sa.text("drop table mailbox"))

    wrong = ("mailto://kim@example.org", "", "file:///tmp/x")
    yield Harness(MailboxChannel(database, clock), "mailbox://c-1", wrong, arrived, cut)


def mail_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    with ExitStack() as running:
        server = running.enter_context(mail_server())
        address = mail_address(f"mailto://127.0.0.1:{server.port}?from=care@maker.example")

        def arrived(sent: int) -> list[str]:
            by_id = {str(letter["Message-ID"]): str(letter.get_content()) for letter in server.letters}
            return [text.strip() for text in by_id.values()]

        wrong = (
            "mailto:kim@a.example,eve@b.example",
            "mailto://u:p@host/?to=kim@a.example",
            "mailbox://c-1",
            "",
            "sms:+49170",
        )
        yield Harness(MailChannel(address, clock), "mailto:kim@home.example", wrong, arrived, running.close, html="")


def named_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    with ExitStack() as running:
        server = running.enter_context(gateway())
        channel = GatewayChannel("app", f"json://127.0.0.1:{server.port}/hook/{{to}}")
        wrong = (
            "exec:rm",
            "json://127.0.0.1/x",
            "app://kim",
            "app:../x",
            "app:a/b",
            "app:kim?to=eve",
            "app:",
            "",
            "push:kim",
        )
        yield Harness(
            channel, "app:kim", wrong, lambda sent: [json.loads(one)["message"] for one in server.kept()], running.close
        )


def webhook_harness(database: Database, clock: SteppedClock) -> Iterator[Harness]:
    with ExitStack() as running:
        server = running.enter_context(gateway())
        channel = WebhookChannel("webhook:erp", f"{server.url}/hook", [b"k" * 32], clock, address="event:erp")
        wrong = ("https://elsewhere.example/", "event:app", "", "webhook:erp")
        yield Harness(channel, "event:erp", wrong, lambda sent: [one.decode() for one in server.kept()], running.close)


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


HARNESSES = {
    "mailbox": mailbox_harness,
    "mail": mail_harness,
    "app": named_harness,
    "webhook:erp": webhook_harness,
    "mqtt": command_harness,
}


@pytest.fixture(params=list(HARNESSES.values()), ids=list(HARNESSES))
def harness(request: pytest.FixtureRequest, database: Database, clock: SteppedClock) -> Iterator[Harness]:
    yield from request.param(database, clock)


def send(harness: Harness, text: str, *, key: str, address: str | None = None) -> None:
    harness.channel.deliver(
        address=harness.address if address is None else address,
        subject="A subject",
        text=text,
        html=harness.html,
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
