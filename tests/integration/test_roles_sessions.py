"""Ingestors divide the broker's messages among themselves, and none is lost when one of them goes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.messaging import open_subscriber
from hearthwatch.ports import Convention, TelemetryStore
from hearthwatch.records import broker_sessions, devices
from hearthwatch.wire.registry import conventions
from ingest.sessions import Sessions, Split
from tests.integration.house import BASE, PATIENCE_S, SPLIT, SPOKEN, House, in_a_hurry, names, wait

HELD = ["house-0", "house-1", "house-solo"]
"""The sessions of two ingestors."""


@pytest.fixture
def house(mosquitto: str, store: TelemetryStore, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    in_a_hurry(monkeypatch)
    opened = House(mosquitto, store, postgresql)
    yield opened
    opened.close()


def started(house: House, holder: str, split: Split = SPLIT, spoken: Sequence[Convention] = SPOKEN) -> Sessions:
    """An ingestor that works."""
    made = house.ingestor(holder, split, spoken)
    wait(lambda: bool(made.health()["ok"]))
    return made


def test_what_is_parked_for_an_ingestor_that_is_gone_for_good_is_taken_in_by_another(house: House) -> None:
    first, second = started(house, "first"), started(house, "second")
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
    ingestor = started(house, "first")
    house.wait_until_all_is_stored()
    wait(lambda: ingestor.health()["sessions_ended"] == 1)
    again = open_subscriber(house.broker, client_id="house", filters=("x",), session_expiry_s=0, receive_maximum=100)
    present: list[bool] = []
    again.start(lambda *_: None, lambda _, there: present.append(there))
    wait(lambda: bool(present))
    again.stop()
    assert present[0] is False, "the broker still keeps it"


def test_what_is_retained_or_stateful_is_heard_by_one_and_taken_over_by_another(house: House) -> None:
    first, second = started(house, "first"), started(house, "second")
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
    started(house, "first")
    started(house, "second")
    house.say("identity", model="M", fw="1.5", boot="b1")
    wait(lambda: firmware(house) == "1.5")
    time.sleep(2.5)  # they learn of one another every two seconds
    house.send(40)
    house.wait_until_all_is_stored()
    table = house.store.window("d0", BASE, BASE + timedelta(days=2))
    assert set(table["firmware"].to_pylist()) == {"1.5"}


def test_who_loses_the_connection_that_carries_the_leases_takes_sessions_again(house: House) -> None:
    first, second = started(house, "first"), started(house, "second")
    house.send(200)
    wait(lambda: sorted([*names(first), *names(second)]) == HELD)
    wait(
        lambda: len(carriers(house)) == len(HELD)
    )  # what was held for a moment while they divided the work is let go of
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
    wait(lambda: sorted([*names(first), *names(second)]) == HELD)


def test_where_nothing_can_be_shared_one_ingestor_hears_all_and_another_takes_over(house: House) -> None:
    tasmota = conventions(("tasmota",))
    split = Split("house", (), tasmota[0].filters)
    first, second = started(house, "first", split, tasmota), started(house, "second", split, tasmota)
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
