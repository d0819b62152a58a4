"""What every transport promises, whatever it is."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Publisher, Receipt, Subscriber
from hearthwatch.values import Message

PATIENCE_S = 20.0


@pytest.fixture(params=["local", "mqtt 5", "mqtt 5 stock", "mqtt 3.1.1", "mqtt 3.1.1 stock"])
def address(request: pytest.FixtureRequest) -> str:
    """Address of a broker that belongs to this test alone."""
    kind = str(request.param).split()
    if kind[0] == "local":
        return f"local://{uuid.uuid4()}"
    client = "&client=stock" if "stock" in kind else ""
    return f"{request.getfixturevalue('mosquitto')}?protocol={kind[1]}{client}"


@pytest.fixture
def publisher(address: str) -> Iterator[Publisher]:
    """Someone who publishes; it stays connected throughout."""
    opened = open_publisher(address, client_id="publisher")
    yield opened
    opened.close()


class Inbox:
    """Receives what a subscriber hands over and lets a test wait for it."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.messages: list[Message] = []
        self.receipts: list[Receipt] = []
        self.connections: list[tuple[bool, bool]] = []
        self._changed = threading.Condition()

    def take(self, message: Message, receipt: Receipt) -> None:
        with self._changed:
            self.messages.append(message)
            self.receipts.append(receipt)
            self._changed.notify_all()

    def note(self, up: bool, session_present: bool) -> None:
        with self._changed:
            self.connections.append((up, session_present))
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def wait_for(self, count: int) -> list[bytes]:
        assert self.wait(lambda: len(self.messages) >= count), f"{len(self.messages)} of {count} messages came"
        return [message.payload for message in self.messages]


@contextmanager
def listening(
    address: str, *filters: str, client_id: str = "listener", expiry_s: int = 3600, window: int = 1000
) -> Iterator[Inbox]:
    """A subscriber that is connected and subscribed."""
    subscriber = open_subscriber(
        address,
        client_id=client_id,
        filters=filters or ("t/#",),
        session_expiry_s=expiry_s,
        receive_maximum=window,
    )
    inbox = Inbox(subscriber)
    subscriber.start(inbox.take, inbox.note)
    try:
        assert inbox.wait(lambda: bool(inbox.connections)), "it did not connect"
        yield inbox
    finally:
        subscriber.stop()


def send(publisher: Publisher, *payloads: bytes, topic: str = "t/a", retain: bool = False) -> None:
    for payload in payloads:
        publisher.publish(topic, payload, retain=retain)
    publisher.flush(PATIENCE_S)


def test_a_session_that_is_new_is_told_before_anything_is_heard_and_one_that_was_kept_is_not(
    address: str, publisher: Publisher
) -> None:
    for is_new in (True, False):
        order: list[str] = []
        subscriber = open_subscriber(
            address, client_id="told", filters=("t/#",), session_expiry_s=3600, receive_maximum=10
        )
        inbox = Inbox(subscriber)
        send(publisher, b"waits")

        def take(message: Message, receipt: Receipt, order: list[str] = order, inbox: Inbox = inbox) -> None:
            order.append("message")
            inbox.take(message, receipt)

        def note(up: bool, present: bool, order: list[str] = order, inbox: Inbox = inbox) -> None:
            order.append("up")
            inbox.note(up, present)

        subscriber.start(take, note, lambda order=order: order.append("new"))  # type: ignore[misc]
        assert inbox.wait(lambda inbox=inbox: bool(inbox.connections))  # type: ignore[misc]
        if is_new:
            send(publisher, b"comes")
        inbox.wait_for(1)
        subscriber.stop()
        assert ("new" in order, "new" in order[1:]) == (is_new, False), order


def test_messages_come_in_the_order_they_were_published(address: str, publisher: Publisher) -> None:
    sent = [str(number).encode() for number in range(500)]
    with listening(address) as inbox:
        send(publisher, *sent)
        assert inbox.wait_for(500) == sent


