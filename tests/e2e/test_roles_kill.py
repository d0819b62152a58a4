"""Two of each role on real servers, one of the six killed every few seconds: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.policy.file import default_text
from alerts.policy.versions import add_policy, set_mode
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher
from hearthwatch.records import (
    broker_sessions,
    customers,
    devices,
    findings,
    job_runs,
    mailbox,
    notices,
    outbox,
    quarantine,
    tickets,
)
from hearthwatch.records.database import Database, open_database
from hearthwatch.telemetry import open_store
from hearthwatch.values import Observation
from tests.platform_processes import Installation, Role, wait

SEED = int(os.environ.get("HEARTHWATCH_TEST_SEED", "4"))
SECONDS = float(os.environ.get("HEARTHWATCH_TEST_SECONDS", "20"))
PER_SECOND = 300
DEVICES = 25
SICK = 40
PATIENCE_S = 150.0
RELAPSE = timedelta(days=7)
BASE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
LETTERS_OF_ONE_FINDING = 2  # to the customer, and to the engineers


class Fleet:
    """Numbered samples and events of many devices, and the presence of one that has no clock; counted."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self.comings: list[bool] = []

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        self._publisher.flush(PATIENCE_S)

    @property
    def messages(self) -> int:
        return self.rounds * DEVICES + self.rounds // 10 * DEVICES + len(self.comings)

    def _run(self) -> None:
        following = time.monotonic()
        while not self._ending.wait(max(0.0, following - time.monotonic())):
            following = max(following + DEVICES / PER_SECOND, time.monotonic() - 1.0)
            number = self.rounds
            at = (BASE + timedelta(seconds=number)).isoformat()
            for device in range(DEVICES):
                sample = {"at": at, "m": {"temperature_c": float(number)}}
                self._send(f"d{device}", "telemetry", {"boot": "b1", "seq": number, "fw": "1.0", "samples": [sample]})
                if number % 10 == 9:
                    event = {"at": at, "boot": "b1", "seq": number, "kind": "reboot", "code": str(number)}
                    self._send(f"d{device}", "event", event)
            if number % 5 == 0:
                self.comings.append(not self.comings or not self.comings[-1])
                self._send("timeless", "presence", {"online": self.comings[-1], "boot": "b1"})
            self.rounds += 1

    def _send(self, device: str, kind: str, given: object) -> None:
        self._publisher.publish(f"hearthwatch/v1/{device}/{kind}", json.dumps(given).encode())


