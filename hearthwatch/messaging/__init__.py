"""Messages in and out, by MQTT or inside the process; an address chooses."""

from __future__ import annotations

from collections.abc import Sequence

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Invalid
from hearthwatch.messaging.address import local_name, parse_broker
from hearthwatch.messaging.local import LocalPublisher, LocalSubscriber
from hearthwatch.messaging.publisher import MqttPublisher
from hearthwatch.messaging.session import Session
from hearthwatch.messaging.subscriber import MqttSubscriber
from hearthwatch.ports import Clock, Publisher, Subscriber

__all__ = ["open_publisher", "open_subscriber"]


def open_subscriber(
    address: str,
    *,
    client_id: str,
    filters: Sequence[str],
    session_expiry_s: int,
    receive_maximum: int,
    clock: Clock | None = None,
    leaving: bool = False,
) -> Subscriber:
    """A subscriber at an address; it connects when started. ``client_id`` names its session, ``clock`` stamps what is received.

    With ``leaving`` the filters are given up and only what waits in the session is received. Raises `Invalid`.
    """
    if not client_id or not filters:
        raise Invalid("a subscriber needs a client id and at least one topic filter", where="broker")
    stamps = clock or SystemClock()
    if address.startswith("local://"):
        wanted = () if leaving else filters
        return LocalSubscriber(local_name(address), client_id, wanted, session_expiry_s, receive_maximum, stamps)
    session = Session(client_id, session_expiry_s, receive_maximum)
    return MqttSubscriber(parse_broker(address), session, filters, stamps, leaving=leaving)


def open_publisher(address: str, *, client_id: str) -> Publisher:
    """A publisher to an address; it begins to connect at once and comes back by itself. Raises `Invalid`."""
    if not client_id:
        raise Invalid("a publisher needs a client id", where="broker")
    if address.startswith("local://"):
        return LocalPublisher(local_name(address))
    return MqttPublisher(parse_broker(address), client_id)