def test_a_message_comes_as_it_was_published(address: str, publisher: Publisher) -> None:
    payload = bytes(range(256)) * 300
    with listening(address) as inbox:
        send(publisher, payload, topic="t/ä/中")
        inbox.wait_for(1)
        message = inbox.messages[0]
        assert (message.topic, message.payload, message.qos) == ("t/ä/中", payload, 1)
        assert not message.retain
        assert not message.redelivered


def test_an_empty_message_comes_as_well(address: str, publisher: Publisher) -> None:
    with listening(address) as inbox:
        send(publisher, b"")
        assert inbox.wait_for(1) == [b""]


def test_only_what_the_filters_ask_for_comes(address: str, publisher: Publisher) -> None:
    with listening(address, "t/+/x", "u/#") as inbox:
        for topic in ("t/1/y", "t/1/x/z", "t/x", "v", "t/1/x", "u", "u/2/3"):
            send(publisher, topic.encode(), topic=topic)
        assert inbox.wait_for(3) == [b"t/1/x", b"u", b"u/2/3"]


def test_a_retained_message_reaches_who_comes_later_and_is_marked(address: str, publisher: Publisher) -> None:
    send(publisher, b"old", b"new", topic="t/kept", retain=True)
    with listening(address) as inbox:
        assert inbox.wait_for(1) == [b"new"]
        assert inbox.messages[0].retain


def test_a_retained_message_can_be_taken_away(address: str, publisher: Publisher) -> None:
    send(publisher, b"kept", b"", topic="t/kept", retain=True)
    send(publisher, b"stays", topic="t/other", retain=True)
    with listening(address) as inbox:
        assert inbox.wait_for(1) == [b"stays"]


def test_the_window_holds_back_what_is_not_acknowledged_yet(address: str, publisher: Publisher) -> None:
    with listening(address, window=10) as inbox:
        send(publisher, *(str(number).encode() for number in range(30)))
        inbox.wait_for(10)
        assert not inbox.wait(lambda: len(inbox.messages) > 10, seconds=0.3)
        inbox.subscriber.acknowledge(inbox.receipts[:5])
        inbox.wait_for(15)
        assert not inbox.wait(lambda: len(inbox.messages) > 15, seconds=0.3)


def test_the_acknowledged_is_gone_and_the_rest_comes_again_marked_and_in_order(
    address: str, publisher: Publisher
) -> None:
    with listening(address) as inbox:
        send(publisher, b"1", b"2", b"3", b"4")
        inbox.wait_for(4)
        inbox.subscriber.acknowledge(inbox.receipts[:2])
        ids = {message.payload: message.packet_id for message in inbox.messages}
    with listening(address) as inbox:
        send(publisher, b"5")
        assert inbox.wait_for(3) == [b"3", b"4", b"5"]
        assert [message.redelivered for message in inbox.messages] == [True, True, False]
        assert [message.packet_id for message in inbox.messages[:2]] == [ids[b"3"], ids[b"4"]]


def test_what_is_published_while_we_are_away_waits_for_us(address: str, publisher: Publisher) -> None:
    with listening(address) as inbox:
        assert inbox.connections == [(True, False)]
    sent = [str(number).encode() for number in range(3000)]
    send(publisher, *sent)
    with listening(address, window=5000) as inbox:
        assert inbox.wait_for(3000) == sent
        assert inbox.connections == [(True, True)]


def test_a_session_that_is_not_to_stay_is_gone(address: str, publisher: Publisher) -> None:
    with listening(address, expiry_s=0):
        pass
    send(publisher, b"nobody hears this")
    with listening(address, expiry_s=0) as inbox:
        send(publisher, b"this")
        assert inbox.wait_for(1) == [b"this"]
        assert inbox.connections == [(True, False)]


def test_receipts_of_an_older_connection_acknowledge_nothing(address: str, publisher: Publisher) -> None:
    with listening(address) as inbox:
        send(publisher, b"1", b"2")
        inbox.wait_for(2)
        stale = list(inbox.receipts)
    with listening(address) as inbox:
        inbox.wait_for(2)
        inbox.subscriber.acknowledge([("not", "a receipt"), *stale, None])
    with listening(address) as inbox:
        assert inbox.wait_for(2) == [b"1", b"2"]


