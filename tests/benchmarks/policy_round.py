"""How long a round of the policy takes with many open findings and tickets, in a SQLite file: nothing to do, and a busy one.

``python -m tests.benchmarks.policy_round`` builds 100,000 open findings on 80,000 devices of 40,000 households, 20,000 of them with an
open ticket and a notice (a third of those without consent), the others of little weight, held back, or of the registry. Then it measures
the jobs ``apply_policy`` and ``follow_up``: a first round that keeps why each finding became what it did, an idle one, and a busy one in
which 1,000 findings are new, 2,000 became more or less likely and 200 recovered. Each line has wall seconds, processor seconds and what was
done; a smaller fleet: ``policy_round 10000``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alerts import jobs
from alerts.notices.wording import Brand
from alerts.policy import versions
from alerts.policy.file import default_text
from hearthwatch.records import consents, customers, devices, findings, models
from hearthwatch.records.customers import Ownership
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables import findings as findings_table
from hearthwatch.records.tables import notices, ticket_findings, tickets
from hearthwatch.values import Observation

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
BRAND = Brand("Acme", "+49 30 1234", "https://acme.example/privacy")
MODELS = ("LOCK-2", "PLUG-1", "THERMO-3", "CAM-1")
COSTS = """
[[rules]]
name = "out of warranty and worth it"
kinds = ["prognosis"]
warranty = ["out"]
worth_it = true
notice = "check_up"
ticket = true

