"""One run: devices, broker, network, ingestor and stores in virtual time, everything drawn from one seed.

First everything may go wrong (safety: nothing bad happens), then nothing does any more (liveness: what is good happens in the end).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest import mock

from ingest import durable_files
from ingest import runner as runner_module
from ingest import spool as spool_module
from ingest.limits import Limits
from ingest.spool import SpoolBounds
from tests.simulation.broker import Broker
from tests.simulation.disk import Disk
from tests.simulation.faults import Faults
from tests.simulation.fleet import Fleet
from tests.simulation.ingestor import Ingestor
from tests.simulation.laws import Laws
from tests.simulation.line import Network
from tests.simulation.simulated_runner import Make
from tests.simulation.stores import SimulatedRecords, SimulatedStore, Trouble
from tests.simulation.timeline import Timeline, Violation
from tests.simulation.told import KNOWN_METRICS, Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 600.0
"""Virtual seconds after which what has not come to rest never will: longer than the longest pauses one after another."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed under which a law was broken, which, and what led to it."""

    seed: int
    reason: str
    trace: tuple[str, ...] = ()


class Simulation:
    """One world. ``make`` builds the parts under test."""

    def __init__(self, seed: int, make: Make | None = None, *, traced: bool = False) -> None:
        self.chance = chance = random.Random(seed)
        self.timeline = timeline = Timeline(traced=traced)
        self.faults = Faults.drawn(chance)
        self.laws = Laws(timeline)
        limits = _limits(chance)
        self._tell_setting(limits)
        self.broker = Broker(
            timeline,
            chance,
            self.laws,
            window=limits.receive_maximum + chance.choice((0, 0, 5)),
            room=chance.choice((60, 2000, 2000, 2000)),
            ids=chance.choice((65_535, 32 * limits.receive_maximum)),
        )
        self.network = Network(timeline, chance, self.broker, self.laws, self._current_faults)
        self.trouble = Trouble(timeline, chance, self._current_faults, self._pause)
        self.store = SimulatedStore(self.trouble, self.laws.row, atomic=chance.random() < 0.5)
        self.records = SimulatedRecords(self.trouble, self.laws.held, limits.metric_budget)
        self.disk = Disk(self.trouble, chance, self._current_faults) if chance.random() < 0.7 else None
        bounds = SpoolBounds(max_bytes=chance.choice((3_000, 50_000)), free_share=0.1, free_bytes=1000)
        self.ingestor = Ingestor(
            make or Make(), self.network, self.store, self.records, self.trouble, limits, self.disk, bounds
        )
        self.fleet = Fleet(timeline, chance, self._publish, self._current_faults, chance.randint(3, 10))
        self._busy = True

    def run(self) -> None:
        """Both phases. Raises `Violation`, or whatever the code under test lets out."""
        self.ingestor.start()
        self._advance(self.timeline.at + 1.0)
        self.fleet.begin()
        self._unleash()
        self._advance(self.timeline.at + self.chance.uniform(8, 30))
        self._heal()
        self._settle()
        self.laws.must_be_stored(self.fleet.speak())
        self._settle()
        self.laws.check_at_rest()

    # -- the phases

    def _unleash(self) -> None:
        """Devices act, and faults come, until it is over."""
        faults = self.faults
        self._again_and_again(self.chance.uniform(0.5, 2), self._act)
        self._again_and_again(faults.line_cut, self.network.cut)
        self._again_and_again(faults.line_half_open, self.network.half_open)
        self._again_and_again(faults.session_wiped, self._wipe_session)
        self._again_and_again(faults.broker_away, self._stop_broker)
        self._again_and_again(faults.process_killed, self.ingestor.kill)
        self._again_and_again(faults.process_stopped, self.ingestor.stop)
        self._again_and_again(faults.disk_full, self._fill_disk)
        self._again_and_again(faults.clock_jump, self._jump)
        self._again_and_again(faults.store_away, self._take_store)
        self._again_and_again(faults.records_away, self._take_records)

    def _heal(self) -> None:
        """From here on nothing goes wrong."""
        self.timeline.tell("world", "nothing goes wrong any more")
        self._busy = False
        self.faults = Faults.none()
        self.broker.away_until = self.store.away_until = self.records.away_until = 0.0
        if self.disk is not None:
            self.disk.full_until = 0.0
        self.timeline.jump(timedelta(0))

    def _settle(self) -> None:
        """Everything comes to rest."""
        until = self.timeline.at + PATIENCE_S
        while not (self.broker.empty and self.ingestor.is_at_rest()):
            if self.timeline.at > until:
                raise Violation(f"it has not come to rest {PATIENCE_S:.0f} s after the last fault")
            self._advance(self.timeline.at + 1.0)
        self._advance(self.timeline.at + 1.0)

    def _advance(self, until: float) -> None:
        """Let the world and the ingestor go on, each at its times."""
        while True:
            wake = self.ingestor.wake_at
            if wake is not None and wake <= self.timeline.at:
                self.ingestor.wake_at = None
                self.ingestor.step()
                continue
            moments = [moment for moment in (until, wake, self.timeline.next_at()) if moment is not None]
            self.timeline.happen(min(moments))
            if self.timeline.at >= until and (self.timeline.next_at() or until + 1) > until:
                return

    # -- what happens

    def _again_and_again(self, rate: float, event: Callable[[], None]) -> None:
        if rate <= 0:
            return

        def once() -> None:
            if self._busy:
                event()
                self.timeline.after(self.chance.expovariate(rate), once)

        self.timeline.after(self.chance.expovariate(rate), once)

    def _act(self) -> None:
        for _ in range(self.chance.choice((1, 1, 1, 2, 12))):
            self.fleet.act()

    def _publish(self, sent: Sent) -> None:
        self.laws.published(sent)
        self.broker.publish(sent)

    def _wipe_session(self) -> None:
        self.timeline.tell("broker", "forgets the session")
        self.broker.wipe()

    def _stop_broker(self) -> None:
        self.timeline.tell("broker", "restarts")
        self.broker.away_until = self.timeline.at + self.chance.uniform(0.5, 10)
        self.network.cut()

    def _take_store(self) -> None:
        self.timeline.tell("store", "goes away")
        self.store.away_until = self.timeline.at + self.chance.uniform(0.5, 20)

    def _take_records(self) -> None:
        self.timeline.tell("records", "go away")
        self.records.away_until = self.timeline.at + self.chance.uniform(0.5, 20)

    def _fill_disk(self) -> None:
        if self.disk is not None:
            self.timeline.tell("disk", "is full")
            self.disk.full_until = self.timeline.at + self.chance.uniform(0.5, 20)

    def _jump(self) -> None:
        seconds = self.chance.choice((0.0, self.chance.uniform(-2, 2), -3600.0, 3600.0, 86_400.0 * 365))
        self.timeline.jump(timedelta(seconds=seconds))

    def _pause(self, seconds: float) -> None:
        self.ingestor.pause(seconds)

    def _current_faults(self) -> Faults:
        return self.faults

    def _tell_setting(self, limits: Limits) -> None:
        drawn = {name: rate for name in Faults.__slots__ if (rate := getattr(self.faults, name))}
        self.timeline.tell("world", f"{limits}")
        self.timeline.tell("world", ", ".join(f"{name} {rate:.3f}" for name, rate in drawn.items()))


