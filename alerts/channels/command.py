"""The command channel: what a device is asked to do leaves by MQTT at QoS 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from alerts.channels.parcels import Parcel
from hearthwatch.errors import Refused
from hearthwatch.ports import Publisher
from hearthwatch.wire.commands.requests import is_command_topic
from hearthwatch.wire.native import ROOT

ACKNOWLEDGED_WITHIN = 10.0
BASE64 = "base64"
"""The subject of a payload that is no text, and is written so."""


class CommandChannel:
    """Publishes to the topics that devices listen to for commands, and to no other.

    A native device also gets a response topic and correlation data, where it speaks MQTT 5; the ``id`` in the payload says the same to all.
    """

    name = "mqtt"

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Publish ``text`` and wait until the broker has it. Raises `Refused` for another topic, `Unavailable` without a broker."""
        self.deliver_all([Parcel(address, subject, text, html, key)])

    def deliver_all(self, parcels: Sequence[Parcel]) -> None:
        """Publish several and wait until the broker has all of them. Errors as of `deliver`."""
        if any(not is_command_topic(parcel.address) for parcel in parcels):
            raise Refused("not a command topic")
        for parcel in parcels:
            payload = _payload(parcel)
            self._publisher.publish(parcel.address, payload, response=_response(parcel.address, payload))
        self._publisher.flush(ACKNOWLEDGED_WITHIN)


def _payload(parcel: Parcel) -> bytes:
    if parcel.subject != BASE64:
        return parcel.text.encode()
    try:
        return base64.b64decode(parcel.text, validate=True)
    except binascii.Error:
        raise Refused("the payload is not base64") from None


def _response(topic: str, payload: bytes) -> tuple[str, bytes] | None:
    """Where a native device answers, and the id of the command, as MQTT 5 says it."""
    if not topic.startswith(f"{ROOT}/"):
        return None
    try:
        request = msgspec.json.decode(payload, type=_Named).id
    except msgspec.MsgspecError:
        return None
    return topic.removesuffix("command") + "reply", request.encode()


class _Named(msgspec.Struct):
    id: str
