"""Receives messages from an MQTT broker and acknowledges them when told."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from hearthwatch.clock import was_set_back
from hearthwatch.messaging.address import BrokerAddress
from hearthwatch.messaging.link import Link
from hearthwatch.messaging.mqtt import Connection
from hearthwatch.messaging.packets import Delivery
from hearthwatch.messaging.session import Session
from hearthwatch.ports import Clock, Receipt
from hearthwatch.values import Message

LOG = logging.getLogger(__name__)

_TICK = timedelta(microseconds=1)
_EPOCHS = itertools.count(1)  # no two connections of this process share one
LARGE_BYTES, LARGE_ROOM_BYTES = 16_384, 64 << 20
"""Payloads from this size on are counted, and so many bytes of them may wait for their acknowledgement; one always may."""


class MqttSubscriber:
    """A `Subscriber` on a persistent session.

    A receipt names the connection it came by: packet ids begin anew with a session, so an old one could acknowledge a different
    message. Receipts of older connections are dropped; the broker sends those messages again.

    The window is kept here as well: Mosquitto 2.0 sends more than the receive maximum once the first PUBACK came, and MQTT 3.1.1
    has none. While it is full nothing more is handed on, nor read from the network. It is full as well when large payloads fill what
    memory there is for them: a window of messages would be gigabytes of the largest ones.

    ``leaving`` gives the filters up instead of subscribing: only what waits in the session still comes.
    """

    def __init__(
        self, address: BrokerAddress, session: Session, filters: Sequence[str], clock: Clock, *, leaving: bool = False
    ) -> None:
        self._clock = clock
        self._leaving = leaving
        self._last_stamp = clock.now()
        self._filters = tuple(dict.fromkeys(filters))
        self._window = session.receive_maximum
        self._link = Link(address, session, self)
        self._turn = threading.Lock()
        self._epoch = next(_EPOCHS)
        self._held = 0
        self._to_acknowledge: list[int] = []
        self._large: dict[int, int] = {}  # bytes of large payloads by packet id
        self._waiting: deque[Delivery] = deque()
        self._announced = self._is_new = False
        self._on_message: Callable[[Message, Receipt], None] = _nobody_listens
        self._on_connection: Callable[[bool, bool], None] = _nobody_cares
        self._on_new_session: Callable[[], None] | None = None

    def start(
        self,
        on_message: Callable[[Message, Receipt], None],
        on_connection: Callable[[bool, bool], None],
        on_new_session: Callable[[], None] | None = None,
    ) -> None:
        """Begin to connect; ``on_connection(True, ...)`` comes when the broker has agreed to the subscriptions."""
        self._on_message, self._on_connection = on_message, on_connection
        self._on_new_session = on_new_session
        self._link.start()

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """Acknowledge messages, in the order given; those of a lost connection are dropped."""
        with self._turn:
            current = self._epoch
            ids = [
                receipt[1]
                for receipt in receipts
                if isinstance(receipt, tuple) and receipt[0] == current and receipt[1] != 0
            ]
            self._to_acknowledge.extend(ids)
            self._held -= len(ids)
            if self._large:
                for packet_id in ids:
                    self._large.pop(packet_id, None)
        if ids:
            self._link.wake()

    def stop(self, *, forget: bool = False) -> None:
        """Send the acknowledgements that are queued and disconnect; the session stays with the broker, or is forgotten by it."""
        self._link.stop(forget=forget)

    # -- called by the link, in its thread

    def connected(self, connection: Connection) -> None:
        """Subscribe anew on every connection, so that new filters hold also where the session is an old one."""
        if not connection.session_present:
            # Until that was told: should this connection break before, the next one finds the session present.
            self._is_new = True
            self._tell_of_a_new_session()
        if self._leaving:
            connection.unsubscribe(self._filters)
        else:
            connection.subscribe(self._filters)

    def pump(self, connection: Connection) -> bool:
        """Send what was acknowledged, hand on what there is room for, and tell once when we are subscribed.

        With its session we are subscribed already; the answer to our new subscription stands behind all that waited for us.
        """
        if (connection.subscribed or connection.session_present) and not self._announced:
            self._announced = True
            is_new, self._is_new = self._is_new, False
            self._tell(True, connection.session_present and not is_new)
        with self._turn:
            ids, self._to_acknowledge = self._to_acknowledge, []
        if ids:
            connection.acknowledge(ids)
        self._hand_on()
        return not self._waiting

    def disconnected(self) -> None:
        """From here on all receipts given out are stale."""
        with self._turn:
            self._epoch = next(_EPOCHS)
            self._held = 0
            self._to_acknowledge = []
            self._large.clear()
        self._waiting.clear()
        if self._announced:
            self._announced = False
            self._tell(False, False)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Messages came."""
        self._waiting.extend(deliveries)
        self._hand_on()

    def _hand_on(self) -> None:
        """Call back for each message while the window has room.

        An error in the callback costs that message its acknowledgement, not the connection.
        """
        now, epoch, waiting = self._clock.now(), self._epoch, self._waiting
        if now < self._last_stamp and not was_set_back(self._last_stamp, now):
            now = self._last_stamp
        room = self._window - self._held
        taken = 0
        while waiting and taken < room and (len(waiting[0].payload) < LARGE_BYTES or self._takes_large(waiting[0])):
            topic, payload, packet_id, qos, dup, retain, user = waiting.popleft()
            taken += qos > 0
            now += _TICK  # no two messages have the same time
            try:
                self._on_message(Message(topic, payload, now, retain, qos, user, packet_id, dup), (epoch, packet_id))
            except Exception:  # a callback's error must not end the thread
                LOG.exception("a message on %s could not be handed on", topic)
        self._last_stamp = now
        with self._turn:
            self._held += taken

    def _takes_large(self, delivery: Delivery) -> bool:
        """Whether there is room for a large payload; then it is counted, until it is acknowledged."""
        size = len(delivery.payload)
        with self._turn:
            if self._large and sum(self._large.values()) + size > LARGE_ROOM_BYTES:
                return False
            if delivery.qos:
                self._large[delivery.packet_id] = size
        return True

    def acknowledged(self, numbers: Sequence[int], refused: int) -> None:
        """We publish nothing here."""

    def _tell_of_a_new_session(self) -> None:
        """A new session has no subscriptions, so nothing can come by it yet."""
        try:
            if self._on_new_session is not None:
                self._on_new_session()
        except Exception:  # as above
            LOG.exception("that the session is new could not be handed on")

    def _tell(self, up: bool, session_present: bool) -> None:
        try:
            self._on_connection(up, session_present)
        except Exception:  # as above
            LOG.exception("a change of the connection could not be handed on")


def _nobody_listens(_message: Message, _receipt: Receipt) -> None:
    """Before `start`."""


def _nobody_cares(_up: bool, _session_present: bool) -> None:
    """Before `start`."""
