"""The command channel: what a device is asked to do leaves by MQTT at QoS 1."""

from __future__ import annotations

import re

from hearthwatch.errors import Refused
from hearthwatch.ports import Publisher
from hearthwatch.values import DEVICE_ID

ACKNOWLEDGED_WITHIN = 10.0
COMMAND_TOPIC = re.compile(rf"hearthwatch/v1/{DEVICE_ID.pattern}/command")


def command_topic(device_id: str) -> str:
    """The topic a device of the native convention listens to."""
    return f"hearthwatch/v1/{device_id}/command"


class CommandChannel:
    """Publishes to ``hearthwatch/v1/{device}/command``. The device tells commands apart by the ``id`` in the payload."""

    name = "mqtt"

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Publish ``text`` and wait until the broker has it. Raises `Refused` for another topic, `Unavailable` without a broker."""
        if COMMAND_TOPIC.fullmatch(address) is None:
            raise Refused("not a command topic")
        self._publisher.publish(address, text.encode())
        self._publisher.flush(ACKNOWLEDGED_WITHIN)
