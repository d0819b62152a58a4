"""Zigbee2MQTT: ``<base>/bridge/...`` describes a network, ``<base>/<friendly name>`` tells the state of one of its devices.

Source: www.zigbee2mqtt.io (usage: MQTT topics and messages, device availability, OTA updates). A device is its IEEE address; its
friendly name, which may hold slashes and change any day, only says which topics are its. The bridge is a device of its own: the
address of its coordinator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.draft import text_or_none
from hearthwatch.wire.limits import shown
from hearthwatch.wire.payload import parse_json, parse_object, parse_text
from hearthwatch.wire.zigbee2mqtt_device import NAME, read_state, said_online
from hearthwatch.wire.zigbee2mqtt_network import Network

BASE_TOPIC = "zigbee2mqtt"
"""The base topic of an installation that was not told another."""

_COMMANDS = frozenset({"set", "get"})
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Zigbee2Mqtt:
    """Decoder of Zigbee2MQTT. State per base topic: the bridge's address, names, groups, and of each device what it said last.

    ``bases`` are the base topics, one for each bridge. Raises `Invalid` for what cannot be a base topic.
    """

    name = NAME
    shareable: tuple[str, ...] = ()

    def __init__(self, bases: Sequence[str] = (BASE_TOPIC,)) -> None:
        for base in bases:
            if not base or base.startswith("$") or any(letter in base for letter in "+#\x00") or "" in base.split("/"):
                raise Invalid(f"not a base topic: {shown(base)}", where="conventions")
        # The longest first: one base topic may lie below another.
        self._bases = tuple(sorted(dict.fromkeys(bases), key=len, reverse=True))
        # Descriptions first: a broker sends retained messages filter by filter.
        self.filters = tuple(
            f"{base}/{rest}" for base in bases for rest in ("bridge/devices", "bridge/groups", "bridge/info", "#")
        )

    def partition(self, topic: str) -> str | None:
        """The base topic: what belongs to whom on a network is told in one message."""
        return next((base for base in self._bases if topic.startswith(base + "/") and len(topic) > len(base) + 1), None)

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        base = self.partition(message.topic)
        if base is None:
            raise Invalid("not a topic of Zigbee2MQTT")
        rest = message.topic[len(base) + 1 :]
        network = Network(state, message)
        kind = rest.removeprefix("bridge/")
        if kind == rest:
            return network.finish(_of_device(network, rest, message))
        read = _BRIDGE.get(kind)
        if read is None:
            return Decoded(ignored="a message of the bridge about itself"), state
        if not message.payload:
            return Decoded(ignored="a retained description was removed"), state
        return network.finish(read(network, message))


# -- the bridge ---------------------------------------------------------------------------------------------------------


def _devices(network: Network, message: Message) -> str | None:
    listed = parse_json(message.payload)
    if not isinstance(listed, list):
        raise Invalid("bridge/devices is not a list")
    return network.describe(listed)


def _groups(network: Network, message: Message) -> str | None:
    listed = parse_json(message.payload)
    if not isinstance(listed, list):
        raise Invalid("bridge/groups is not a list")
    network.learn_groups(listed)
    return "names of groups, which are no devices"


def _info(network: Network, message: Message) -> str | None:
    given = parse_object(message.payload)
    coordinator = given.get("coordinator")
    coordinator = coordinator if isinstance(coordinator, dict) else {}
    draft = network.learn_bridge(coordinator.get("ieee_address"))
    if draft is None:
        return "the bridge does not say which coordinator it has"
    draft.learn_firmware("bridge", given.get("version"))
    network.claim(draft, "Zigbee2MQTT", coordinator.get("type"))
    return None


def _bridge_state(network: Network, message: Message) -> str | None:
    return network.bridge_is(online=said_online(message.payload))


def _health(network: Network, message: Message) -> str | None:
    """The bridge's own health, since Zigbee2MQTT 2: how long its process runs."""
    process = parse_object(message.payload).get("process")
    draft = network.bridge_draft()
    if draft is None or not isinstance(process, dict) or message.retain:
        return "nothing in it that we measure"
    metrics: dict[str, float] = {}
    draft.measure(metrics, "uptime_s", process.get("uptime_sec"), "process.uptime_sec")
    if "uptime_s" in metrics:
        draft.learn_uptime("health", message.received_at, metrics["uptime_s"], "unknown")
    draft.reading("health", message.received_at, metrics)
    return None


_NETWORK_EVENTS = {"device_announce": "announced", "device_leave": "left"}


def _event(network: Network, message: Message) -> str | None:
    given = parse_object(message.payload)
    data, kind = given.get("data"), given.get("type")
    if not isinstance(data, dict) or not isinstance(kind, str):
        raise Invalid("not an event: it needs a type and data")
    code = _NETWORK_EVENTS.get(kind)
    if kind == "device_interview" and data.get("status") == "failed":
        code = "interview_failed"
    if code is None or message.retain:
        return "an event that is told by bridge/devices too"
    return network.happened(data.get("ieee_address"), code)


def _response(network: Network, message: Message) -> str | None:
    """An answer to a request. One that failed may not say of which device; then the bridge says it."""
    given = parse_object(message.payload)
    data, transaction = given.get("data"), text_or_none(given.get("transaction"))
    if transaction is None or message.retain:
        return "an answer to a request that was not ours"
    data = data if isinstance(data, dict) else {}
    draft = network.named_in_answer(data.get("id")) or network.bridge_draft()
    if draft is None:
        return "an answer of a bridge that did not tell its address"
    failed = given.get("status") != "ok"
    draft.reply(ok=not failed, detail={**data, "error": given.get("error")} if failed else data, id=transaction)
    return None


_BRIDGE: Mapping[str, Callable[[Network, Message], str | None]] = {
    "devices": _devices,
    "groups": _groups,
    "info": _info,
    "state": _bridge_state,
    "health": _health,
    "event": _event,
    "response/health_check": _response,
    "response/device/ota_update/check": _response,
    "response/device/ota_update/update": _response,
}


# -- a device -----------------------------------------------------------------------------------------------------------


def _of_device(network: Network, rest: str, message: Message) -> str | None:
    """A message below a friendly name. Names may hold slashes, so the longest that is known wins."""
    name, _, last = rest.rpartition("/")
    if network.knows(rest):
        return _state(network, rest, message, None)
    if last == "availability" and name:
        if not message.payload:
            return "the retained presence was removed"
        return network.device_is(name, online=said_online(message.payload))
    outer, _, middle = name.rpartition("/")
    if (last in _COMMANDS and name) or (middle in _COMMANDS and network.knows(outer)):
        return "a command to a device, not a message from it"
    if name and network.knows(name) and _ATTRIBUTE.fullmatch(last):
        return _state(network, name, message, last)
    return _state(network, rest, message, None)


def _state(network: Network, name: str, message: Message, attribute: str | None) -> str | None:
    """A state; ``attribute`` is the one that has a topic of its own, where the bridge is set to publish so."""
    if network.is_group(name):
        return "the state of a group, which is no device"
    if not message.payload:
        return "a retained state was removed"
    given = parse_object(message.payload) if attribute is None else {attribute: _attribute(message.payload)}
    draft = network.draft_of(name)
    if draft is None:
        if message.retain:
            return "a retained copy under a name that no device has"
        # It can be decided again: bridge/devices tells whose name this is.
        raise Invalid(f"bridge/devices has not named {shown(name)} yet")
    return read_state(draft, given, attribute or "state")


def _attribute(payload: bytes) -> Any:
    try:
        return parse_json(payload)
    except Invalid:
        return parse_text(payload)