def run(seed: int, make: Make | None = None) -> Failure | None:
    """Run a seed; one that fails is run once more, to tell what led to it."""
    failure = _run(seed, make, traced=False)
    return None if failure is None else _run(seed, make, traced=True) or failure


def trace(seed: int, make: Make | None = None) -> tuple[list[str], Failure | None]:
    """All that happens under a seed, and how it ends."""
    world, failure = _lived(seed, make, traced=True)
    return world.timeline.trace or [], failure


def _run(seed: int, make: Make | None, *, traced: bool) -> Failure | None:
    return _lived(seed, make, traced=traced)[1]


def _lived(seed: int, make: Make | None, *, traced: bool) -> tuple[Simulation, Failure | None]:
    world = Simulation(seed, make, traced=traced)
    with _in_virtual_time(world):
        try:
            world.run()
        except (Exception, Violation) as error:  # noqa: BLE001 - whatever the code under test lets out ends a run
            return world, Failure(seed, f"{type(error).__name__}: {error}", tuple(world.timeline.trace or ()))
    return world, None


@contextmanager
def _in_virtual_time(world: Simulation) -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what fails here is meant to
    try:
        with ExitStack() as patched:
            patched.enter_context(mock.patch.object(runner_module, "time", world.timeline))
            if world.disk is not None:
                patched.callback(world.disk.remove)
                for module in (durable_files, spool_module):
                    patched.enter_context(mock.patch.object(module, "os", world.disk))
            yield
            world.ingestor.end()
    finally:
        logging.disable(level)


def _limits(chance: random.Random) -> Limits:
    return Limits(
        batch_messages=chance.choice((3, 10, 40)),
        batch_bytes=chance.choice((600, 20_000)),
        batch_seconds=chance.choice((0.05, 0.25, 2.0)),
        receive_maximum=chance.choice((4, 12, 50)),
        max_payload_bytes=2500,
        metric_budget=len(KNOWN_METRICS) + chance.choice((0, 2, 100)),
        spool_after_failures=chance.choice((1, 3)),
        spool_after_seconds=chance.choice((0.5, 5.0)),
    )
