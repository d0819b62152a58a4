"""What a broker grants us, and what it would lose: it is asked, and tried with a throw-away session.

Brokers acknowledge a message to its sender although they drop it for a subscriber who is away: Mosquitto keeps 1,000 of them
unless told otherwise, and sends 20 at a time to clients that speak MQTT 3.1.1. Neither is an error anywhere, so it is tried.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import ConnectFlags
from paho.mqtt.reasoncodes import ReasonCode

from hearthwatch.errors import Unavailable
from hearthwatch.messaging.address import BrokerAddress, parse_broker
from hearthwatch.messaging.mqtt import LOST, Connection, Version
from hearthwatch.messaging.packets import Delivery
from hearthwatch.messaging.session import Outgoing, Session
from hearthwatch.wire.native import ROOT

PROBE_MESSAGES = 1_200
"""More than any broker's usual limit of 1,000, and few enough to pass in seconds."""
PROBE_TOPIC = "probe"
SYS_TOPICS = ("$SYS/broker/version", "$SYS/broker/publish/messages/dropped")

_GRANTS = {
    "receive_maximum": "ReceiveMaximum",
    "maximum_packet_size": "MaximumPacketSize",
    "session_expiry_s": "SessionExpiryInterval",
    "maximum_qos": "MaximumQoS",
    "retain_available": "RetainAvailable",
    "wildcards_available": "WildcardSubscriptionAvailable",
    "shared_available": "SharedSubscriptionAvailable",
}
_ANSWER_SECONDS = 5.0
_QUIET_SECONDS = 0.5
_PROBE_SECONDS = 15.0
_CHUNK = 500
_SESSION_SECONDS = 120  # long enough for the probe; should it be killed, the broker forgets it soon


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of messages that came while their subscriber was away.

    ``sent`` were acknowledged to the sender, ``came`` are the different ones that reached the subscriber on its return, ``window`` is how
    many it was given before it acknowledged any; ``refused`` says what the broker did not allow, if so.
    """

    topic: str
    sent: int = 0
    came: int = 0
    window: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What a broker told us. ``granted`` holds only what it named in its CONNACK, ``told`` what it says in ``$SYS``."""

    version: Version
    granted: Mapping[str, int]
    refused_filters: Sequence[str]
    told: Mapping[str, str]
    probe: Probe | None


def examine_broker(address: str, filters: Sequence[str], *, receive_maximum: int, probe: bool) -> BrokerReport:
    """Connect, ask, try, and leave nothing behind. Raises `Unavailable` when there is no talking to it, `Invalid` for the address."""
    place = parse_broker(address)
    name = f"hearthwatch-doctor-{secrets.token_hex(4)}"
    version = _spoken(place, name)
    # The first visit asks for what the ingestor would ask for; cleaning up ends the session that it made.
    with _visit(place, Session(name, _SESSION_SECONDS, receive_maximum), version) as visit:
        granted = _granted(visit)
        refused = visit.subscribe_each(filters)
        visit.subscribe_each(SYS_TOPICS)
        visit.until(lambda: len(visit.told) == len(SYS_TOPICS), _QUIET_SECONDS)
        told = dict(visit.told)
    _forget(place, name, version)
    tried = _probe(place, f"{name}-probe", version, receive_maximum) if probe else None
    return BrokerReport(version, granted, refused, told, tried)


def _spoken(place: BrokerAddress, name: str) -> Version:
    """The version the broker speaks, of those the address allows."""
    if place.protocol != "auto":
        return place.protocol
    try:
        with _visit(place, Session(name, 0, 10), "5"):
            return "5"
    except _NotAccepted as refusal:
        if not refusal.unsupported:
            raise
    return "3.1.1"


def _granted(visit: _Visit) -> dict[str, int]:
    given = visit.connection.given
    return {ours: int(getattr(given, theirs)) for ours, theirs in _GRANTS.items() if hasattr(given, theirs)}


def _probe(place: BrokerAddress, name: str, version: Version, receive_maximum: int) -> Probe:
    topic = f"{ROOT}/{name}/{PROBE_TOPIC}"
    session = Session(name, _SESSION_SECONDS, receive_maximum)
    try:
        with _visit(place, session, version) as visit:
            if visit.subscribe_each([topic]):
                return Probe(topic, refused="the subscription")
        with _visit(place, Session(f"{name}-sender", 0, 10), version) as visit:
            sent, refused = visit.publish(topic, PROBE_MESSAGES)
        if refused:
            return Probe(topic, sent=sent, refused="publishing")
        with _visit(place, session, version) as visit:
            window, came = visit.take_all()
        return Probe(topic, sent, came, window)
    finally:
        with contextlib.suppress(Unavailable):
            _forget(place, name, version)


