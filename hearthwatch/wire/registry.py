"""The conventions by name, and the decoder that finds the right one for a message and keeps its states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.home_assistant import HomeAssistant
from hearthwatch.wire.homie import BASE_TOPIC as HOMIE_TOPIC
from hearthwatch.wire.homie import Homie
from hearthwatch.wire.native import Native
from hearthwatch.wire.shelly_gen1 import ShellyGen1
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from hearthwatch.wire.sparkplug import Sparkplug
from hearthwatch.wire.tasmota import Tasmota
from hearthwatch.wire.zigbee2mqtt import BASE_TOPIC, Zigbee2Mqtt

# In this order a topic is offered: the narrowest topics first.
CONVENTIONS: Mapping[str, Convention] = {
    convention.name: convention
    for convention in (
        Native(),
        Homie(),
        Sparkplug(),
        Zigbee2Mqtt(),
        Tasmota(),
        ShellyGen1(),
        ShellyGen2(),
        HomeAssistant(),
    )
}

StateKey = tuple[str, str]
"""(name of the convention, partition)."""


PLACED = frozenset({Homie.name, Zigbee2Mqtt.name, HomeAssistant.name})
"""Conventions whose topics may be named: ``zigbee2mqtt@house/z2m``."""


def conventions(names: Iterable[str]) -> tuple[Convention, ...]:
    """The named conventions, each once, in the order in which a topic is offered to them. Raises `Invalid` for an unknown name.

    After ``@`` a name may say where the convention speaks: a base topic of Zigbee2MQTT or Homie, a topic filter of
    Home Assistant discovery. It may come several times; alone it means the usual place.
    """
    places: dict[str, list[str]] = {}
    for item in names:
        name, at, place = item.partition("@")
        if at and (not place or name not in PLACED):
            raise Invalid(f"no topic can be named for {name}: {item}", where="conventions")
        places.setdefault(name, []).append(place)
    unknown = sorted(places.keys() - CONVENTIONS.keys())
    if unknown:
        raise Invalid(
            f"no such convention: {', '.join(unknown)} (there are {', '.join(CONVENTIONS)})", where="conventions"
        )
    spoken: list[Convention] = []
    for name, convention in CONVENTIONS.items():
        if name in places:
            spoken.append(_placed(convention, places[name], spoken))
    return tuple(spoken)


def _placed(convention: Convention, places: Sequence[str], before: Sequence[Convention]) -> Convention:
    """A convention as it is spoken here: on the topics that were named, beside those that were asked before it."""
    if isinstance(convention, Zigbee2Mqtt):
        return Zigbee2Mqtt([place or BASE_TOPIC for place in places])
    if isinstance(convention, Homie):
        return Homie([place or HOMIE_TOPIC for place in places])
    if isinstance(convention, HomeAssistant):
        return HomeAssistant(places, beside=before)
    return convention


class Decoder:
    """Decodes messages of several conventions, in order, with a state per partition. Belongs to one thread.

    ``states`` are those saved earlier. `changed` hands out what must be saved with a batch, so that a state never runs ahead
    of the values that were stored with it.
    """

    def __init__(self, conventions: Sequence[Convention], states: Mapping[StateKey, State] | None = None) -> None:
        self._conventions = tuple((convention.name, convention) for convention in conventions)
        self._states: dict[StateKey, State | None] = dict(states or {})
        self._dirty: set[StateKey] = set()

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """The convention's name and what it made of the message. Raises `Invalid` when all of it is malformed."""
        topic = message.topic
        for name, convention in self._conventions:
            partition = convention.partition(topic)
            if partition is None:
                continue
            key = (name, partition)
            state = self._states.get(key)
            decoded, following = convention.decode(state, message)
            if following is not state:
                self._states[key] = following
                self._dirty.add(key)
            return name, decoded
        return None, Decoded(ignored="no convention knows this topic")

    def adopt(self, key: StateKey, change: Callable[[State | None], State | None]) -> None:
        """Change a state from outside; it is not handed out as changed for that."""
        self._states[key] = change(self._states.get(key))

    def convention_of(self, topic: str) -> str | None:
        """Name of the convention that would be asked about a topic, or None."""
        return next((name for name, asked in self._conventions if asked.partition(topic) is not None), None)

    def dirty(self) -> bool:
        """Whether a state changed since `changed` was last called."""
        return bool(self._dirty)

    def changed(self) -> dict[StateKey, State]:
        """The states that changed since the last call."""
        changed = {key: self._states[key] or {} for key in sorted(self._dirty)}
        self._dirty.clear()
        return changed

    def states(self) -> dict[StateKey, State]:
        """All states, as they are now."""
        return {key: state for key, state in self._states.items() if state is not None}
