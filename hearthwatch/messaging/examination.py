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
PROBE_BYTES = 1_024
"""Payload of each of them."""
PROBE_TOPIC = "probe"
SYS_TOPICS = ("$SYS/broker/version", "$SYS/broker/publish/messages/dropped")
EMQX_TOPIC = "$SYS/brokers/+/version"
"""EMQX tells its version by node."""

_GRANTS = {
    "receive_maximum": "ReceiveMaximum",
    "maximum_packet_size": "MaximumPacketSize",
    "session_expiry_s": "SessionExpiryInterval",
    "maximum_qos": "MaximumQoS",
    "retain_available": "RetainAvailable",
    "wildcards_available": "WildcardSubscriptionAvailable",
    "shared_available": "SharedSubscriptionAvailable",
    "topic_aliases": "TopicAliasMaximum",
}
_ANSWER_SECONDS = 5.0
_QUIET_SECONDS = 0.5
_PROBE_SECONDS = 15.0
_CHUNK = 500
_QOS0_MESSAGES = 5
_QOS0 = b"qos 0: "
_ROOM = 1_024  # of a packet, for what is no payload
_SESSION_SECONDS = 120  # long enough for the probe; should it be killed, the broker forgets it soon


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of messages that came while their subscriber was away.

    ``sent`` were acknowledged to the sender, ``came`` are the different ones that reached the subscriber on its return, ``window`` is how
    many it was given before it acknowledged any; ``refused`` says what the broker did not allow, if so. ``qos0_came`` of ``qos0_sent`` at
    QoS 0 were kept for it too. ``large`` is the payload, in bytes, of one message that was sent while it was there (0: it could not be
    tried); ``large_refused`` when the broker told the sender so, ``large_came`` when it arrived.
    """

    topic: str
    sent: int = 0
    came: int = 0
    window: int = 0
    refused: str = ""
    qos0_sent: int = 0
    qos0_came: int = 0
    large: int = 0
    large_refused: bool = False
    large_came: bool = False


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What a broker told us. ``granted`` holds only what it named in its CONNACK, ``told`` what it says in ``$SYS``."""

    version: Version
    granted: Mapping[str, int]
    refused_filters: Sequence[str]
    told: Mapping[str, str]
    probe: Probe | None


def examine_broker(
    address: str,
    filters: Sequence[str],
    *,
    receive_maximum: int,
    probe: bool,
    session_expiry_s: int = _SESSION_SECONDS,
    payload_bytes: int = 0,
) -> BrokerReport:
    """Connect, ask, try, and leave nothing behind. Raises `Unavailable` when there is no talking to it, `Invalid` for the address.

    It asks for a session of ``session_expiry_s`` seconds, and tries whether a message of ``payload_bytes`` bytes comes through.
    """
    place = parse_broker(address)
    name = f"hearthwatch-doctor-{secrets.token_hex(4)}"
    version = _spoken(place, name)
    # The first visit asks for what the ingestor would ask for, and subscribes to nothing: a session that a killed doctor leaves is empty.
    with _visit(place, Session(name, session_expiry_s, receive_maximum), version) as visit:
        granted = _granted(visit)
    _forget(place, name, version)
    with _visit(place, Session(name, _SESSION_SECONDS, receive_maximum), version) as visit:
        refused = visit.subscribe_each(filters)
        visit.subscribe_each((*SYS_TOPICS, EMQX_TOPIC))
        visit.until(lambda: len(visit.told) >= len(SYS_TOPICS), _QUIET_SECONDS)
        told = dict(visit.told)
    _forget(place, name, version)
    largest = min(granted.get("maximum_packet_size", payload_bytes + _ROOM), place.max_packet_bytes) - _ROOM
    size = payload_bytes if payload_bytes <= largest else 0
    tried = _probe(place, f"{name}-probe", version, receive_maximum, size) if probe else None
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


def _probe(place: BrokerAddress, name: str, version: Version, receive_maximum: int, large: int) -> Probe:
    topic = f"{ROOT}/{name}/{PROBE_TOPIC}"
    session = Session(name, _SESSION_SECONDS, receive_maximum)
    try:
        with _visit(place, session, version) as visit:
            if visit.subscribe_each([topic]):
                return Probe(topic, refused="the subscription")
        with _visit(place, Session(f"{name}-sender", 0, 10), version) as visit:
            visit.connection.publish_unacknowledged(topic, [_QOS0 + b"%d" % n for n in range(_QOS0_MESSAGES)])
            sent, refused = visit.publish(topic, PROBE_MESSAGES)
        if refused:
            return Probe(topic, sent=sent, refused="publishing")
        with _visit(place, session, version) as visit:
            window, came = visit.take_all()
            kept = len(visit.kept_at_qos0)
            told, arrived = (
                _send_large(place, f"{name}-sender", version, topic, large, visit) if large else (False, False)
            )
        return Probe(topic, sent, came, window, "", _QOS0_MESSAGES, kept, large, told, arrived)
    finally:
        with contextlib.suppress(Unavailable):
            _forget(place, name, version)


def _send_large(
    place: BrokerAddress, name: str, version: Version, topic: str, size: int, taker: _Visit
) -> tuple[bool, bool]:
    """(whether the sender was told that it is too large, whether it arrived) of one large message while its subscriber is there."""
    with _visit(place, Session(name, 0, 10), version) as visit:
        visit.connection.publish([Outgoing(0, topic, b"\x00" * size, retain=False)])
        visit.until(lambda: bool(visit.sent or visit.refused), _PROBE_SECONDS)
        told = visit.refused > 0 or not visit.sent
    arrived = taker.until(lambda: taker.largest >= size, 0.0 if told else _ANSWER_SECONDS)
    return told, arrived


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

    def publish_unacknowledged(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Send messages at QoS 0: whatever becomes of them, nobody says."""
        for payload in payloads:
            self._client.publish(topic, payload, qos=0)


@dataclass(slots=True)
class _Visit:
    """One connection, driven by the caller's own thread; also the listener of that connection."""

    connection: _Asking = field(init=False)
    told: dict[str, str] = field(default_factory=dict)
    payloads: set[bytes] = field(default_factory=set)
    kept_at_qos0: set[bytes] = field(default_factory=set)
    largest: int = 0
    unacknowledged: list[int] = field(default_factory=list)
    sent: int = 0
    refused: int = 0
    last: float = 0.0

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Messages came."""
        self.last = time.monotonic()
        for one in deliveries:
            if one.topic.startswith("$SYS/"):
                self.told[one.topic] = one.payload.decode("utf-8", "replace")
            elif one.payload.startswith(_QOS0):
                self.kept_at_qos0.add(one.payload)
            elif one.topic.endswith(f"/{PROBE_TOPIC}"):
                self.largest = max(self.largest, len(one.payload))
                self.payloads.add(one.payload[:PROBE_BYTES])
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
            payloads = [(n, (b"%d" % n).ljust(PROBE_BYTES)) for n in chunk]
            self.connection.publish([Outgoing(n, topic, payload, retain=False) for n, payload in payloads])
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
