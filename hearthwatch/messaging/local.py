"""A broker inside this process, for one machine without a server: ``local://name``.

It keeps what the platform relies on: order, retained messages, a bounded window, sessions that outlast an absence, and
unacknowledged messages that come again. It lives as long as somebody is connected to it, and nothing of it is on disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hearthwatch.clock import was_set_back
from hearthwatch.errors import Conflict, Invalid, Unavailable
from hearthwatch.messaging.topics import matches
from hearthwatch.ports import Clock, Receipt
from hearthwatch.values import Message

LOG = logging.getLogger(__name__)

QUEUE_MESSAGES = 10_000
PATIENCE_S = 30.0
_ROUTES_KEPT = 100_000
_ALL_IDS = 65_535
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A message on its way to one session."""

    topic: str
    payload: bytes
    retain: bool
    packet_id: int
    redelivered: bool = False


@dataclass(slots=True)
class _Session:
    """What is kept for one client id."""

    client_id: str
    filters: tuple[str, ...]
    expiry_s: int
    receive_maximum: int
    queue: deque[_Kept] = field(default_factory=deque)
    in_flight: OrderedDict[int, _Kept] = field(default_factory=OrderedDict)
    attached: bool = False
    epoch: int = 0
    left_at: float = 0.0
    last_id: int = 0

    def add(self, topic: str, payload: bytes, retain: bool) -> None:
        self.last_id = self.last_id % _ALL_IDS + 1
        self.queue.append(_Kept(topic, payload, retain, self.last_id))

    def take(self) -> list[_Kept]:
        """The next messages the window has room for."""
        taken = []
        while self.queue and len(self.in_flight) < self.receive_maximum:
            kept = self.queue.popleft()
            self.in_flight[kept.packet_id] = kept
            taken.append(kept)
        return taken

    def give_back(self) -> None:
        """What was not acknowledged comes first next time."""
        again = [_Kept(one.topic, one.payload, one.retain, one.packet_id, True) for one in self.in_flight.values()]
        self.queue.extendleft(reversed(again))
        self.in_flight.clear()


class Hub:
    """The broker of one name."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.clients = 0
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, bytes] = {}
        self._routes: dict[str, list[_Session]] = {}

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Give a message to every session that wants it; waits while one of them is full."""
        with self.changed:
            wanting = self._route(topic)
            if not self.changed.wait_for(lambda: all(len(s.queue) < QUEUE_MESSAGES for s in wanting), PATIENCE_S):
                raise Unavailable("a subscriber does not keep up", where=topic)
            if retain and payload:
                self._retained[topic] = payload
            elif retain:
                self._retained.pop(topic, None)
            for session in wanting:
                session.add(topic, payload, retain=False)
            if wanting:
                self.changed.notify_all()

    def attach(
        self, client_id: str, filters: Sequence[str], expiry_s: int, receive_maximum: int
    ) -> tuple[_Session, bool]:
        """Open a session or take up the one that waits, and say which. Raises `Conflict` when the client id is in use."""
        with self.changed:
            session = self._sessions.get(client_id)
            if session is not None and session.attached:
                raise Conflict("this client id is connected already", where=client_id)
            if session is not None and time.monotonic() - session.left_at > session.expiry_s:
                session = None
            present = session is not None
            if session is None:
                session = self._sessions[client_id] = _Session(client_id, (), expiry_s, receive_maximum)
            new = [one for one in filters if one not in session.filters]
            session.filters, session.expiry_s = tuple(filters), expiry_s
            session.receive_maximum = receive_maximum
            session.attached = True
            self._routes.clear()
            for topic, payload in self._retained.items():
                if any(matches(one, topic) for one in new):
                    session.add(topic, payload, retain=True)
            return session, present

    def detach(self, session: _Session) -> None:
        """The client went away; its session stays if it is to stay."""
        with self.changed:
            session.attached = False
            session.epoch += 1
            session.left_at = time.monotonic()
            session.give_back()
            if session.expiry_s == 0:
                self._sessions.pop(session.client_id, None)
                self._routes.clear()
            self.changed.notify_all()

    def _route(self, topic: str) -> list[_Session]:
        known = self._routes.get(topic)
        if known is None:
            if len(self._routes) >= _ROUTES_KEPT:
                self._routes.clear()
            known = [one for one in self._sessions.values() if any(matches(f, topic) for f in one.filters)]
            self._routes[topic] = known
        return known


_HUBS: dict[str, Hub] = {}
_HUBS_TURN = threading.Lock()


