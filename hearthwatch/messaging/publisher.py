"""Publishes to an MQTT broker at QoS 1."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from hearthwatch.errors import Invalid, Refused, Unavailable
from hearthwatch.messaging.address import BrokerAddress
from hearthwatch.messaging.link import Link
from hearthwatch.messaging.mqtt import Connection
from hearthwatch.messaging.packets import Delivery
from hearthwatch.messaging.session import Outgoing, Session

LOG = logging.getLogger(__name__)

PATIENCE_S = 30.0
CLOSE_SECONDS = 5.0
_LONGEST_TOPIC = 65_535


class MqttPublisher:
    """A `Publisher` with a bounded window. What a lost connection left unacknowledged is sent again by the next one."""

    def __init__(self, address: BrokerAddress, client_id: str) -> None:
        self._where = str(address)
        self._asked_window = address.window
        self._most_bytes = address.max_packet_bytes
        self._changed = threading.Condition()
        self._window = 0  # 0 while there is no connection
        self._unacknowledged: dict[int, Outgoing] = {}
        self._outgoing: list[Outgoing] = []
        self._count = 0
        self._refused = 0
        self._link = Link(address, Session(client_id, expiry_s=0, receive_maximum=100), self)
        self._link.start()

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response: tuple[str, bytes] | None = None
    ) -> None:
        """Queue one message; blocks while the window is full. ``response`` is told where the broker speaks MQTT 5.

        Raises `Unavailable` when the broker stays away for 30 s, `Invalid` for what cannot be published.
        """
        if not topic or "+" in topic or "#" in topic or "\0" in topic or len(topic) > _LONGEST_TOPIC // 4:
            raise Invalid("not a topic to publish on", where=topic[:80])
        with self._changed:
            if len(self._unacknowledged) >= self._window and not self._changed.wait_for(self._has_room, PATIENCE_S):
                raise Unavailable("the broker does not take messages", where=self._where)
            self._count += 1
            message = Outgoing(self._count, topic, payload, retain, response)
            self._unacknowledged[message.number] = message
            first = not self._outgoing
            self._outgoing.append(message)
        if first:
            self._link.wake()

    def flush(self, timeout: float) -> None:
        """Wait until the broker has everything. Raises `Unavailable` after ``timeout`` seconds, `Refused` where it did not want some."""
        with self._changed:
            if not self._changed.wait_for(self._all_acknowledged, timeout):
                waiting = len(self._unacknowledged)
                raise Unavailable(f"{waiting} messages are not acknowledged after {timeout:g} s", where=self._where)
            refused, self._refused = self._refused, 0
        if refused:
            raise Refused(f"the broker did not take {refused} messages", where=self._where)

    def close(self) -> None:
        """Flush and disconnect; what could not be sent by then is logged."""
        until = time.monotonic() + CLOSE_SECONDS
        with self._changed:
            self._changed.wait_for(self._all_acknowledged, until - time.monotonic() if self._window else 0)
            left = len(self._unacknowledged)
        self._link.stop()
        if left:
            LOG.error("%s: %d messages were not acknowledged", self._where, left)

    def _has_room(self) -> bool:
        return len(self._unacknowledged) < self._window

    def _all_acknowledged(self) -> bool:
        return not self._unacknowledged

    # -- called by the link, in its thread

    def connected(self, connection: Connection) -> None:
        """Send again what the last connection left, and open the window as far as the broker allows."""
        with self._changed:
            self._window = min(self._asked_window, connection.window)
            self._outgoing = list(self._unacknowledged.values())
            self._changed.notify_all()

    def pump(self, connection: Connection) -> bool:
        """Send what waits."""
        with self._changed:
            room = max(0, self._window - connection.in_flight)
            messages, self._outgoing = self._outgoing[:room], self._outgoing[room:]
        if messages:
            connection.publish(messages)
        return True

    def disconnected(self) -> None:
        """Close the window."""
        with self._changed:
            self._window = 0

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """We subscribe to nothing here."""

    def acknowledged(self, numbers: Sequence[int], refused: int) -> None:
        """The broker has these."""
        with self._changed:
            for number in numbers:
                self._unacknowledged.pop(number, None)
            self._refused += refused
            self._changed.notify_all()
