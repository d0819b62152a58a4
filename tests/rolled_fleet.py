"""A fleet of one model in the real stores, played hour by hour, that takes a release as its waves open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from alerts.rollouts.announce import Announcing
from analytics.cohorts.watch import watch_releases
from analytics.rollouts.gate import keep_gate
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, devices, releases, rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.database import Database, replace_rows
from hearthwatch.records.devices import Sighting
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollout_devices import Member
from hearthwatch.records.rollouts import Plan, Rollout, Wave
from hearthwatch.records.tables import receivers
from hearthwatch.values import Event, Release

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD, NEW = "1.0", "2.0"
WATCH_EVERY = 12
"""Hours: the watch takes most of the time, and only what it says matters here."""
NEVER = 10**6
LOOKS: Mapping[str, Any] = {
    "margin": 1.05,
    "guard": 30,
    "burn_in": timedelta(hours=24),
    "page_fdr": 0.10,
    "watch_fdr": 0.20,
    "relapse": timedelta(days=7),
}


def plan(*shares: float, success_share: float = 0.7, **given: Any) -> Plan:
    """Waves of some shares that pass within a day, so that a test is soon over."""
    waves = tuple(
        Wave(number, share, min_hours=8.0, min_successes=10, success_share=success_share)
        for number, share in enumerate(shares, 1)
    )
    return Plan(waves, **{"healthy_hours": 6.0, "silent_hours": 4.0, **given})


@dataclass(slots=True)
class RolledFleet:
    """Devices ``d0000``... that report every hour, and update within a few hours once they are offered the release.

    ``bricks`` is the chance that a device dies of the update without a further word, ``crashes`` that it reboots every hour after it,
    ``defers`` that its owner puts it off. ``offline`` is the chance of any device to leave for good, each hour.
    """

    store: TelemetryStore
    database: Database
    size: int = 120
    bricks: float = 0.0
    crashes: float = 0.0
    defers: float = 0.0
    offline: float = 0.0
    seed: int = 0
    follows: bool = True
    announce: Announcing = field(default_factory=Announcing)
    hour: int = 0
    rng: np.random.Generator = field(init=False)
    version: dict[str, str] = field(init=False)
    fate: dict[str, str] = field(init=False)
    dead: set[str] = field(default_factory=set)
    crashing: set[str] = field(default_factory=set)
    blind: bool = False

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        names = [f"d{number:04d}" for number in range(self.size)]
        self.version = dict.fromkeys(names, OLD)
        draws = self.rng.random((self.size, 3))
        self.fate = {
            name: "defers"
            if d < self.defers
            else "bricks"
            if b < self.bricks
            else "crashes"
            if c < self.crashes
            else ""
            for name, (b, c, d) in zip(names, draws, strict=True)
        }
        rows = [{"id": name, "model": "lock", "hardware": "A", "region": "north"} for name in names]
        with self.database.transaction() as connection:
            devices.register(connection, rows)

    @property
    def now(self) -> datetime:
        return START + self.hour * HOUR

    def announce_release(self) -> Release:
        with self.database.transaction() as connection:
            return releases.create(connection, model="lock", version=NEW, replaces=OLD, released_at=self.now)

    def roll_out(self, chosen: Plan, *, salt: str = "salt", **given: Any) -> Rollout:
        """Announce 2.0 and plan its roll-out."""
        release = self.announce_release()
        with self.database.transaction() as connection:
            made = rollouts.create(
                connection, release_id=release.id, salt=salt, plan=chosen, by="kim", now=self.now, **given
            )
            rollout_devices.draw(connection, made, "lock", self.now)
            return made

    def live(self, hours: int, *, after: Callable[[], None] | None = None, heard: bool = True, every: int = 1) -> None:
        """Play some hours: devices report, offered ones update, the gate looks after every so many hours, and the watch now and then."""
        for _ in range(hours):
            self._report(heard=heard)
            self.hour += 1
            self._listen(heard=heard)
            if self.hour % WATCH_EVERY == 0 and every != NEVER:
                watch_releases(self.store, self.database, self.now, **LOOKS)
            if self.hour % every == 0:
                self.look()
            if after is not None:
                after()

    def look(self) -> Mapping[str, int]:
        """The gate, as its job calls it."""
        self.store.rollup(self.now)
        return keep_gate(self.store, self.database, self.now, announce=self.announce)

    # -- what there is afterwards

    def rollout(self) -> Rollout:
        with self.database.reading() as connection:
            (found,) = rollouts.list_rollouts(connection)
            return found

    def waves(self) -> tuple[Wave, ...]:
        rollout = self.rollout()
        with self.database.reading() as connection:
            return rollouts.waves(connection, rollout.id)

    def decisions(self) -> list[Decision]:
        """Oldest first."""
        rollout = self.rollout()
        with self.database.reading() as connection:
            return rollout_decisions.list_decisions(connection, rollout.id)[::-1]

    def said(self) -> list[tuple[str, str, int]]:
        return [(one.decision, one.code, one.wave) for one in self.decisions()]

    def members(self) -> dict[str, Member]:
        rollout = self.rollout()
        with self.database.reading() as connection:
            return rollout_devices.load(connection, rollout.id)

    def outcomes(self) -> set[str]:
        return {one.outcome for one in self.members().values()}

    # -- an hour of the fleet

    def _report(self, *, heard: bool) -> None:
        self._update()
        if self.offline:
            leaving = self.rng.random(self.size) < self.offline
            self.dead |= {name for name, leaves in zip(self.version, leaving.tolist(), strict=True) if leaves}
        if not heard:
            return
        alive = [name for name in self.version if name not in self.dead]
        if not alive:
            return
        at = self.now + timedelta(minutes=30)
        table = pa.table(
            {
                "device": alive,
                "at": pa.array([int(at.timestamp()) * 1_000_000] * len(alive), pa.timestamp("us", "UTC")),
                "firmware": [self.version[name] for name in alive],
                "rssi_dbm": np.full(len(alive), -60.0),
            }
        )
        self.store.write_table("native", table)
        crashed = [
            Event(name, "native/event", at + timedelta(minutes=5), "reboot", "watchdog", firmware=NEW)
            for name in alive
            if name in self.crashing
        ]
        if crashed:
            self.store.write(crashed)
        with self.database.transaction() as connection:
            devices.see(connection, [Sighting(name, at, firmware=self.version[name]) for name in alive])

    def _listen(self, *, heard: bool) -> None:
        """An ingestor says that it receives; the first word after an outage writes down that there was one."""
        if not heard:
            self.blind = True
            return
        with self.database.transaction() as connection:
            if self.blind:
                blindness.beat(connection, "ingestor", self.now, receiving=True)
            row = {"holder": "ingestor", "receiving": True, "reason": "", "seen_at": self.now, "received_at": self.now}
            replace_rows(connection, receivers, [row])
        self.blind = False

    def _update(self) -> None:
        """Whoever is offered the release takes it within a few hours, in the way that was fated."""
        if not self.follows:
            return
        for name in sorted(self._open()):
            if self.version[name] == NEW or name in self.dead or self.fate[name] == "defers" or self.rng.random() > 0.5:
                continue
            if self.fate[name] == "bricks":
                self.dead.add(name)
                continue
            self.version[name] = NEW
            if self.fate[name] == "crashes":
                self.crashing.add(name)

    def _open(self) -> set[str]:
        with self.database.reading() as connection:
            found = rollouts.list_rollouts(connection)
            return rollouts.open_to(connection, found[0].release_id, self.version) if found else set()