def _join(name: str) -> Hub:
    with _HUBS_TURN:
        hub = _HUBS.setdefault(name, Hub())
        hub.clients += 1
        return hub


def _leave(name: str) -> None:
    with _HUBS_TURN:
        hub = _HUBS[name]
        hub.clients -= 1
        if hub.clients == 0:
            del _HUBS[name]


class LocalSubscriber:
    """A `Subscriber` on a broker in this process, with a thread of its own."""

    def __init__(
        self,
        name: str,
        client_id: str,
        filters: Sequence[str],
        session_expiry_s: int,
        receive_maximum: int,
        clock: Clock,
    ) -> None:
        self._name = name
        self._clock = clock
        self._client_id = client_id
        self._filters = tuple(dict.fromkeys(filters))
        self._expiry_s = session_expiry_s
        self._receive_maximum = receive_maximum
        self._stopping = False
        self._hub: Hub | None = None
        self._session: _Session | None = None
        self._thread: threading.Thread | None = None

    def start(
        self,
        on_message: Callable[[Message, Receipt], None],
        on_connection: Callable[[bool, bool], None],
        on_new_session: Callable[[], None] | None = None,
    ) -> None:
        """Attach to the session and begin to receive. Raises `Conflict` when the client id is in use."""
        self._hub = hub = _join(self._name)
        try:
            session, present = hub.attach(self._client_id, self._filters, self._expiry_s, self._receive_maximum)
        except Conflict:
            self._hub = None
            _leave(self._name)
            raise
        self._session = session
        if not present and on_new_session is not None:
            on_new_session()
        arguments = (hub, session, present, on_message, on_connection)
        self._thread = threading.Thread(target=self._run, args=arguments, name=f"local {self._client_id}", daemon=True)
        self._thread.start()

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """These need not come again. Receipts from before a stop are dropped."""
        hub, session = self._hub, self._session
        if hub is None or session is None:
            return
        with hub.changed:
            for receipt in receipts:
                if isinstance(receipt, tuple) and receipt[0] == session.epoch:
                    session.in_flight.pop(receipt[1], None)
            hub.changed.notify_all()

    def stop(self, *, forget: bool = False) -> None:
        """Stop receiving; unacknowledged messages stay with the session, unless it is to be forgotten."""
        hub, session, thread = self._hub, self._session, self._thread
        if hub is None or session is None or thread is None:
            return
        with hub.changed:
            self._stopping = True
            hub.changed.notify_all()
        if threading.current_thread() is not thread:
            thread.join()
        if forget:
            session.expiry_s = 0
        hub.detach(session)
        self._hub = None
        _leave(self._name)

    def _run(
        self,
        hub: Hub,
        session: _Session,
        present: bool,
        on_message: Callable[[Message, Receipt], None],
        on_connection: Callable[[bool, bool], None],
    ) -> None:
        _guarded(on_connection, True, present)
        now = self._clock.now()
        while True:
            with hub.changed:
                taken = session.take()
                while not taken and not self._stopping:
                    hub.changed.wait()
                    taken = session.take()
                if self._stopping:
                    break
                hub.changed.notify_all()  # there is room again
            last, now, epoch = now, self._clock.now(), session.epoch
            if now < last and not was_set_back(last, now):
                now = last
            for one in taken:
                now += _TICK  # no two messages have the same time
                message = Message(
                    one.topic, one.payload, now, one.retain, packet_id=one.packet_id, redelivered=one.redelivered
                )
                _guarded(on_message, message, (epoch, one.packet_id))
        _guarded(on_connection, False, False)


class LocalPublisher:
    """A `Publisher` to a broker in this process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._hub: Hub | None = _join(name)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response: tuple[str, bytes] | None = None
    ) -> None:
        """Hand one message over; blocks while a subscriber's queue is full. Raises `Unavailable` after 30 s, or when closed."""
        if not topic or "+" in topic or "#" in topic or "\0" in topic:
            raise Invalid("not a topic to publish on", where=topic[:80])
        if self._hub is None:
            raise Unavailable("the publisher is closed", where=f"local://{self._name}")
        self._hub.publish(topic, payload, retain)

    def flush(self, timeout: float) -> None:
        """Nothing waits: `publish` returns when the broker has the message."""

    def close(self) -> None:
        """Leave."""
        if self._hub is not None:
            self._hub = None
            _leave(self._name)


def _guarded(callback: Callable[..., None], *arguments: object) -> None:
    try:
        callback(*arguments)
    except Exception:  # a callback's error must not end the thread
        LOG.exception("a callback failed")
