"""The two stores, as their adapters behave: what they keep, what they refuse, and every way in which they can fail or be interrupted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hearthwatch.errors import Conflict, Invalid, Unavailable
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.values import Event, Identity, Presence, Reading, WriteResult
from ingest.intake import Prepare, Record
from tests.simulation.faults import Faults
from tests.simulation.timeline import Timeline
from tests.simulation.told import EXPIRED, KNOWN_METRICS, POISON, STOLEN, name_of

Value = Reading | Event | Presence


class Killed(BaseException):
    """The process is gone in the midst of what it did. No `except Exception` may catch this, as none catches SIGKILL."""


class Unforeseen(Exception):
    """An error of an adapter's library that nobody translated."""


class Trouble:
    """What befalls actions, for both stores alike. ``pause`` lets virtual time pass, in which the rest of the world goes on."""

    def __init__(
        self,
        timeline: Timeline,
        chance: random.Random,
        faults: Callable[[], Faults],
        pause: Callable[[float], None],
    ) -> None:
        self.timeline = timeline
        self.chance = chance
        self.faults = faults
        self._pause = pause
        self._waits = True

    def before(self, what: str, away_until: float) -> None:
        """Before anything was done."""
        chance, faults = self.chance, self.faults()
        self.kill(faults.killed_before, f"before {what}")
        self.pause(self.time_it_takes())
        if self.timeline.at < away_until or chance.random() < faults.refused:
            self.timeline.tell(what, "is away")
            raise Unavailable("away", retry_after=chance.choice((None, None, 0.05, 3.0, 1e6)))
        if chance.random() < faults.unforeseen:
            self.timeline.tell(what, "fails in a way nobody foresaw")
            raise Unforeseen("a bug of an adapter")

    def after(self, what: str) -> None:
        """All of it is durable."""
        chance, faults = self.chance, self.faults()
        self.kill(faults.killed_after, f"after {what}")
        if chance.random() < faults.answer_lost:
            self.timeline.tell(what, "did it, but its answer is lost")
            self.pause(chance.choice((0.0, 5.0)))
            raise Unavailable("timeout")

    def time_it_takes(self) -> float:
        """Seconds until a store answers."""
        if self.chance.random() < self.faults().slow * 0.2:
            return self.chance.uniform(0, 12.0)
        return self.chance.uniform(0.0005, 0.02)

    def pause(self, seconds: float) -> None:
        """Time passes, unless whoever asked counts it himself."""
        if self._waits:
            self._pause(seconds)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is done here takes no time."""
        self._waits = False
        try:
            yield
        finally:
            self._waits = True

    def kill(self, share: float, when: str) -> None:
        """Perhaps the process is killed here."""
        if self.chance.random() < share:
            self.timeline.tell("ingestor", f"is killed {when}")
            raise Killed(when)


class SimulatedStore:
    """The telemetry store. ``atomic``: a batch at once, as DuckDB; else part by part, as a server takes requests."""

    def __init__(self, trouble: Trouble, on_row: Callable[[str, Value], None], *, atomic: bool) -> None:
        self._trouble = trouble
        self._on_row = on_row
        self._atomic = atomic
        self._keys: set[tuple[object, ...]] = set()
        self.away_until = 0.0

    def write(self, values: Sequence[Value]) -> WriteResult:
        """Store a batch; see `hearthwatch.ports.TelemetryStore`."""
        trouble = self._trouble
        trouble.before("store", self.away_until)
        if any(isinstance(value, Reading) and POISON in value.metrics for value in values):
            trouble.timeline.tell("store", f"refuses {len(values)} values, for one of them")
            raise Invalid("not a number anybody may store")
        new, expired = [], 0
        seen: set[tuple[object, ...]] = set()
        for value in values:
            key = _key(value)
            if isinstance(value, Reading) and EXPIRED in value.metrics:
                expired += 1
            elif key not in self._keys and key not in seen:
                new.append(value)
                seen.add(key)
        self._put_in_parts(new)
        trouble.timeline.tell("store", f"has {len(new)} of {len(values)} values, the others it had")
        trouble.after("store")
        if expired:
            raise Invalid("older than the retention")
        return WriteResult(len(new), len(values) - len(new))

    def _put_in_parts(self, values: Sequence[Value]) -> None:
        trouble, faults = self._trouble, self._trouble.faults()
        half = 0 if self._atomic else trouble.chance.randint(0, len(values))
        self._put(values[:half])
        trouble.kill(faults.killed_within, f"when {half} of {len(values)} values were stored")
        if not self._atomic and trouble.chance.random() < faults.partial:
            trouble.timeline.tell("store", f"took {half} of {len(values)} values and went away")
            raise Unavailable("away in the midst")
        self._put(values[half:])

    def _put(self, values: Sequence[Value]) -> None:
        for value in values:
            self._keys.add(_key(value))
            self._on_row(name_of(value), value)


class SimulatedRecords:
    """The records that the ingestor writes: metric names, decoders' states, quarantine, identities. A transaction is all or nothing."""

    def __init__(self, trouble: Trouble, on_held: Callable[[QuarantineItem], None], metric_budget: int) -> None:
        self._trouble = trouble
        self._on_held = on_held
        self._budget = metric_budget
        self.away_until = 0.0
        self.names = set(KNOWN_METRICS)
        self._states: dict[tuple[str, str], str] = {}
        self.identities: list[Identity] = []

    def states(self) -> dict[tuple[str, str], Any]:
        """What was saved, as it is read back."""
        return {key: json.loads(text) for key, text in self._states.items()}

    def prepare(self, action: Prepare) -> set[str]:
        """Admit metric names within the budget, and save states."""
        self._begin("prepare")
        room = max(0, self._budget - len(self.names))
        admitted = set([name for name in action.names if name not in self.names][:room])
        self.names |= admitted
        self._save(action.states)
        self._trouble.after("prepare")
        return admitted | (self.names & set(action.names))

    def save_session(self, states: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Save states, of the moment; that the records are away just then and the process is killed before they are back is left out."""
        self._save(states)

    def record(self, action: Record) -> None:
        """Write down what a batch told."""
        self._begin("record")
        if any(claim.serial == STOLEN for claim in action.identities):
            raise Conflict("another device has this serial")
        self.identities += action.identities
        for item in action.held:
            self._on_held(item)
        self._save(dict(action.states))
        self._trouble.timeline.tell("records", f"hold {len(action.held)} items, {len(action.states)} states")
        self._trouble.after("record")

    def _begin(self, what: str) -> None:
        self._trouble.before(what, self.away_until)
        self._trouble.kill(self._trouble.faults().killed_within, f"in the transaction of {what}")

    def _save(self, states: Mapping[tuple[str, str], Mapping[str, Any] | None]) -> None:
        for key, state in states.items():
            if state is None:
                self._states.pop(key, None)
            else:
                self._states[key] = json.dumps(state)


def _key(value: Value) -> tuple[object, ...]:
    if isinstance(value, Reading):
        if value.clockless:
            return "clockless", value.device, value.boot, value.seq
        return "reading", value.device, value.stream, value.at
    if isinstance(value, Event):
        return "event", value.device, value.stream, value.at, value.kind, value.code, value.boot, value.seq
    return "presence", value.device, value.stream, value.at, value.online, value.boot