class Detector:
    """Finds one device after another to be dangerously hot, and says so again and again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.found = 0

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(SECONDS / SICK):
            if self.found < SICK:
                self.found += 1
            now = datetime.now(UTC)
            for number in (self.found - 1, max(0, self.found - 7)):
                seen = Observation(
                    "anomaly",
                    "device",
                    f"sick-{number}",
                    "overheating",
                    "critical",
                    now,
                    {"metrics": [], "reasons": []},
                )
                with self._database.transaction() as connection:
                    findings.observe(connection, seen, relapse=RELAPSE)


def prepare(database: Database) -> None:
    """A policy that is live, and customers with devices."""
    now = datetime.now(UTC)
    text = default_text().replace("per_round = 250 ", "per_round = 100000 ")
    with database.transaction() as connection:
        version = add_policy(connection, text, "ann", now).version
        set_mode(connection, version, "live", "ann", now)
        devices.register(connection, [{"id": f"sick-{number}", "model": "OVEN-1"} for number in range(SICK)])
        for number in range(SICK):
            customer, home = f"c-{number}", f"h-{number}"
            customers.put_customer(connection, customer, name=f"Kim {number}", channels=[f"mailbox://{customer}"])
            customers.put_home(connection, home, region="north", timezone="UTC")
            customers.own(connection, f"sick-{number}", customer, home, now - timedelta(days=100))


@pytest.fixture
def installation(tmp_path: Path, mosquitto: str, influxdb: str, postgresql: str) -> Iterator[Installation]:
    made = Installation(tmp_path, broker=mosquitto, telemetry=influxdb, records=postgresql)
    yield made
    made.close()


def test_killing_any_of_them_at_any_time_loses_nothing_and_repeats_nothing(installation: Installation) -> None:
    database = open_database(installation.options["records"])
    prepare(database)
    roles = installation.two_of_each()
    publisher = open_publisher(installation.options["broker"], client_id="devices")
    fleet, detector = Fleet(publisher), Detector(database)
    fleet.start()
    detector.start()
    began = time.monotonic()
    killed = kill_at_random(roles, random.Random(SEED))
    detector.end()
    fleet.end()
    calm = time.monotonic()
    check_telemetry(installation, fleet)
    check_records(database, detector.found)
    check_nothing_is_left(database)
    publisher.close()
    database.close()
    print(
        f"{fleet.messages} messages in {calm - began:.0f} s, {dict(killed)} killed,"
        f" all of it done {time.monotonic() - calm:.0f} s later"
    )
    assert sum(killed.values()) >= SECONDS / 10, "hardly anything was tried"


def kill_at_random(roles: list[Role], chance: random.Random) -> Counter[str]:
    """Kill one of them every few seconds and start it again at once; mostly one that is up, sometimes one that is just coming up."""
    killed: Counter[str] = Counter()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.5, 3.0))
        up = [role for role in roles if role.up()]
        chosen = chance.choice(up if up and chance.random() < 0.8 else roles)
        assert chosen.alive, f"{chosen.name} ended by itself\n{chosen.said()[-3000:]}"
        chosen.kill()
        chosen.start()
        killed[chosen.role] += 1
    return killed


def check_telemetry(installation: Installation, fleet: Fleet) -> None:
    """Every sample, event and presence exactly once."""
    store = open_store(installation.options["telemetry"])
    until = datetime.now(UTC) + timedelta(days=1)
    names = [f"d{device}" for device in range(DEVICES)]
    numbers = [float(number) for number in range(fleet.rounds)]

    def values(device: str) -> list[float]:
        found: list[float] = store.window(device, BASE, until)["value"].to_pylist()
        return found

    wait(lambda: all(len(values(device)) >= len(numbers) for device in names), seconds=PATIENCE_S)
    for device in names:
        assert sorted(values(device)) == numbers, "a sample is missing or twice there"
    codes = [str(number) for number in range(9, fleet.rounds, 10)]

    def events(device: str) -> list[str]:
        found: list[str] = store.events(BASE, until, devices=[device])["code"].to_pylist()
        return found

    wait(lambda: all(len(events(device)) >= len(codes) for device in names), seconds=PATIENCE_S)
    for device in names:
        assert sorted(events(device), key=int) == codes, "an event is missing or twice there"

    def comings() -> list[bool]:
        found: list[bool] = store.presence(BASE, until, devices=["timeless"])["online"].to_pylist()
        return found

    wait(lambda: len(comings()) >= len(fleet.comings), seconds=PATIENCE_S)
    assert comings() == fleet.comings, "a presence is missing, twice there, or out of order"
    store.close()


def check_records(database: Database, found: int) -> None:
    """One finding, one notice, one ticket and one letter for each device that was found."""

    def letters() -> Counter[str]:
        with database.reading() as connection:
            return Counter(letter.address for letter in mailbox.list_letters(connection, limit=10_000))

    def all_sent() -> bool:
        with database.reading() as connection:
            return outbox.counts(connection) == {"delivered": found * LETTERS_OF_ONE_FINDING}

    wait(all_sent, seconds=PATIENCE_S)
    with database.reading() as connection:
        found_by_all = findings.list_findings(connection, limit=10_000)
        all_notices = notices.list_notices(connection, limit=10_000)
        all_tickets = tickets.list_tickets(connection, limit=10_000)
        held = quarantine.list_items(connection, limit=10)
    subjects = sorted(f"sick-{number}" for number in range(found))
    # The device that comes and goes all the time is found as well: it flaps.
    all_findings = [one for one in found_by_all if (one.subject, one.mode) != ("timeless", "flapping")]
    assert sorted(finding.subject for finding in all_findings) == subjects
    assert {finding.episode for finding in all_findings} == {1}
    assert sorted(notice.device_id or "" for notice in all_notices) == subjects
    assert sorted(ticket.device_id or "" for ticket in all_tickets) == subjects
    assert {notice.state for notice in all_notices} == {"sent"}
    expected = Counter({f"mailbox://c-{number}": 1 for number in range(found)}) + Counter(
        {"mailbox://engineers": found}
    )
    assert letters() == expected
    assert held == []


def check_nothing_is_left(database: Database) -> None:
    """What is written to go out has gone out, no window is called running that nobody works, and no session waits."""
    with database.reading() as connection:
        assert outbox.counts(connection).keys() == {"delivered"}
        runs = [run for run in job_runs.list_runs(connection, limit=10_000) if run.state == "running"]
        left = broker_sessions.left(connection, datetime.now(UTC) - timedelta(seconds=60))
    assert len({run.job for run in runs}) == len(runs)
    assert [one.client_id for one in left] in ([], ["hearthwatch-ingest"])
