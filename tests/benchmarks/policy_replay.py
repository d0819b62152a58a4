"""How long a replay of a policy takes: ``python -m tests.benchmarks.policy_replay [--findings N] [--days D]``.

A history is made: a device and a home for every two findings, findings that begin all over the time, are seen again daily for some days
and recover, a fifth of the tickets of the policy in force confirmed by a technician. The default policy is replayed over it, once.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from alerts.policy.file import default_text
from alerts.policy.versions import add_policy
from alerts.replay.enact import enact
from alerts.replay.rhythm import Rhythm
from alerts.replay.stage import scratch
from alerts.replay.written import read
from hearthwatch.records.database import batched, open_database
from hearthwatch.records.tables import (
    consent_events,
    customers,
    devices,
    finding_events,
    finding_sights,
    findings,
    homes,
    ownerships,
)
from hearthwatch.values import Span

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MODES = (("battery_fade", "battery"), ("wifi_failing", "radio"), ("reboots", "controller"), ("relay_wear", "relay"))
HOUR = timedelta(hours=1)


def main() -> None:
    """Make the history, replay it, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--findings", type=int, default=100_000)
    options.add_argument("--days", type=int, default=90)
    given = options.parse_args()
    database = open_database("sqlite://")
    database.upgrade()
    span = Span(BEGIN, BEGIN + timedelta(days=given.days))
    began = time.perf_counter()
    with database.transaction() as connection:
        made = _make(connection, given.findings, given.days)
        policy = replace(add_policy(connection, default_text(), "bench", BEGIN), mode="live")
    print(
        f"{given.findings:,} findings, {made:,} words about them, made in {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    began, worked = time.perf_counter(), time.process_time()
    with database.reading() as source, scratch() as stage:
        past = enact(source, stage, policy, span, Rhythm(), say=_say)
        took, computed = time.perf_counter() - began, time.process_time() - worked
        written = read(stage, span)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{took:.0f} s ({computed:.0f} s of one core), {peak:.0f} MB at most, {past.rounds:,} rounds")
    print(f"{len(written.notices):,} notices, {len(written.tickets):,} tickets")


def _say(share: float) -> None:
    sys.stderr.write(f"\r{share:.1%} ")
    sys.stderr.flush()


def _make(connection: Connection, count: int, days: int) -> int:
    draw = random.Random(7)
    homes_: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    owned: list[dict[str, Any]] = []
    things: list[dict[str, Any]] = []
    agreed: list[dict[str, Any]] = []
    for number in range(count // 2):
        person, home, device = f"c-{number}", f"h-{number}", f"d-{number}"
        homes_.append({"id": home, "timezone": "Europe/Berlin", "region": "north"})
        people.append({"id": person, "name": "", "language": "en", "channels": ["mailbox://x"]})
        things.append({"id": device, "model": "LOCK-2", "firmware": "2.4.0", "version": "2.4.0", "test": False})
        owned.append(
            {"device_id": device, "customer_id": person, "home_id": home, "from_at": BEGIN - timedelta(days=90)}
        )
        agreed.append(
            {"customer_id": person, "purpose": "service", "granted": draw.random() < 0.8, "at": BEGIN, "source": "b"}
        )
    for table, rows in (
        (homes, homes_),
        (customers, people),
        (devices, things),
        (ownerships, owned),
        (consent_events, agreed),
    ):
        _insert(connection, table, rows)
    found: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    sights: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        row, happened, said = _finding(draw, number, days)
        found.append(row)
        events += happened
        sights += said
    _insert(connection, findings, found)
    _insert(connection, finding_events, events)
    _insert(connection, finding_sights, sights)
    return len(events) + len(sights)


def _finding(draw: random.Random, number: int, days: int) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """One finding, seen by the daily job; it lasts some days and then recovers by the hourly one."""
    mode, part = MODES[number % len(MODES)]
    began = BEGIN + timedelta(days=draw.randrange(days), hours=2)
    seen = [began + timedelta(days=day) for day in range(draw.randint(1, 8))]
    severity = draw.choice(("info", "warning", "critical"))
    over = seen[-1] + timedelta(days=1)
    words: dict[str, Any] = {"severity": severity, "probability": None, "part": part}
    row: dict[str, Any] = {
        "id": number, "kind": "anomaly", "subject_type": "device", "subject": f"d-{(number - 1) // 2}", "mode": mode, "episode": 1,
        "state": "recovered", "evidence": {}, "first_seen": began, "last_seen": seen[-1], "recovered_at": over, **words,
    }  # fmt: skip
    happened = [
        {"finding_id": number, "at": began, "what": "opened", "actor": "detector", "detail": {"severity": severity}},
        {"finding_id": number, "at": over, "what": "recovered", "actor": "detector", "detail": {"reason": "quiet"}},
    ]
    return row, happened, [{"finding_id": number, "at": at, **words} for at in seen]


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    for some in _batches(rows):
        connection.execute(sa.insert(table), some)


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return batched(rows)


if __name__ == "__main__":
    main()
