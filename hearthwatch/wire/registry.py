"""The conventions by name, and the decoder that finds the right one for a message and keeps its states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.native import Native
from hearthwatch.wire.shelly_gen1 import ShellyGen1
from hearthwatch.wire.shelly_gen2 import ShellyGen2
from hearthwatch.wire.tasmota import Tasmota

# In this order a topic is offered: the narrowest topics first.
CONVENTIONS: Mapping[str, Convention] = {
    convention.name: convention for convention in (Native(), Tasmota(), ShellyGen1(), ShellyGen2())
}

StateKey = tuple[str, str]
"""(name of the convention, partition)."""


def conventions(names: Iterable[str]) -> tuple[Convention, ...]:
    """The named conventions, each once, in the order in which a topic is offered to them. Raises `Invalid` for an unknown name."""
    wanted = set(names)
    unknown = sorted(wanted - CONVENTIONS.keys())
    if unknown:
        raise Invalid(
            f"no such convention: {', '.join(unknown)} (there are {', '.join(CONVENTIONS)})", where="conventions"
        )
    return tuple(convention for name, convention in CONVENTIONS.items() if name in wanted)


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
