"""What only the broker inside the process does; the rest is in the contract suite."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Conflict, Invalid, Unavailable
from hearthwatch.messaging import local, open_publisher, open_subscriber
from hearthwatch.ports import Publisher, Receipt, Subscriber
from hearthwatch.values import Message

PATIENCE_S = 10.0


@pytest.fixture
def address() -> str:
    return f"local://{uuid.uuid4()}"


def subscriber(address: str, *, client_id: str = "me", window: int = 1000) -> Subscriber:
    return open_subscriber(address, client_id=client_id, filters=["t"], session_expiry_s=60, receive_maximum=window)


def publish(publisher: Publisher, count: int) -> None:
    for _ in range(count):
        publisher.publish("t", b"")


def ignore(_message: Message, _receipt: Receipt) -> None:
    """Take a message and never acknowledge it."""


def test_a_client_id_that_is_connected_is_taken(address: str) -> None:
    first, second = subscriber(address), subscriber(address)
    first.start(ignore, lambda _up, _present: None)
    with pytest.raises(Conflict):
        second.start(ignore, lambda _up, _present: None)
    first.stop()
    second.stop()


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b"])
def test_a_wildcard_is_no_topic(address: str, topic: str) -> None:
    publisher = open_publisher(address, client_id="p")
    with pytest.raises(Invalid):
        publisher.publish(topic, b"")
    publisher.close()


def test_a_closed_publisher_says_so(address: str) -> None:
    publisher = open_publisher(address, client_id="p")
    publisher.close()
    publisher.close()
    with pytest.raises(Unavailable):
        publisher.publish("t", b"")


def test_a_full_queue_holds_the_publisher_until_there_is_room(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "QUEUE_MESSAGES", 5)
    receipts: list[Receipt] = []
    came = threading.Semaphore(0)

    def take(_message: Message, receipt: Receipt) -> None:
        receipts.append(receipt)
        came.release()

    listener = subscriber(address, window=1)
    listener.start(take, lambda _up, _present: None)
    publisher = open_publisher(address, client_id="p")
    publishing = threading.Thread(target=publish, args=(publisher, 8))
    publishing.start()
    publishing.join(timeout=0.2)
    assert publishing.is_alive()
    for number in range(8):
        assert came.acquire(timeout=PATIENCE_S)
        listener.acknowledge([receipts[number]])
    publishing.join(timeout=PATIENCE_S)
    assert not publishing.is_alive()
    listener.stop()
    publisher.close()


def test_a_subscriber_that_never_catches_up_makes_publishing_fail(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "QUEUE_MESSAGES", 1)
    monkeypatch.setattr(local, "PATIENCE_S", 0.05)
    listener = subscriber(address, window=1)
    listener.start(ignore, lambda _up, _present: None)
    publisher = open_publisher(address, client_id="p")
    with pytest.raises(Unavailable):
        publish(publisher, 4)
    listener.stop()
    publisher.close()


def test_nothing_is_left_when_everybody_has_left(address: str) -> None:
    publisher = open_publisher(address, client_id="p")
    publisher.publish("t", b"kept", retain=True)
    publisher.close()
    messages: list[Message] = []
    listener = subscriber(address)
    connected: list[tuple[bool, bool]] = []
    listener.start(lambda message, _receipt: messages.append(message), lambda *change: connected.append(change))
    listener.stop()
    assert messages == []
    assert connected == [(True, False), (False, False)]


class JumpingClock:
    """This machine's clock, which may be set back."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 13, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.mark.parametrize("back", [timedelta(0), timedelta(milliseconds=3), timedelta(hours=1)])
def test_no_two_messages_have_the_same_time_and_a_clock_that_was_set_back_is_followed(
    address: str, back: timedelta
) -> None:
    clock = JumpingClock()
    times: list[datetime] = []
    came = threading.Semaphore(0)

    def take(message: Message, _receipt: Receipt) -> None:
        times.append(message.received_at)
        came.release()

    listener = open_subscriber(
        address, client_id="me", filters=["t"], session_expiry_s=60, receive_maximum=10, clock=clock
    )
    listener.start(take, lambda _up, _present: None)
    publisher = open_publisher(address, client_id="p")
    publish(publisher, 2)
    assert all(came.acquire(timeout=PATIENCE_S) for _ in range(2))
    clock.at -= back
    publish(publisher, 2)
    assert all(came.acquire(timeout=PATIENCE_S) for _ in range(2))
    listener.stop()
    publisher.close()
    assert len(set(times)) == 4
    assert times[-1] - clock.at < timedelta(seconds=1)
