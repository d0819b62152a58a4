"""The scratch records in which history is enacted again, and who has to be looked at when."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import open_database
from hearthwatch.records.tables import findings, metadata

FACT, ACT = 0, 1
"""At one instant facts come before the jobs look, and people after it: they answer to what is there."""

BEYOND = timedelta(microseconds=1)
"""What is counted back to a time, that time included, is over just after it."""

Said = tuple[str, float | None, str | None, str | None]
"""Severity, probability, part and verdict, as a detector said them."""


class Happening(Protocol):
    """Something that happened: a fact, or the act of a person."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def rank(self) -> int:
        """`FACT` or `ACT`."""

    def happen(self, stage: Stage) -> None:
        """Let it happen again."""


@dataclass(slots=True)
class Stage:
    """``connection`` is one long transaction in scratch records.

    ``delays`` are how long after they began findings may be judged otherwise by the time alone; ``after_recovery`` and ``after_closing``
    how long after a finding's recovery or a ticket's closing something may follow.

    ``awake`` are the devices that the next round looks at, ``everybody`` says that it looks at all. ``settled`` are devices with a closed
    ticket: what is seen of them again may be news.
    """

    connection: Connection
    delays: tuple[timedelta, ...] = ()
    after_recovery: tuple[timedelta, ...] = ()
    after_closing: tuple[timedelta, ...] = ()
    awake: set[str] = field(default_factory=set)
    everybody: bool = True
    follow: bool = True
    settled: set[str] = field(default_factory=set)
    said: dict[int, Said] = field(default_factory=dict)
    unwritten: list[dict[str, object]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    """What people did of which there is nothing here, counted by what it was."""
    _agenda: list[tuple[datetime, str]] = field(default_factory=list)
    _follow_ups: list[datetime] = field(default_factory=list)

    def wake(self, subject: str, *, follow: bool = True) -> None:
        """Let the next round look at a device; what is no device's concerns everybody. ``follow``: what follows, too."""
        if ":" in subject:
            self.everybody = True
        else:
            self.awake.add(subject)
        self.follow |= follow

    def wake_all(self) -> None:
        """Let the next round look at everything."""
        self.everybody = self.follow = True

    def later(self, at: datetime, subject: str = "") -> None:
        """Let a round look at a device (empty: at everything) once a time has come."""
        heapq.heappush(self._agenda, (at, subject))

    def follow_later(self, at: datetime) -> None:
        """Let what follows be looked at once a time has come."""
        heapq.heappush(self._follow_ups, at)

    def note_recovery(self, at: datetime) -> None:
        """A finding recovered: what may follow is looked at when it is due."""
        for delay in self.after_recovery:
            self._follow_around(at + delay)

    def note_closing(self, at: datetime) -> None:
        """A ticket was closed: what may follow is looked at when it is due."""
        for delay in self.after_closing:
            self._follow_around(at + delay)

    def _follow_around(self, at: datetime) -> None:
        self.follow_later(at)
        self.follow_later(at + BEYOND)

    def next_due(self) -> datetime | None:
        """When time alone makes something due next."""
        times = [self._agenda[0][0]] if self._agenda else []
        times += self._follow_ups[:1]
        return min(times, default=None)

    def come_to(self, now: datetime) -> None:
        """Wake whoever has become due."""
        while self._agenda and self._agenda[0][0] <= now:
            _, subject = heapq.heappop(self._agenda)
            if subject:
                self.wake(subject, follow=False)
            else:
                self.wake_all()
        while self._follow_ups and self._follow_ups[0] <= now:
            heapq.heappop(self._follow_ups)
            self.follow = True

    def count_lost(self, what: str) -> None:
        """Count an act of a person that means nothing here: its ticket or notice does not exist."""
        self.lost[what] = self.lost.get(what, 0) + 1

    def write_down(self) -> None:
        """Write what detectors said since the last time; many words go in one statement."""
        if not self.unwritten:
            return
        update = (
            sa.update(findings)
            .where(findings.c.id == sa.bindparam("of"))
            .values(
                severity=sa.bindparam("new_severity"),
                probability=sa.bindparam("new_probability"),
                part=sa.bindparam("new_part"),
                last_seen=sa.bindparam("new_last_seen"),
            )
        )
        self.connection.execute(update, self.unwritten)
        self.unwritten = []


@contextmanager
def scratch() -> Iterator[Connection]:
    """Empty records in memory, in one transaction that is never committed. Nothing in them leaves this process."""
    database = open_database("sqlite://")
    try:
        plain = database.engine.raw_connection()
        # Rows that nothing here asks about are not copied, so that others may name rows that are not there.
        plain.cursor().execute("PRAGMA foreign_keys=OFF")
        plain.close()
        with database.engine.connect() as connection, connection.begin():
            metadata.create_all(connection)
            yield connection
    finally:
        database.close()


def in_order(*sources: Iterable[Happening]) -> Iterator[Happening]:
    """What happened, from sources that are each in order of time."""
    return heapq.merge(*sources, key=_when)


def _when(one: Happening) -> tuple[datetime, int]:
    return one.at, one.rank