def test_two_subscribers_each_get_everything(address: str, publisher: Publisher) -> None:
    with listening(address, client_id="one") as one, listening(address, client_id="two") as two:
        send(publisher, b"1", b"2")
        assert one.wait_for(2) == two.wait_for(2) == [b"1", b"2"]


def test_an_error_in_the_callback_does_not_end_the_stream(address: str, publisher: Publisher) -> None:
    subscriber = open_subscriber(
        address, client_id="fragile", filters=["t/#"], session_expiry_s=3600, receive_maximum=100
    )
    inbox = Inbox(subscriber)

    def fragile(message: Message, receipt: Receipt) -> None:
        if message.payload == b"poison":
            raise ZeroDivisionError
        inbox.take(message, receipt)

    subscriber.start(fragile, inbox.note)
    try:
        assert inbox.wait(lambda: bool(inbox.connections))
        send(publisher, b"1", b"poison", b"2")
        assert inbox.wait_for(2) == [b"1", b"2"]
    finally:
        subscriber.stop()


def test_a_window_of_very_large_messages_does_not_fill_the_memory(
    mosquitto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthwatch.messaging.subscriber.LARGE_ROOM_BYTES", 2_500_000)
    sent = [bytes([number]) * 1_000_000 for number in range(6)]
    publisher = open_publisher(mosquitto, client_id="publisher")
    with listening(mosquitto) as inbox:
        send(publisher, *sent)
        inbox.wait_for(2)
        assert not inbox.wait(lambda: len(inbox.messages) > 2, seconds=0.5)
        for number in range(6):
            inbox.wait_for(number + 1)
            inbox.subscriber.acknowledge([inbox.receipts[number]])
        assert [message.payload for message in inbox.messages] == sent
    publisher.close()


def test_many_large_messages_do_not_get_stuck(address: str, publisher: Publisher) -> None:
    sent = [bytes([number % 256]) * 50_000 for number in range(200)]
    with listening(address, window=50) as inbox:
        acknowledged = 0
        for payload in sent:
            publisher.publish("t/large", payload)
        while acknowledged < 200:
            inbox.wait_for(acknowledged + 1)
            count = len(inbox.receipts)
            inbox.subscriber.acknowledge(inbox.receipts[acknowledged:count])
            acknowledged = count
        publisher.flush(PATIENCE_S)
        assert [message.payload for message in inbox.messages] == sent


def test_leaving_a_session_brings_what_waits_in_it_and_nothing_new_and_then_ends_it(
    address: str, publisher: Publisher
) -> None:
    with listening(address):
        pass  # it is subscribed, and gone
    send(publisher, b"1", b"2", b"3")
    leaving = open_subscriber(
        address, client_id="listener", filters=("t/#",), session_expiry_s=3600, receive_maximum=1000, leaving=True
    )
    inbox = Inbox(leaving)
    leaving.start(inbox.take, inbox.note)
    assert sorted(inbox.wait_for(3)) == [b"1", b"2", b"3"]
    with listening(address, client_id="another") as other:
        send(publisher, b"4")
        other.wait_for(1)
    assert len(inbox.messages) == 3
    leaving.acknowledge(inbox.receipts)
    leaving.stop(forget=True)
    with listening(address) as again:
        assert again.connections == [(True, False)], "the session is still there"
        assert again.messages == []


def test_a_session_that_was_being_left_keeps_what_was_not_acknowledged(address: str, publisher: Publisher) -> None:
    with listening(address):
        pass
    send(publisher, b"1", b"2")
    leaving = open_subscriber(
        address, client_id="listener", filters=("t/#",), session_expiry_s=3600, receive_maximum=1000, leaving=True
    )
    inbox = Inbox(leaving)
    leaving.start(inbox.take, inbox.note)
    inbox.wait_for(2)
    leaving.acknowledge(inbox.receipts[:1])
    leaving.stop()
    with listening(address) as again:
        assert again.wait_for(1) == [b"2"]
