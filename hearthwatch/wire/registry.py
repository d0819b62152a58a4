"""The conventions by name, and the decoder that finds the right one for a message and keeps its states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.home_assistant import HomeAssistant
from hearthwatch.wire.homie import BASE_TOPIC as HOMIE_TOPIC
from hearthwatch.wire.homie import Homie
from hearthwatch.wire.mapped import ALL, Mapped
from hearthwatch.wire.mapped_topics import overlap
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


ROUTES_KEPT = 16_384
"""Topics whose convention is remembered: devices speak on the same few again and again."""

PLACED = frozenset({Homie.name, Zigbee2Mqtt.name, HomeAssistant.name})
"""Conventions whose topics may be named: ``zigbee2mqtt@house/z2m``."""


def conventions(names: Iterable[str], mapped: Sequence[Mapped] = ()) -> tuple[Convention, ...]:
    """The named conventions, each once, in the order in which a topic is offered to them. Raises `Invalid` for an unknown name.

    A maker's own topics (``mapped``) come behind the native ones and before all others: a mapping file is the more explicit word.

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
    _check_apart([CONVENTIONS[Native.name], *mapped] if Native.name in places else mapped)
    spoken: list[Convention] = [CONVENTIONS[Native.name]] if Native.name in places else []
    spoken += mapped
    for name, convention in CONVENTIONS.items():
        if name in places and name != Native.name:
            spoken.append(_placed(convention, places[name], spoken))
    return tuple(spoken)


def _check_apart(mapped: Sequence[Convention]) -> None:
    """Raise `Invalid` where two mappings, or one and the native topics, claim the same topics or the same name."""
    for place, one in enumerate(mapped):
        if isinstance(one, Mapped) and one.name in CONVENTIONS:
            raise Invalid(f"a mapping can not be called {one.name}: that is another convention", where="mappings")
        for other in mapped[:place]:
            if one.name == other.name:
                raise Invalid(f"two mappings are called {one.name}", where="mappings")
            shared = [(own, each) for own in one.filters for each in other.filters if overlap(own, each)]
            if shared:
                said = f"the mapping {one.name} claims topics of {other.name}: {shared[0][0]} and {shared[0][1]}"
                raise Invalid(said, where="mappings")


def taken(mapped: Convention, others: Iterable[Convention]) -> list[tuple[str, str]]:
    """Filters of a mapping whose usual topics another convention would read, were it asked first: (filter, convention)."""
    usual = {one: one.replace("+", "x1").replace("#", "x1") for one in mapped.filters}
    asked = list(others)
    return [(one, other.name) for one, topic in usual.items() for other in asked if other.partition(topic) is not None]


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
        self._route = lru_cache(maxsize=ROUTES_KEPT)(self._find)

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """The convention's name and what it made of the message. Raises `Invalid` when all of it is malformed."""
        route = self._route(message.topic)
        if route is None:
            return None, Decoded(ignored="no convention knows this topic")
        key, convention = route
        state = self._states.get(key)
        decoded, following = convention.decode(state, message)
        if following is not state:
            self._states[key] = following
            self._dirty.add(key)
        return key[0], decoded

    def _find(self, topic: str) -> tuple[StateKey, Convention] | None:
        for name, convention in self._conventions:
            partition = convention.partition(topic)
            if partition is not None:
                return (name, partition), convention
        return None

    def adopt(self, key: StateKey, change: Callable[[State | None], State | None]) -> None:
        """Change a state from outside; it is not handed out as changed for that."""
        self._states[key] = change(self._states.get(key))

    def forget(self, topic: str) -> None:
        """Forget the state that a topic belongs to, as if nothing had come by it; what was saved earlier stays saved."""
        for name, convention in self._conventions:
            partition = convention.partition(topic)
            if partition == ALL and isinstance(convention, Mapped):
                return  # it is the state of all devices of the mapping, which bounds what it remembers
            if partition is not None:
                self._states.pop((name, partition), None)
                self._dirty.discard((name, partition))
                return

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
