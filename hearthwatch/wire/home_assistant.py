"""Home Assistant discovery: devices that describe their entities, and then speak on topics that only the descriptions name.

ESPHome and many others announce themselves so. Sources: www.home-assistant.io/integrations/mqtt (MQTT discovery, device discovery
payload, availability), esphome.io/components/mqtt. Where a description and the topics it names belong to a convention of their own
(Tasmota, Zigbee2MQTT), that one tells more and this one leaves it to it, so that a device is not seen twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.home_assistant_device import Claim, claim_of, claimed, is_of_esphome
from hearthwatch.wire.home_assistant_entity import entity_of, topics_of
from hearthwatch.wire.home_assistant_memory import NAME, Memory, new_claim
from hearthwatch.wire.home_assistant_names import full, with_base_topic
from hearthwatch.wire.home_assistant_state import hear
from hearthwatch.wire.limits import shown
from hearthwatch.wire.naming import Quantity, words
from hearthwatch.wire.payload import parse_object

PREFIX = "homeassistant"
"""The discovery prefix of an installation that was not told another."""
ESPHOME_TOPICS = ("+/+/+/state", "+/status", "esphome/+/+/+/state", "esphome/+/status")
"""Where ESPHome speaks: ``<node>/<component>/<object>/state`` and its birth and last will; also below the usual ``esphome/<node>``."""

_CONFIG = "/config"
_OTHERS = frozenset({"hearthwatch", "tele", "stat", "cmnd", "tasmota", "zigbee2mqtt", "homie", "spBv1.0", "shellies"})
"""First levels that belong to other conventions, where a filter begins with ``+``."""
_HOME = "home"
MAX_COMPONENTS = 256
"""Components of one device's description."""


class HomeAssistant:
    """Decoder of Home Assistant discovery and of what the devices found so say.

    ``places`` are topic filters: those that end in ``/config`` say below which prefix descriptions come (``ha/+/+/config``), the others
    where states and availabilities do. ``beside`` are conventions whose topics are left to them. Raises `Invalid` for what is no filter.
    """

    name = NAME
    shareable: tuple[str, ...] = ()

    def __init__(self, places: Sequence[str] = ("",), beside: Sequence[Convention] = ()) -> None:
        given = [place for place in places if place]
        for place in given:
            _check_filter(place)
        prefixes = [place[: place.index("/+")] for place in given if place.endswith(_CONFIG) and "/+" in place]
        states = [place for place in given if not place.endswith(_CONFIG)]
        if "" in places:
            states += [place for place in ESPHOME_TOPICS if place not in states]
        self._prefixes = tuple(dict.fromkeys(prefixes or [PREFIX]))
        self._patterns = tuple(re.compile(_pattern(place)) for place in states)
        self._beside = tuple(beside)
        # Descriptions first: a broker sends retained messages filter by filter.
        self.filters = (
            *(f"{prefix}/{levels}{_CONFIG}" for prefix in self._prefixes for levels in ("+/+", "+/+/+")),
            *states,
        )

    def partition(self, topic: str) -> str | None:
        """One for all: which topics are a device's is only known from descriptions, which may come under any name."""
        if topic.endswith("/status") and topic[: -len("/status")] in self._prefixes:
            return None  # Home Assistant's own birth and last will
        if self._described(topic) is not None or any(pattern.fullmatch(topic) for pattern in self._patterns):
            return _HOME
        return None

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        memory = Memory(state, message)
        place = self._described(message.topic)
        if place is not None:
            return memory.finish(self._description(memory, place))
        if self.partition(message.topic) is None:
            raise Invalid("not a topic of Home Assistant discovery")
        return memory.finish(hear(memory))

    def _described(self, topic: str) -> str | None:
        """``component/[node/]object`` of a discovery topic, or None."""
        for prefix in self._prefixes:
            if topic.startswith(prefix + "/") and topic.endswith(_CONFIG):
                place = topic[len(prefix) + 1 : -len(_CONFIG)]
                if 2 <= len(levels := place.split("/")) <= 3 and all(levels):
                    return place
        return None

    # -- descriptions

    def _description(self, memory: Memory, place: str) -> str | None:
        bundle = place.startswith("device/")
        if not memory.message.payload:
            for key in memory.components(place) if bundle else [place]:
                memory.describe(key, None)
            return "the description was removed"
        given = full(parse_object(memory.message.payload))
        if given.get("migrate_discovery") is True:
            return "a description that is about to move to another topic"
        parts = _components(given, place) if bundle else {place: (place.partition("/")[0], with_base_topic(given))}
        owner = self._owner(parts)
        if owner is not None:
            return f"a device of which {owner} tells"
        claim = claim_of(given.get("device"), given.get("origin"))
        draft = memory.draft(claim.device)
        nothing_new = _identify(draft, claim)
        if bundle:
            for key in memory.components(place):
                if key not in parts:
                    memory.describe(key, None)
        for key, (kind, component) in parts.items():
            _describe(memory, draft, claim, key, kind, component)
        memory.judge_presence(claim.device, heard=False)
        return nothing_new

    def _owner(self, parts: Mapping[str, tuple[str, Mapping[str, Any]]]) -> str | None:
        """The convention that has the topics of a description, where there is one."""
        for _, component in parts.values():
            topic = component.get("state_topic")
            if isinstance(topic, str):
                for convention in self._beside:
                    if convention.partition(topic) is not None:
                        return convention.name
        return None


