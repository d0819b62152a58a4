"""Devices at a real broker that answer commands as their script says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

import msgspec

from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.values import Message

PATIENCE_S = 20.0
Answers = Sequence[tuple[str, Any]]
"""(topic, JSON value, text or bytes)."""


class Scripted:
    """Listens to some topics and publishes what ``answer`` makes of each message. ``heard`` are the messages, in order."""

    def __init__(self, address: str, name: str, filters: Sequence[str], answer: Callable[[Message], Answers]) -> None:
        self.heard: list[Message] = []
        self._answer = answer
        self._publisher = open_publisher(address, client_id=f"{name}-answers")
        self._subscriber = open_subscriber(
            address, client_id=name, filters=filters, session_expiry_s=0, receive_maximum=100
        )
        connected = Event()

        def take(message: Message, receipt: object) -> None:
            self.heard.append(message)
            self._subscriber.acknowledge([receipt])
            self.say(self._answer(message))

        self._subscriber.start(take, lambda up, _present: connected.set() if up else None)
        assert connected.wait(PATIENCE_S)

    def say(self, answers: Answers) -> None:
        """Publish."""
        for topic, payload in answers:
            self._publisher.publish(topic, raw(payload))

    def settle(self) -> None:
        """Wait until the broker has all that was said."""
        self._publisher.flush(PATIENCE_S)

    def close(self) -> None:
        """Hang up."""
        self._subscriber.stop()
        self._publisher.close()


def raw(payload: Any) -> bytes:
    """Bytes and texts as they are, anything else as JSON."""
    if isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait for a condition."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)
