"""Where a device listens, and who answers for it: found in what its convention remembers of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hearthwatch.wire.sparkplug import device_id
from hearthwatch.wire.tasmota_answers import default_command_topic

ASKED = ("native", "tasmota", "shelly_gen2", "zigbee2mqtt", "sparkplug")
"""Conventions whose devices can be asked something."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a device is reached.

    ``family`` is its convention, or ``zigbee2mqtt bridge``; ``place`` is what its topics begin with: its id (native), ``cmnd/<topic>``
    (Tasmota), its prefix (Shelly), the base topic (Zigbee2MQTT), ``<group>/<edge node>`` (Sparkplug). ``answered_by`` are the devices
    that may answer: itself, and its bridge.
    """

    family: str
    device: str
    place: str
    answered_by: tuple[str, ...]


def native_route(device: str) -> Route:
    """The route of a native device, which needs no memory: its topic is its id."""
    return Route("native", device, device, (device,))


def route_of(convention: str, partition: str, state: Mapping[str, Any], devices: Collection[str]) -> Route | None:
    """The route of one of these devices (ids of the same one), if this remembered state is of it."""
    reader = _READERS.get(convention)
    return reader(partition, state, devices) if reader is not None else None


def _tasmota(partition: str, state: Mapping[str, Any], devices: Collection[str]) -> Route | None:
    if (
        partition not in devices or "topic" in state
    ):  # a description by its MAC address, of a device with a topic of its own
        return None
    listens = state.get("cmnd")
    place = listens if isinstance(listens, str) else default_command_topic(partition)
    return Route("tasmota", partition, place, (partition,))


def _shelly(partition: str, state: Mapping[str, Any], devices: Collection[str]) -> Route | None:
    known = state.get("device")
    device = known if isinstance(known, str) else partition.replace("/", ".")
    return Route("shelly_gen2", device, partition, (device,)) if device in devices else None


def _zigbee(partition: str, state: Mapping[str, Any], devices: Collection[str]) -> Route | None:
    bridge = state.get("bridge")
    if isinstance(bridge, str) and bridge in devices:
        return Route("zigbee2mqtt bridge", bridge, partition, (bridge,))
    known = state.get("devices")
    device = next((one for one in devices if isinstance(known, Mapping) and one in known), None)
    if device is None:
        return None
    answering = (device, bridge) if isinstance(bridge, str) else (device,)
    return Route("zigbee2mqtt", device, partition, answering)


def _sparkplug(partition: str, _state: Mapping[str, Any], devices: Collection[str]) -> Route | None:
    group, _, edge = partition.partition("/")
    device = device_id(group, edge)
    return Route("sparkplug", device, partition, (device,)) if device in devices else None


_READERS = {"tasmota": _tasmota, "shelly_gen2": _shelly, "zigbee2mqtt": _zigbee, "sparkplug": _sparkplug}