def _components(given: Mapping[str, Any], place: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The components of a device's description, each with what the description says for all of them."""
    components = given.get("components")
    if not isinstance(components, dict):
        raise Invalid("components is not an object")
    if len(components) > MAX_COMPONENTS:
        raise Invalid(f"more than {MAX_COMPONENTS} components")
    shared = {key: value for key, value in given.items() if key not in ("components", "device", "origin")}
    parts: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for key, component in components.items():
        if not isinstance(component, dict):
            raise Invalid(f"a component that is not an object: {shown(key)}")
        named = full(component)
        kind = named.get("platform")
        if set(named) <= {"platform"}:
            continue  # only the platform: the component was removed
        whole = with_base_topic({**shared, **named})
        parts[f"{place}/{key}"] = (kind if isinstance(kind, str) else "", whole)
    return parts


def _identify(draft: Draft, claim: Claim) -> str | None:
    """What the device claims, where that is new; every entity of a device repeats it."""
    if claim.esphome:
        draft.keep("esphome", value=True)
    draft.keep("fw_by", "device" if claim.firmware else draft.recall("fw_by"))
    draft.learn_firmware("discovery", claim.firmware)
    if claim.bridge is not None and draft.recall("bridge") != claim.bridge:
        draft.event("bridge", draft.message.received_at, "network", "joined", {"bridge": claim.bridge})
        draft.keep("bridge", claim.bridge)
    nothing_new = new_claim(draft, claimed(claim))
    if nothing_new is None:
        draft.identity(
            model=claim.model,
            hardware=claim.hardware,
            firmware=claim.firmware,
            serial=claim.serial,
            hardware_address=claim.hardware_address,
        )
    return nothing_new


def _describe(memory: Memory, draft: Draft, claim: Claim, key: str, kind: str, component: Mapping[str, Any]) -> None:
    """One entity; what cannot be followed is refused by its name, and the rest of the description is kept."""

    def own(quantity: Quantity, source: str) -> Quantity:
        return memory.own_name(claim.device, key, quantity, source)

    if is_of_esphome(component.get("unique_id"), kind, key.rpartition("/")[2]):
        draft.keep("esphome", value=True)
    try:
        entity = entity_of(kind, component, claim.device, _source(key, claim.device, component), own)
        memory.describe(key, entity if topics_of(entity) else None)
    except Invalid as error:
        memory.describe(key, None)
        memory.disown(claim.device, key)
        draft.refuse(key, str(error))
        return
    memory.ask_neighbours(entity)
    for topic in topics_of(entity):
        word = memory.waited(topic)
        if word is not None:
            hear(memory, topic, word.encode())


def _source(key: str, device: str, component: Mapping[str, Any]) -> str:
    """The maker's name of an entity: its object, without the device's address in it; else what it is called."""
    address = device.lower()
    for named in (
        key.rpartition("/")[2],
        component.get("unique_id"),
        component.get("object_id"),
        component.get("name"),
    ):
        said = words(named[:128]) if isinstance(named, str) else ()
        own = [word for word in said if not (len(word) >= 4 and word in address)]
        if own:
            return " ".join(own)
    return "value"


def _check_filter(place: str) -> None:
    levels = place.split("/")
    for at, level in enumerate(levels):
        lonely = not ({"+", "#"} & set(level)) or level == "+" or (level == "#" and at == len(levels) - 1)
        if not level or not lonely or "\x00" in level:
            raise Invalid(f"not a topic filter: {shown(place)}", where="conventions")


def _pattern(place: str) -> str:
    """A filter as a regular expression; one that begins with ``+`` leaves other families their topics."""
    levels = place.split("/")
    first = (
        rf"(?!(?:{'|'.join(re.escape(other) for other in sorted(_OTHERS))})/)(?!\$)" if levels[0] in ("+", "#") else ""
    )
    rest = "/".join({"+": "[^/]+", "#": ".+"}.get(level) or re.escape(level) for level in levels)
    return f"(?s){first}{rest}"
