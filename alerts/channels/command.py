"""The command channel: what a device is asked to do leaves by MQTT at QoS 1."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alerts.parcels import Parcel
from hearthwatch.errors import Refused
from hearthwatch.ports import Publisher
from hearthwatch.values import DEVICE_ID

ACKNOWLEDGED_WITHIN = 10.0
COMMAND_TOPIC = re.compile(rf"hearthwatch/v1/{DEVICE_ID.pattern}/command")


class CommandChannel:
    """Publishes to ``hearthwatch/v1/{device}/command``. A device tells commands apart by the ``id`` in the payload."""

    name = "mqtt"

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Publish ``text`` and wait until the broker has it. Raises `Refused` for another topic, `Unavailable` without a broker."""
        self.deliver_all([Parcel(address, subject, text, html, key)])

    def deliver_all(self, parcels: Sequence[Parcel]) -> None:
        """Publish several and wait until the broker has all of them. Errors as of `deliver`."""
        if any(COMMAND_TOPIC.fullmatch(parcel.address) is None for parcel in parcels):
            raise Refused("not a command topic")
        for parcel in parcels:
            self._publisher.publish(parcel.address, parcel.text.encode())
        self._publisher.flush(ACKNOWLEDGED_WITHIN)
