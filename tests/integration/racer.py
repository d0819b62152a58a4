"""A process that races others for the same causes. Run by `test_races`: ``python -m tests.integration.racer SEED``.

A line of its input names an address and a race: it connects and says ``ready``. The next line lets it go: it races, and says as JSON what
came of it. So it goes on until its input ends.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from alerts import jobs
from alerts.channels.mailbox import MailboxChannel
from hearthwatch.clock import SteppedClock
from hearthwatch.records import findings, notices, ticket_findings, tickets
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.notices import Wanted
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Observation
from tests.unit.alerts.world import BRAND, NOON, RELAPSE

CAUSES = 120
Race = Callable[[Database, list[int]], Counter[str]]


def rounds(database: Database, _order: list[int]) -> Counter[str]:
    """The job of the table, as every scheduler calls it."""
    done: Counter[str] = Counter()
    for _ in range(2):
        done.update(
            jobs.apply_policy(database, NOON, brand=BRAND, public_url="http://hw.test", link_life=timedelta(days=30))
        )
    return done


def opening(database: Database, order: list[int]) -> Counter[str]:
    """Tickets one by one, with nothing but the database's own rules between the processes."""

    def open_one(connection: Connection, number: int) -> bool:
        new = NewTicket(f"device:d-{number}/battery/1", "device", "battery", 2, None, finding_id=number)
        ticket, opened = tickets.open_once(connection, new, actor="policy", now=NOON, detail={})
        ticket_findings.join(connection, number, ticket.id, NOON)
        return opened

    return _each(database, order, open_one)


def writing(database: Database, order: list[int]) -> Counter[str]:
    """Notices one by one."""

    def write_one(connection: Connection, number: int) -> bool:
        cause = notices.cause_of(finding_id=number)
        wanted = Wanted(cause, f"d-{number}", "c-1", "check_up", "", None, "en", "s", "b", "h", finding_id=number)
        written = notices.write(
            connection, wanted, state="queued", reason=None, send_after=NOON, policy_version=1, now=NOON
        )
        return written is not None

    return _each(database, order, write_one)


def observing(database: Database, order: list[int]) -> Counter[str]:
    """The same observations, then newer ones, then recovery and a relapse."""

    def observe_one(connection: Connection, number: int) -> bool:
        for hours in (0, 1):
            at = NOON + timedelta(hours=hours)
            seen = Observation("anomaly", "device", f"d-{number}", "battery_fade", "warning", at, {"metrics": []})
            found = findings.observe(connection, seen, relapse=RELAPSE)
        return found.episode == 1

    return _each(database, order, observe_one)


def delivering(database: Database, order: list[int]) -> Counter[str]:
    """What waits in the outbox is sent."""
    channels = {"mailbox": MailboxChannel(database, SteppedClock(NOON))}
    return Counter(jobs.deliver(database, channels, NOON, worker=f"worker-{order[0]}"))


def _each(database: Database, order: list[int], work: Callable[[Connection, int], bool]) -> Counter[str]:
    done: Counter[str] = Counter()
    for number in order:
        with database.transaction(alone=False) as connection:
            done["new" if work(connection, number) else "known"] += 1
    return done


RACES: dict[str, Race] = {
    "rounds": rounds,
    "opening": opening,
    "writing": writing,
    "observing": observing,
    "delivering": delivering,
}


def main() -> None:
    order = list(range(1, CAUSES + 1))
    random.Random(int(sys.argv[1])).shuffle(order)
    for line in sys.stdin:
        address, what = line.split()
        database = open_database(address)
        with database.reading():  # connected before the start
            print("ready", flush=True)
        sys.stdin.readline()
        done = RACES[what](database, order)
        database.close()
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
