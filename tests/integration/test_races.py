"""Four processes race for the same causes: each becomes one ticket, one notice, one finding, one letter, and none of them sees an error."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hearthwatch.clock import SteppedClock
from hearthwatch.records import findings, outbox
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import (
    finding_events,
    mailbox,
    notice_events,
    notices,
    ticket_events,
    ticket_findings,
    tickets,
)
from hearthwatch.records.tables import findings as finding_rows
from hearthwatch.records.tables import outbox as outbox_rows
from hearthwatch.values import Observation
from tests.integration.racer import CAUSES
from tests.unit.alerts.world import NOON, RELAPSE, World

RACERS = 4
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Migrated records that several processes can open."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    made = f"sqlite:///{tmp_path / 'records.sqlite3'}?synchronous=off"
    opened = open_database(made)
    opened.upgrade()
    opened.close()
    return made


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    opened = open_database(address)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def racers() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that wait for a race. They are started once: that takes longer than a race."""
    command = [sys.executable, "-m", "tests.integration.racer"]
    running = [
        subprocess.Popen(
            [*command, str(seed)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for seed in range(RACERS)
    ]  # fmt: skip
    yield running
    complaints = [racer.communicate(timeout=60)[1] for racer in running]
    assert ([racer.returncode for racer in running], complaints) == ([0] * RACERS, [""] * RACERS)


@pytest.fixture
def race(address: str, racers: list[subprocess.Popen[str]]) -> Callable[[str], Counter[str]]:
    """Lets all racers go at once, and adds up what each says it did; a racer that fails says nothing."""

    def run(what: str) -> Counter[str]:
        for racer in racers:
            tell(racer, f"{address} {what}")
        for racer in racers:
            assert answer_of(racer) == "ready"
        for racer in racers:
            tell(racer, "go")
        total: Counter[str] = Counter()
        for racer in racers:
            total.update(json.loads(answer_of(racer)))
        return total

    return run


Race = Callable[[str], Counter[str]]


def tell(racer: subprocess.Popen[str], line: str) -> None:
    assert racer.stdin is not None
    racer.stdin.write(line + "\n")
    racer.stdin.flush()


def answer_of(racer: subprocess.Popen[str]) -> str:
    assert racer.stdout is not None
    said = racer.stdout.readline().strip()
    assert said, racer.communicate(timeout=10)[1]
    return said


def count(database: Database, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    with database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())


def with_findings(database: Database) -> None:
    """A finding for each cause, numbered as the causes."""
    with database.transaction() as connection:
        for number in range(1, CAUSES + 1):
            seen = Observation("anomaly", "device", f"d-{number}", "battery_fade", "critical", NOON, {"metrics": []})
            assert findings.observe(connection, seen, relapse=RELAPSE).id == number


def test_four_policy_rounds_at_once_open_one_ticket_and_write_one_notice_for_each_cause(
    race: Race, database: Database, clock: SteppedClock
) -> None:
    clock.advance(NOON - clock.now())
    world = World(database, clock)
    for number in range(1, CAUSES + 1):
        world.home(number, devices_=(f"lock-{number}",))
        world.stand(f"lock-{number}")
    world.technician(capacity=1000)
    world.policy(per_round=f"per_round = {2 * CAUSES}")
    done = race("rounds")
    assert (done["tickets"], done["queued"]) == (CAUSES, CAUSES)
    assert count(database, tickets) == CAUSES
    assert count(database, ticket_events, ticket_events.c.what == "opened") == CAUSES
    assert count(database, ticket_findings) == CAUSES
    assert count(database, notices) == count(database, notice_events, notice_events.c.what == "written") == CAUSES
    assert count(database, outbox_rows) == CAUSES


def test_four_who_open_tickets_with_only_the_database_between_them_open_one_for_each_cause(
    race: Race, database: Database
) -> None:
    with_findings(database)
    assert race("opening") == {"new": CAUSES, "known": (RACERS - 1) * CAUSES}
    assert count(database, tickets) == count(database, ticket_findings) == CAUSES
    assert count(database, ticket_events, ticket_events.c.what == "opened") == CAUSES


def test_four_who_write_notices_write_one_for_each_cause(race: Race, database: Database) -> None:
    with_findings(database)
    assert race("writing") == {"new": CAUSES, "known": (RACERS - 1) * CAUSES}
    assert count(database, notices) == count(database, notice_events) == CAUSES


def test_four_detectors_that_see_the_same_make_one_finding_of_it(race: Race, database: Database) -> None:
    assert race("observing") == {"new": RACERS * CAUSES}
    assert count(database, finding_rows) == CAUSES
    assert count(database, finding_events) == CAUSES


def test_four_workers_send_everything_once(race: Race, database: Database) -> None:
    with database.transaction() as connection:
        for number in range(CAUSES):
            outbox.put(
                connection,
                kind="engineer",
                channel="mailbox",
                address=f"mailbox://engineer-{number}",
                payload={"subject": "s", "text": "t", "html": "h"},
                key=f"k-{number}",
                now=NOON,
            )
    assert race("delivering") == {"delivered": CAUSES}
    assert count(database, mailbox) == CAUSES
    assert count(database, outbox_rows, outbox_rows.c.state == "delivered", outbox_rows.c.attempts == 1) == CAUSES
