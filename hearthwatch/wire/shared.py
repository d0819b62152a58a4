"""Decoding where several sessions divide the messages of a convention among themselves.

Every session sees only some messages of a device, so each learns from the others: what they remembered stands in the records, under a
convention's name with `SUFFIX`, beside what the one session remembers that hears everything retained (it alone knows who is online).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.native_memory import joined
from hearthwatch.wire.registry import Decoder, StateKey

SUFFIX = "/shared"


class SharedDecoder:
    """A `Decoder` of shared messages. ``states`` are all that are saved, of other sessions as well."""

    def __init__(self, conventions: Sequence[Convention], states: Mapping[StateKey, State]) -> None:
        spoken = tuple(convention for convention in conventions if convention.shareable)
        self._names = frozenset(convention.name for convention in spoken)
        self._decoder = Decoder(spoken)
        self.learn(states)

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which it finds what others remembered."""
        return (*sorted(self._names), *(name + SUFFIX for name in sorted(self._names)))

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """The convention's name and what it made of the message. Raises `Invalid` when all of it is malformed."""
        return self._decoder.decode(message)

    def changed(self) -> dict[StateKey, State]:
        """The states that changed since the last call, under the names they are shared by."""
        return {(name + SUFFIX, partition): state for (name, partition), state in self._decoder.changed().items()}

    def forget(self, topic: str) -> None:
        """Forget the state that a topic belongs to."""
        self._decoder.forget(topic)

    def learn(self, states: Mapping[StateKey, State]) -> None:
        """Take in what other sessions remembered."""
        for (name, partition), state in states.items():
            own = name.removesuffix(SUFFIX)
            if own in self._names:
                self._decoder.adopt((own, partition), partial(joined, state))


def is_shared(key: StateKey) -> bool:
    """Whether several sessions write this state, so that it is to be joined with what is saved."""
    return key[0].endswith(SUFFIX)
