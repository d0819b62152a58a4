"""Ingestors divide the broker's messages among themselves, and none is lost when one of them goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.clock import SystemClock
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Convention, Publisher, TelemetryStore
from hearthwatch.records import broker_sessions, decoder_states, devices
from hearthwatch.records.database import Database, open_database
from hearthwatch.wire.registry import Decoder, conventions
from hearthwatch.wire.shared import SharedDecoder
from ingest import sessions
from ingest.ledger import Ledger
from ingest.limits import Limits
from ingest.runner import Runner
from ingest.sessions import Plan, Sessions, Split

BASE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
SPOKEN = conventions(("native",))
SPLIT = Split("house", SPOKEN[0].shareable, tuple(one for one in SPOKEN[0].filters if one not in SPOKEN[0].shareable))
LIMITS = Limits(batch_seconds=0.05, receive_maximum=200)
PATIENCE_S = 30.0


class House:
    """One installation: a broker, the stores, and the ingestors that were started."""

    def __init__(self, broker: str, store: TelemetryStore, records: str) -> None:
        self.broker = broker
        self.store = store
        self.records = records
        self.database = open_database(records)
        self.publisher: Publisher = open_publisher(broker, client_id="devices")
        self.running: list[tuple[Sessions, Database]] = []
        self.sent = 0

    def ingestor(self, holder: str, split: Split = SPLIT, spoken: Sequence[Convention] = SPOKEN) -> Sessions:
        """A process of its own, but for the process."""
        database = open_database(self.records)
        ledger = Ledger()

        def open_runner(plan: Plan) -> Runner:
            subscriber = open_subscriber(
                self.broker,
                client_id=plan.client_id,
                filters=plan.filters,
                session_expiry_s=3600,
                receive_maximum=LIMITS.receive_maximum,
                leaving=plan.leaving,
            )
            with database.reading() as connection:
                states = decoder_states.load(connection)
            decoder = SharedDecoder(spoken, states) if plan.shared else Decoder(spoken, states)
            return Runner(subscriber, decoder, self.store, database, SystemClock(), LIMITS, ledger, name=plan.client_id)

        made = Sessions(split, open_runner, database, SystemClock(), ledger, holder)
        made.start()
        self.running.append((made, database))
        wait(lambda: bool(made.health()["ok"]))
        return made

    def send(self, count: int) -> None:
        """Numbered samples of ten devices."""
        for number in range(self.sent, self.sent + count):
            at = (BASE + timedelta(seconds=number)).isoformat()
            given = {"boot": "b1", "seq": number, "samples": [{"at": at, "m": {"temperature_c": float(number)}}]}
            self.publisher.publish(f"hearthwatch/v1/d{number % 10}/telemetry", json.dumps(given).encode())
        self.sent += count
        self.publisher.flush(PATIENCE_S)

    def say(self, kind: str, **given: object) -> None:
        self.publisher.publish(f"hearthwatch/v1/d0/{kind}", json.dumps(given).encode(), retain=True)
        self.publisher.flush(PATIENCE_S)

    def stored(self) -> list[float]:
        values: list[float] = []
        for number in range(10):
            values += self.store.window(f"d{number}", BASE, BASE + timedelta(days=2))["value"].to_pylist()
        return sorted(values)

    def wait_until_all_is_stored(self) -> None:
        wait(lambda: len(self.stored()) >= self.sent)
        assert self.stored() == [float(number) for number in range(self.sent)]

    def stop(self, ingestor: Sessions) -> None:
        ingestor.stop()
        for running, database in self.running:
            if running is ingestor:
                database.close()
        self.running = [one for one in self.running if one[0] is not ingestor]

    def close(self) -> None:
        for running, _ in list(self.running):
            self.stop(running)
        self.publisher.close()
        self.database.close()


@pytest.fixture
def house(mosquitto: str, store: TelemetryStore, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(sessions, "LEFT_AFTER", timedelta(seconds=2))
    monkeypatch.setattr(sessions, "NOTE_SECONDS", 0.5)
    monkeypatch.setattr(sessions, "EMPTY_AFTER_SECONDS", 1.0)
    opened = House(mosquitto, store, postgresql)
    yield opened
    opened.close()


def wait(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)


def names(ingestor: Sessions) -> set[str]:
    return set(ingestor.health()["sessions"])


def test_what_is_parked_for_an_ingestor_that_is_gone_for_good_is_taken_in_by_another(house: House) -> None:
    first, second = house.ingestor("first"), house.ingestor("second")
    house.send(300)
    house.wait_until_all_is_stored()
    house.stop(second)
    house.send(300)  # the broker parks a part of these in the session of the second
    wait(lambda: first.health()["sessions_ended"] == 2)  # the second's, and the one from before there were roles
    house.wait_until_all_is_stored()
    wait(lambda: names(first) == {"house-0", "house-solo"})
    with house.database.reading() as connection:
        assert broker_sessions.left(connection, datetime.now(UTC)) != []  # those held now; none older
        assert broker_sessions.left(connection, datetime.now(UTC) - timedelta(seconds=10)) == []
    house.send(100)
    house.wait_until_all_is_stored()


def test_a_session_from_before_there_were_roles_is_emptied(house: House) -> None:
    undivided = SPLIT.undivided()
    before = open_subscriber(
        house.broker, client_id="house", filters=undivided.filters, session_expiry_s=3600, receive_maximum=100
    )
    up: list[bool] = []
    before.start(lambda *_: None, lambda connected, _: up.append(connected))
    wait(lambda: bool(up))
    before.stop()
    house.send(150)  # nobody else is there to hear these
    ingestor = house.ingestor("first")
    house.wait_until_all_is_stored()
    wait(lambda: ingestor.health()["sessions_ended"] == 1)
    again = open_subscriber(house.broker, client_id="house", filters=("x",), session_expiry_s=0, receive_maximum=100)
    present: list[bool] = []
    again.start(lambda *_: None, lambda _, there: present.append(there))
    wait(lambda: bool(present))
    again.stop()
    assert present[0] is False, "the broker still keeps it"


def test_what_is_retained_or_stateful_is_heard_by_one_and_taken_over_by_another(house: House) -> None:
    first, second = house.ingestor("first"), house.ingestor("second")
    assert "house-solo" not in names(second)
    house.say("identity", model="M", fw="1.5", boot="b1")
    house.say("presence", online=True, boot="b1")
    wait(lambda: online(house) is True)
    house.stop(first)
    wait(lambda: "house-solo" in names(second))
    house.say("presence", online=False, boot="b1")
    wait(lambda: online(house) is False)
    told = house.store.presence(BASE, datetime.now(UTC) + timedelta(days=1))["online"].to_pylist()
    assert told == [True, False], "the retained copy was taken for news"


def test_a_firmware_that_only_the_identity_names_reaches_those_who_hear_the_samples(house: House) -> None:
    house.ingestor("first")
    house.ingestor("second")
    house.say("identity", model="M", fw="1.5", boot="b1")
    wait(lambda: firmware(house) == "1.5")
    time.sleep(2.5)  # they learn of one another every two seconds
    house.send(40)
    house.wait_until_all_is_stored()
    table = house.store.window("d0", BASE, BASE + timedelta(days=2))
    assert set(table["firmware"].to_pylist()) == {"1.5"}


def test_who_loses_the_connection_that_carries_the_leases_takes_sessions_again(house: House) -> None:
    first, second = house.ingestor("first"), house.ingestor("second")
    house.send(200)
    carried = carriers(house)
    with house.database.transaction() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
    house.send(200)
    wait(lambda: len(carriers(house) - carried) == len(carried))
    wait(lambda: first.health()["ok"] and second.health()["ok"])
    house.send(200)
    house.wait_until_all_is_stored()
    wait(lambda: sorted([*names(first), *names(second)]) == ["house-0", "house-1", "house-solo"])


def test_where_nothing_can_be_shared_one_ingestor_hears_all_and_another_takes_over(house: House) -> None:
    tasmota = conventions(("tasmota",))
    split = Split("house", (), tasmota[0].filters)
    first, second = house.ingestor("first", split, tasmota), house.ingestor("second", split, tasmota)
    assert (names(first), names(second)) == ({"house-solo"}, set())
    for hour, stopped in ((10, None), (11, first)):
        if stopped is not None:
            house.stop(stopped)
        said = {"Time": f"{BASE:%Y-%m-%d}T{hour}:00:00", "UptimeSec": hour}
        house.publisher.publish("tele/plug1/STATE", json.dumps(said).encode())
        house.publisher.flush(PATIENCE_S)
        wait(lambda hour=hour: float(hour) in uptimes(house))  # type: ignore[misc]
    assert names(second) == {"house-solo"}
    assert uptimes(house) == [10.0, 11.0]


def uptimes(house: House) -> list[float]:
    told = house.store.window("plug1", BASE - timedelta(days=2), BASE + timedelta(days=3), metrics=["uptime_s"])
    values: list[float] = told["value"].to_pylist()
    return values


def carriers(house: House) -> set[int]:
    """The server's sessions that carry leases."""
    with house.database.reading() as connection:
        return set(
            connection.exec_driver_sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted").scalars()
        )


def online(house: House) -> bool | None:
    with house.database.reading() as connection:
        found = devices.find(connection, ["d0"])
    return found["d0"].online if found else None


def firmware(house: House) -> str | None:
    with house.database.reading() as connection:
        found = devices.find(connection, ["d0"])
    return found["d0"].firmware if found else None
