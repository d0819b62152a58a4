"""Who may write a topic, where a message names its device in the payload: the level that stands for the sender's own name.

In native topics and most of Tasmota, Shelly Gen1 and Homie the device itself is a level, so a broker that keeps users to their own level
(as deploy/mosquitto/acl does) keeps devices apart. Elsewhere a payload may name anybody (a description its hardware, a root of Homie its
children, an edge node of Sparkplug the devices behind it), and is held against the topic it came by.
"""

from __future__ import annotations

from hearthwatch.errors import Invalid
from hearthwatch.wire.hardware_address import mac_of
from hearthwatch.wire.home_assistant_device import Claim, claim_of
from hearthwatch.wire.home_assistant_names import full
from hearthwatch.wire.payload import parse_object
from hearthwatch.wire.sparkplug import device_id

_BY_TOPIC = frozenset({"native", "zigbee2mqtt"})
_BY_PAYLOAD = frozenset({"home_assistant", "homie", "shelly_gen1", "shelly_gen2", "sparkplug", "tasmota"})

_CONFIG = "/config"
_ESPHOME = "esphome"
_HOMIE_5 = "5"
_TASMOTA_DISCOVERY = 4
"""Levels of ``tasmota/discovery/<mac>/config``."""


def names_in_payload(convention: str) -> bool:
    """Whether something else than the topic alone says which device is meant: so it may be in a maker's own topics, by a mapping file."""
    return convention not in _BY_TOPIC


def speaker(convention: str, topic: str, device: str) -> str | None:
    """The name that the sender of a message about ``device`` has in its topic; None where the topic is the device's own, or nobody's."""
    levels = topic.split("/")
    if convention == "home_assistant":
        return _of_home_assistant(levels)
    if convention == "shelly_gen2":
        return levels[0]
    if convention == "tasmota" and len(levels) == _TASMOTA_DISCOVERY and levels[:2] == ["tasmota", "discovery"]:
        return levels[2]
    if convention == "sparkplug" and len(levels) > 3:
        return levels[3]
    if convention in ("shelly_gen1", "homie") and device not in levels:
        return levels[2] if levels[1] == _HOMIE_5 and len(levels) > 2 else levels[1]
    if (
        convention not in _BY_TOPIC | _BY_PAYLOAD
    ):  # a maker's own: whichever level it is, the device stands in its topics
        return None if any(device in (level, mac_of(level)) for level in levels) else levels[0]
    return None


def speaks_of_itself(convention: str, topic: str, device: str) -> bool:
    """Whether an id is the sender's own in its convention, and not that of a device behind it."""
    levels = topic.split("/")
    if convention == "sparkplug":
        return len(levels) > 3 and device == device_id(levels[1], levels[3])
    return convention != "homie" or device in levels


def described(topic: str, payload: bytes) -> Claim | None:
    """What a description of Home Assistant discovery says of its device; None for what is no description."""
    if not topic.endswith(_CONFIG):
        return None
    try:
        given = full(parse_object(payload))
        return claim_of(given.get("device"), given.get("origin"))
    except Invalid:
        return None


def may_tell_of(owner: str, convention: str, topic: str, device: str) -> bool:
    """Whether a topic is one that ``owner`` may write, by the layout of the convention.

    A layout of the maker's own (a topic filter of Home Assistant discovery) has to carry the name in any of its levels.
    """
    name = speaker(convention, topic, device)
    if name is None or name == owner:
        return True
    levels = topic.split("/")
    if convention == "shelly_gen2" and "/" in topic:
        return ".".join(levels[:2]) == owner
    if convention == "home_assistant":
        return not _has_its_place(levels) and owner in levels
    return convention not in _BY_TOPIC | _BY_PAYLOAD and owner in levels


def _of_home_assistant(levels: list[str]) -> str:
    """``<prefix>/<component>/[<node>/]<object>/config``, ``esphome/<node>/...``, ``<node>/...``."""
    if levels[-1] == "config" and len(levels) > 3:
        return levels[-3] if len(levels) > 4 else levels[-2]
    return levels[1] if levels[0] == _ESPHOME and len(levels) > 1 else levels[0]


def _has_its_place(levels: list[str]) -> bool:
    """Whether a topic is a description or one of ESPHome's, where the node's level is known."""
    if levels[-1] == "config" or levels[0] == _ESPHOME:
        return True
    return (len(levels) == 4 and levels[-1] == "state") or (len(levels) == 2 and levels[-1] == "status")
