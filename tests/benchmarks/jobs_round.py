"""How long a round of the after-sales jobs takes with many open findings and tickets: policy, follow-up, clocks, recalls, outbox, mirrors.

``python -m tests.benchmarks.jobs_round`` builds the database of ``policy_round`` (100,000 open findings, 20,000 tickets) in a SQLite file,
gives each ticket its ledger and lets a recall of 1,000 devices run. Then it measures each job of a first round, an idle one and a busy one
(1,000 new findings, 2,000 that became more or less likely, 200 that recovered), and the sum of each round: wall seconds, processor seconds
of this process, and what was done. ``--records postgresql://...`` measures an empty database there instead, and ``jobs_round 10000`` fewer.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts import jobs
from alerts.campaigns import lifecycle
from alerts.channels.command import CommandChannel
from alerts.channels.mailbox import MailboxChannel
from alerts.mirrors.case import Terms
from alerts.mirrors.job import mirror_tickets
from alerts.service_levels.keeping import keep
from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Channel
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import ticket_events, tickets
from hearthwatch.service_desk import DeskCase, DeskPlace, DeskSide
from tests.benchmarks.policy_round import BRAND, NOW, build, stir

URL, LIFE = "http://hw.test", timedelta(days=30)
RECALLED = 1000
TEXTS = {"hazard": "It can catch fire.", "what_to_do": "Unplug it.", "sold": "2025", "find_number": "Below"}


class Desk:
    """A service desk that takes everything at once: what is measured is ours."""

    name = "webhook"

    def put(self, case: DeskCase, place: DeskPlace | None) -> DeskPlace:
        """Take a ticket."""
        return place or DeskPlace(case.reference, case.reference, "http://desk.test", case.state)

    def look(self, place: DeskPlace, seen: int) -> DeskSide | None:
        """It would tell by itself."""
        return None


class Round:
    """The jobs as the schedule calls them, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = SteppedClock(NOW)
        self._channels: Mapping[str, Channel] = {
            "mailbox": MailboxChannel(database, self._clock),
            "mqtt": CommandChannel(open_publisher("local://bench", client_id="bench")),
        }

    def measure(self, name: str, now: datetime) -> None:
        """One round: each job, and the sum."""
        self._clock.advance(now - self._clock.now())
        links: Mapping[str, Any] = {"brand": BRAND, "public_url": URL, "link_life": LIFE}
        database = self._database
        table: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            "policy": lambda: jobs.apply_policy(database, now, **links),
            "follow_up": lambda: jobs.follow_up(database, now, **links),
            "campaigns": lambda: jobs.run_campaigns(database, now, **links),
            "sla": lambda: keep(database, now, public_url=URL),
            "commands": lambda: jobs.tend_commands(database, now, ask_devices=True),
            "deliver": lambda: jobs.deliver(database, self._channels, now, worker="bench"),
            "mirrors": lambda: mirror_tickets(database, Desk(), Terms(URL, "en", False), now),
        }
        wall = cpu = 0.0
        for job, work in table.items():
            took = timed(f"{name:6} {job}", work)
            wall, cpu = wall + took[0], cpu + took[1]
        say(f"{name:6} all", wall, cpu, {})


def timed(name: str, work: Callable[[], Mapping[str, Any] | None]) -> tuple[float, float]:
    """Wall and processor seconds of something, said."""
    began, worked = time.perf_counter(), time.process_time()
    done = work()
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    say(name, wall, cpu, done or {})
    return wall, cpu


def say(name: str, wall: float, cpu: float, done: Mapping[str, Any]) -> None:
    """A line."""
    told = ", ".join(f"{what} {count}" for what, count in sorted(done.items()) if count)
    sys.stdout.write(f"{name:22} {wall:7.1f} s {cpu:7.1f} s of processor  {told}\n")
    sys.stdout.flush()


def prepare(database: Database, count: int) -> None:
    """The fleet of `policy_round`, ledgers of its tickets, and a recall."""
    build(database, count)
    with database.transaction() as connection:
        _go_on_counting(connection)
        _ledgers(connection)
        _recall(connection)


def _go_on_counting(connection: Connection) -> None:
    """The tickets were written with numbers of their own, which a sequence of PostgreSQL does not know of."""
    if connection.dialect.name == "postgresql":
        last = "SELECT setval(pg_get_serial_sequence('tickets', 'id'), (SELECT max(id) FROM tickets))"
        connection.exec_driver_sql(last)


def _ledgers(connection: Connection) -> None:
    rows = connection.execute(sa.select(tickets.c.id, tickets.c.opened_at, tickets.c.priority, tickets.c.part))
    opened = [
        {"ticket_id": one.id, "at": one.opened_at, "what": "opened", "actor": "policy"}
        | {"detail": {"source": "policy", "priority": one.priority, "part": one.part}}
        for one in rows
    ]
    connection.execute(sa.insert(ticket_events), opened)


def _recall(connection: Connection) -> None:
    content = {
        "selection": {"devices": [f"d{7 * one:06d}" for one in range(RECALLED)]},
        "product": "Lock",
        "brand": "Acme",
        "picture_url": "https://acme.example/lock.png",
        "phone": "0800 1",
        "texts": {"en": TEXTS},
    }
    at = NOW - timedelta(hours=1)
    made = lifecycle.draft(
        connection, reference="R-1", kind="recall", title="Fire", content=content, actor="ann", now=at
    )
    lifecycle.submit(connection, made.id, None, BRAND, "ann", at)
    lifecycle.approve(connection, made.id, None, BRAND, "ben", at)


def main() -> None:
    """Build, and measure three rounds."""
    options = argparse.ArgumentParser(description="How long a round of the after-sales jobs takes.")
    options.add_argument("findings", type=int, nargs="?", default=100_000)
    options.add_argument("--records", help="address of an empty database; default: a SQLite file")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(given.records or f"sqlite:///{Path(folder) / 'records.sqlite3'}")
        timed("building", lambda: prepare(database, given.findings))
        a_round = Round(database)
        a_round.measure("first", NOW)
        a_round.measure("idle", NOW + timedelta(minutes=10))
        stir(database, given.findings, NOW + timedelta(hours=1))
        a_round.measure("busy", NOW + timedelta(hours=1))
        database.close()


if __name__ == "__main__":
    main()
