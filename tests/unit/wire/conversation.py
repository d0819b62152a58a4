"""A talk with one convention, for tests: what it answers to each message, with the state kept between them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reading
from tests.strategies import START


class Conversation:
    """Says messages to a convention, one second apart, and keeps the state of each partition."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        self.states: dict[str, State | None] = {}
        self.now = START

    def say(self, topic: str, payload: Any, *, retain: bool = False, at: datetime | None = None) -> Decoded:
        """The answer to one message; texts and bytes are sent as they are, anything else as JSON."""
        self.now = at or self.now + timedelta(seconds=1)
        raw = payload.encode() if isinstance(payload, str) else payload
        raw = raw if isinstance(raw, bytes) else msgspec.json.encode(raw)
        partition = self.convention.partition(topic)
        assert partition is not None, f"{topic} is not of {self.convention.name}"
        message = Message(topic, raw, self.now, retain)
        answer, state = self.convention.decode(self.states.get(partition), message)
        self.states[partition] = state
        return answer

    def metrics(self, topic: str, payload: Any, *, retain: bool = False) -> Mapping[str, float]:
        """The metrics of the one reading in the answer."""
        (reading,) = self.readings(topic, payload, retain=retain)
        return reading.metrics

    def readings(self, topic: str, payload: Any, *, retain: bool = False) -> list[Reading]:
        return [value for value in self.say(topic, payload, retain=retain).values if isinstance(value, Reading)]

    def events(self, topic: str, payload: Any, *, retain: bool = False) -> list[Event]:
        return [value for value in self.say(topic, payload, retain=retain).values if isinstance(value, Event)]

    def presences(self, topic: str, payload: Any, *, retain: bool = False) -> list[Presence]:
        return [value for value in self.say(topic, payload, retain=retain).values if isinstance(value, Presence)]

    def identities(self, topic: str, payload: Any, *, retain: bool = False) -> list[Identity]:
        return [value for value in self.say(topic, payload, retain=retain).values if isinstance(value, Identity)]
