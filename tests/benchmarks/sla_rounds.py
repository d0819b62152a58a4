"""How long rounds of the tickets' clocks take with many open tickets, in a SQLite file.

``python -m tests.benchmarks.sla_rounds`` opens 20,000 tickets that were answered and written about again, and measures the first rounds,
an idle one, the hourly look through all ledgers, and those that another policy and a day of breaches bring. Wall seconds and processor
seconds, with what each round did; fewer tickets: ``sla_rounds 2000``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.policy import versions
from alerts.service_levels.keeping import keep
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import ticket_events, tickets

BEGIN = datetime(2026, 5, 4, 8, tzinfo=UTC)
TEXT = """
name = "benchmark"
[sla]
team = ["mailbox://team"]
[sla.calendars.office]
timezone = "Europe/Berlin"
workdays = ["09:00-12:00", "13:00-17:00"]
country = "DE"
[[sla.terms]]
name = "everyone"
calendar = "office"
first_response_hours = 4
update_hours = 4
resolution_hours = {resolution}
[[rules]]
name = "all"
ticket = true
"""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def main(number: int) -> None:
    """Build the tickets in a fresh file and measure."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'records.sqlite3'}")
        database.upgrade()
        _set_live(database, 40, BEGIN)
        with database.transaction() as connection:
            _open(connection, number)
        now = BEGIN + timedelta(seconds=number) + HOUR
        _until_idle(database, now, "first rounds")
        _measured(database, now + 10 * MINUTE, "a few breaches")
        _measured(database, now + 10 * MINUTE, "idle")
        _until_idle(database, now + 80 * MINUTE, "hourly look through all")
        _set_live(database, 48, now + 90 * MINUTE)
        _until_idle(database, now + 91 * MINUTE, "another policy")
        _until_idle(database, now + 2 * DAY, "after two days' sleep")
        _measured(database, now + 2 * DAY, "idle")
        database.close()


def _set_live(database: Database, resolution: int, at: datetime) -> None:
    with database.transaction() as connection:
        added = versions.add_policy(connection, TEXT.format(resolution=resolution), "ann", at)
        versions.set_mode(connection, added.version, "live", "ann", at)


def _open(connection: Connection, number: int) -> None:
    rows = [
        {
            "cause": f"request:d{one}/1", "stem": f"request:d{one}/", "kind": "request", "title": f"d{one} is broken", "state": "open",
            "priority": 1 + one % 4, "opened_at": BEGIN + timedelta(seconds=one), "source": "page",
        }
        for one in range(number)
    ]  # fmt: skip
    connection.execute(sa.insert(tickets), rows)
    events = []
    for one in connection.execute(sa.select(tickets.c.id, tickets.c.opened_at, tickets.c.priority)):
        for after, what, detail in (
            (0, "opened", {"source": "page", "priority": one.priority}), (1, "note", {}), (20, "replied", {}), (30, "message", {}),
        ):  # fmt: skip
            at = one.opened_at + after * MINUTE
            events.append({"ticket_id": one.id, "at": at, "what": what, "actor": "ann", "detail": detail})
    connection.execute(sa.insert(ticket_events), events)


def _until_idle(database: Database, now: datetime, name: str) -> None:
    for _ in range(10):
        if not _measured(database, now, name):
            return


def _measured(database: Database, now: datetime, name: str) -> bool:
    """One round; whether it did anything."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = keep(database, now, public_url="http://localhost")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    told = ", ".join(f"{what} {count}" for what, count in sorted(done.items()) if count) or "nothing"
    print(f"{name:26} {wall:7.2f} s  {cpu:7.2f} s of processor  {told}", flush=True)
    return bool(done.get("tickets"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