"""


def build(database: Database, count: int) -> None:
    """A fleet with ``count`` open findings, a fifth of them with tickets and notices."""
    database.upgrade()
    names = [f"d{number:06d}" for number in range(count * 8 // 10)]
    with database.transaction() as connection:
        for model in MODELS:
            models.put(connection, model, warranty_months=24)
        devices.register(connection, [_device(number, name) for number, name in enumerate(names)])
        _people(connection, names)
        _findings(connection, names, count)
        _tickets(connection, count)
        text = default_text().replace("[[rules]]", COSTS + "[[rules]]", 1)
        added = versions.add_policy(connection, text, "bench", NOW)
        versions.set_mode(connection, added.version, "live", "bench", NOW)


def _device(number: int, name: str) -> dict[str, Any]:
    installed = NOW - timedelta(days=200 + number % 1200)
    master = {"model": MODELS[number % len(MODELS)], "firmware": "1.4.2", "region": f"r{number % 7}"}
    return {"id": name, **master, "installed_at": installed}


def _people(connection: sa.Connection, names: Sequence[str]) -> None:
    homes = range(len(names) // 2)
    customers.put_customers(
        connection,
        [
            {"id": f"c-{one}", "name": f"Kim {one}", "language": "en", "email": None, "phone": None}
            | {"channels": [f"mailbox://c-{one}"]}
            for one in homes
        ],
    )
    places = (
        {"id": f"h-{one}", "address": None, "city": None, "region": f"r{one % 7}", "timezone": "UTC"} for one in homes
    )
    customers.put_homes(connection, list(places))
    owned = [
        Ownership(name, f"c-{number // 2}", f"h-{number // 2}", NOW - timedelta(days=300), None)
        for number, name in enumerate(names[: len(homes) * 2])
    ]
    customers.own_many(connection, owned)
    consents.grant_many(connection, [(f"c-{one}", "service", None) for one in homes if one % 3], NOW, "bench")


def _findings(connection: sa.Connection, names: Sequence[str], count: int) -> None:
    rows = []
    for number in range(count):
        kind, mode, severity, probability, age = _sort(number)
        row = {
            "kind": kind,
            "subject_type": "device",
            "subject": names[(number + number // len(names) * 5) % len(names)],
            "mode": mode,
            "episode": 1,
        }
        seen = {"first_seen": NOW - age, "last_seen": NOW, "state": "open", "severity": severity}
        evidence = {"metrics": ["x"], "reasons": ["It looks worn."], "values": list(range(10))}
        rows.append(row | seen | {"probability": probability, "part": None, "evidence": evidence})
    connection.execute(sa.insert(findings_table), rows)


def _sort(number: int) -> tuple[str, str, str, float | None, timedelta]:
    turn = number % 10
    second = "relay_wear" if number % 3 else "motor_wear"
    if turn < 2:
        return "prognosis", "battery_fade", "warning", 0.3 + number % 60 / 100, timedelta(days=9)
    if turn < 7:
        return "anomaly", "unusual", "info", None, timedelta(days=5)
    if turn < 9:
        return "anomaly", second, "warning", None, timedelta(hours=2)
    return "mismatch", "memory_leak", "info", None, timedelta(days=30)


def _tickets(connection: sa.Connection, count: int) -> None:
    fading = connection.execute(
        sa.select(findings_table.c.id, findings_table.c.subject).where(findings_table.c.mode == "battery_fade")
    ).all()
    opened, told, linked = [], [], []
    for number, (finding, device) in enumerate(fading[: count // 5], 1):
        person = int(device[1:]) // 2
        stem = f"device:{device}/battery/"
        base = {"cause": f"{stem}1", "stem": stem, "kind": "device", "title": "fading", "state": "open", "priority": 3}
        about = {"finding_id": finding, "device_id": device, "customer_id": f"c-{person}", "part": "battery"}
        opened.append({"id": number, **base, **about, "opened_at": NOW - timedelta(days=8), "source": "policy"})
        linked.append({"finding_id": finding, "ticket_id": number, "at": NOW - timedelta(days=8)})
        told.append(_notice(finding, device, person))
    connection.execute(sa.insert(tickets), opened)
    connection.execute(sa.insert(ticket_findings), linked)
    connection.execute(sa.insert(notices), told)


def _notice(finding: int, device: str, person: int) -> dict[str, Any]:
    agreed = bool(person % 3)
    words = {"language": "en", "subject": "Battery", "body": "Please change it. " * 40, "html": "<p>Please</p>" * 40}
    state = {
        "state": "sent" if agreed else "suppressed",
        "reason": None if agreed else "no consent to service notices",
        "sent_at": NOW - timedelta(days=8) if agreed else None,
    }
    of = {"cause": f"finding:{finding}", "finding_id": finding, "device_id": device, "customer_id": f"c-{person}"}
    at = {"created_at": NOW - timedelta(days=8), "send_after": NOW - timedelta(days=8), "policy_version": 1}
    return {**of, "home_id": f"h-{person}", "kind": "replacement", "occasion": "", **words, **state, **at}


def stir(database: Database, count: int, now: datetime) -> None:
    """What a busy hour brings: new findings, others that became more or less likely, some that are over."""
    relapse = timedelta(days=7)
    with database.transaction() as connection:
        for number in range(count // 100):
            seen = Observation(
                "anomaly", "device", f"d{number * 7:06d}", "wifi_failing", "critical", now - timedelta(days=2),
                {"metrics": ["rssi"], "reasons": []}, None, None,
            )  # fmt: skip
            findings.observe(connection, seen, relapse=relapse)
        likely = findings_table.c.probability
        some = findings_table.c.id.in_(range(1, count, 50))
        connection.execute(sa.update(findings_table).where(some, likely.is_not(None)).values(probability=likely + 0.01))
        over = sa.and_(findings_table.c.id.in_(range(3, count, 500)), findings_table.c.state == "open")
        connection.execute(sa.update(findings_table).where(over).values(state="recovered", recovered_at=now))


def measure(count: int, folder: Path) -> Iterator[tuple[str, Any]]:
    """Of each round its wall and processor seconds, and what it did."""
    database = open_database(f"sqlite:///{folder / 'records.sqlite3'}")
    yield f"building {count} findings, {count // 5} tickets", _timed(lambda: build(database, count))
    for name, now in (("first", NOW), ("idle", NOW + timedelta(minutes=5)), ("busy", NOW + timedelta(hours=1))):
        if name == "busy":
            stir(database, count, now)
        for job in (jobs.apply_policy, jobs.follow_up):
            yield f"{name} {job.__name__}", _timed(lambda job=job, now=now: _run(database, job, now))  # type: ignore[misc]
    database.close()


def _run(database: Database, job: Any, now: datetime) -> Mapping[str, int]:
    done: Mapping[str, int] = job(database, now, brand=BRAND, public_url="http://hw.test", link_life=timedelta(days=30))
    return done


def _timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    began, worked = time.perf_counter(), time.process_time()
    result = work()
    return round(time.perf_counter() - began, 1), round(time.process_time() - worked, 1), result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for what, told in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, Path(place)):
            sys.stdout.write(f"{what}: {told}\n")
            sys.stdout.flush()
