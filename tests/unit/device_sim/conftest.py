"""A small fleet's whole life, lived once for all tests that only look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from device_sim.fleet import Fleet
from device_sim.scenario import Scenario, load_scenario
from device_sim.uplink import Message
from hearthwatch.errors import Invalid
from hearthwatch.values import Message as Received
from hearthwatch.values import Value
from hearthwatch.wire.registry import Decoder, conventions

SMALL = Path(__file__).resolve().parents[3] / "device_sim" / "scenarios" / "small.toml"


@dataclass(slots=True)
class Heard:
    """What a platform hears: values by key, and counts in samples."""

    decoder: Decoder = field(default_factory=lambda: Decoder(conventions(["native"])))
    values: list[Value] = field(default_factory=list)
    keys: set[tuple[object, ...]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, messages: list[Message], now: datetime) -> None:
        """Decode messages as ingest does."""
        for topic, payload, retain in messages:
            try:
                _, decoded = self.decoder.decode(Received(topic, payload, now, retain))
            except Invalid:
                self.counts["quarantined"] += 1
                continue
            self.counts["quarantined"] += sum(rejection.samples for rejection in decoded.rejected)
            self.counts["bad_metrics"] += sum(rejection.samples == 0 for rejection in decoded.rejected)
            self.counts["ignored"] += decoded.ignored is not None
            for value in decoded.values:
                self._keep(value)

    def _keep(self, value: Value) -> None:
        key = (type(value), value.device, value.at, getattr(value, "kind", ""), getattr(value, "id", ""))
        if key in self.keys:
            self.counts["duplicate"] += 1
            return
        self.keys.add(key)
        self.counts["stored"] += 1
        self.values.append(value)


def live(fleet: Fleet) -> Iterator[tuple[datetime, list[Message]]]:
    """All messages of a fleet, step by step, with the instant of each."""
    now = fleet.scenario.start
    yield now, fleet.hello()
    for _ in range(round(fleet.scenario.days * 24 / fleet.scenario.step_hours)):
        now += fleet.scenario.step
        yield now, fleet.step(now)


@pytest.fixture(scope="session")
def small() -> Scenario:
    """The small scenario."""
    return load_scenario(SMALL)


@pytest.fixture(scope="session")
def lived(small: Scenario) -> tuple[Fleet, Heard]:
    """A small fleet at the end of its story, and what was heard of it."""
    fleet, heard = Fleet(small, seed=5), Heard()
    for now, messages in live(fleet):
        heard.take(messages, now)
    return fleet, heard