def _forget(place: BrokerAddress, name: str, version: Version) -> None:
    """A clean session of the same name takes the kept one's place, and ends with its connection."""
    with _visit(place, Session(name, 0, 10), version):
        pass


class _NotAccepted(Unavailable):
    """The broker did not take the connection; ``unsupported`` when an older version of MQTT may help."""

    unsupported = False


class _Asking(Connection):
    """A connection that keeps what the broker says."""

    given: Any = None

    def _on_connect(self, client: Any, data: Any, flags: ConnectFlags, reason: ReasonCode, given: Any) -> None:
        self.given = given
        super()._on_connect(client, data, flags, reason, given)

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[ReasonCode], _given: Any) -> None:
        self.answers = [*self.answers, *(reason.is_failure for reason in reasons)]

    answers: Sequence[bool] = ()


@dataclass(slots=True)
class _Visit:
    """One connection, driven by the caller's own thread; also the listener of that connection."""

    connection: _Asking = field(init=False)
    told: dict[str, str] = field(default_factory=dict)
    payloads: set[bytes] = field(default_factory=set)
    unacknowledged: list[int] = field(default_factory=list)
    sent: int = 0
    refused: int = 0
    last: float = 0.0

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Messages came."""
        self.last = time.monotonic()
        for one in deliveries:
            if one.topic in SYS_TOPICS:
                self.told[one.topic] = one.payload.decode("utf-8", "replace")
            elif one.topic.endswith(f"/{PROBE_TOPIC}"):
                self.payloads.add(one.payload)
            if one.qos:
                self.unacknowledged.append(one.packet_id)

    def acknowledged(self, numbers: Sequence[int], refused: int) -> None:
        """The broker has messages of ours."""
        self.sent += len(numbers)
        self.refused += refused

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Go on until something is so, or for so long; returns whether it is."""
        ending = time.monotonic() + seconds
        while not done() and not self.connection.lost and time.monotonic() < ending:
            self.connection.step(0.05)
        return done()

    def subscribe_each(self, filters: Sequence[str]) -> list[str]:
        """Subscribe to filters one by one; returns those the broker refused."""
        refused = []
        for one in filters:
            known = len(self.connection.answers)
            self.connection.subscribe([one])
            if not self.until(lambda known=known: len(self.connection.answers) > known, _ANSWER_SECONDS):  # type: ignore[misc]
                raise Unavailable(f"no answer to a subscription within {_ANSWER_SECONDS:.0f} s", where=one)
            if self.connection.answers[-1]:
                refused.append(one)
        return refused

    def publish(self, topic: str, count: int) -> tuple[int, int]:
        """Publish so many small messages within the broker's window; returns how many it acknowledged and how many it refused."""
        size = max(1, min(self.connection.window, _CHUNK))
        ending = time.monotonic() + _PROBE_SECONDS
        for first in range(0, count, size):
            chunk = range(first, min(first + size, count))
            self.connection.publish([Outgoing(n, topic, b"%d" % n, retain=False) for n in chunk])
            if not self.until(lambda last=chunk[-1]: self.sent > last, ending - time.monotonic()) or self.refused:  # type: ignore[misc]
                break
        return self.sent, self.refused

    def take_all(self) -> tuple[int, int]:
        """Take what waits; returns how many came before any was acknowledged, and how many different ones in all."""
        self._until_quiet()
        window = len(self.payloads)
        ending = time.monotonic() + _PROBE_SECONDS
        while self.unacknowledged and time.monotonic() < ending:
            ids, self.unacknowledged = self.unacknowledged, []
            self.connection.acknowledge(ids)
            self.until(lambda: bool(self.unacknowledged), _QUIET_SECONDS)
        return window, len(self.payloads)

    def _until_quiet(self) -> None:
        self.last = time.monotonic()
        self.until(lambda: time.monotonic() - self.last > _QUIET_SECONDS, _PROBE_SECONDS)


@contextmanager
def _visit(place: BrokerAddress, session: Session, version: Version) -> Iterator[_Visit]:
    visit = _Visit()
    wake, sleeper = socket.socketpair()
    with wake, sleeper:
        visit.connection = connection = _Asking(place, session, version, visit)
        try:
            connection.open(sleeper)
            visit.until(lambda: connection.ready, _ANSWER_SECONDS)
            if not connection.ready:
                refusal = _NotAccepted(connection.reason, where=str(place))
                refusal.unsupported = connection.unsupported or connection.reason == LOST
                raise refusal
            yield visit
            connection.disconnect(1.0)
        finally:
            connection.close()
