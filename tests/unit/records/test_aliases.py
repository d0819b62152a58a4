"""Ids that are one device, in the records: joined, proposed, separated; addresses; the broker's users; counts of newcomers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records import admissions, aliases, broker_users, customers, devices, findings, hardware
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.values import Identity, Observation

MAC = "a4cf12d4e5f6"


def register(database: Database, *ids: str, **fields: Any) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": one, **fields} for one in ids])


def told(device: str, clock: SteppedClock, **fields: Any) -> Identity:
    return Identity(device, clock.now(), **{"hardware_address": MAC, **fields})


def test_aliases_of_an_alias_follow_it(database: Database, clock: SteppedClock) -> None:
    register(database, "a", "b", "c")
    with database.transaction() as connection:
        aliases.join(connection, "c", "b", clock.now(), actor="ann")
        aliases.join(connection, "b", "a", clock.now(), actor="ann")

        assert aliases.load(connection) == {"b": "a", "c": "a"}
        assert aliases.ids_of(connection, "c") == ["a", "b", "c"]
        with pytest.raises(Conflict, match="is an alias of it already"):
            aliases.join(connection, "a", "c", clock.now(), actor="ann")


@pytest.mark.parametrize(
    ("alias", "device", "error"), [("a", "a", Invalid), ("a b", "a", Invalid), ("x", "y", Missing)]
)
def test_what_cannot_be_joined_is_not(
    database: Database, clock: SteppedClock, alias: str, device: str, error: type[Exception]
) -> None:
    register(database, "a")
    with pytest.raises(error), database.transaction() as connection:
        aliases.join(connection, alias, device, clock.now(), actor="ann")


def test_what_the_alias_had_goes_to_the_device_and_what_the_device_had_stays(
    database: Database, clock: SteppedClock
) -> None:
    register(database, "lamp", model="Lamp 3")
    register(database, "plug", model="Plug", region="north")
    now = clock.now()
    seen = Observation("anomaly", "device", "plug", "battery_fade", "warning", now, {"metrics": [], "reasons": []})
    with database.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Ann")
        customers.own(connection, "plug", "c-1", None, now)
        finding = findings.observe(connection, seen, relapse=timedelta(days=7))
        aliases.join(connection, "plug", "lamp", now, actor="ann")

        lamp, owner = devices.get(connection, "lamp"), customers.owner_of(connection, "lamp", now)
        assert (lamp.model, lamp.region) == ("Lamp 3", "north")
        assert owner is not None
        assert owner.customer.id == "c-1"
        assert findings.get(connection, finding.id).state == "recovered"
        assert devices.get(connection, "plug").removed_at == now

        aliases.separate(connection, "plug", "lamp", now, actor="ann")
        assert devices.get(connection, "plug").removed_at is None


def test_a_device_that_was_removed_before_it_was_joined_stays_so_after(database: Database, clock: SteppedClock) -> None:
    earlier = clock.now() - timedelta(days=3)
    register(database, "lamp")
    register(database, "plug", removed_at=earlier)
    with database.transaction() as connection:
        aliases.join(connection, "plug", "lamp", clock.now(), actor="ann")
        aliases.separate(connection, "plug", "lamp", clock.now(), actor="ann")

        assert devices.get(connection, "plug").removed_at == earlier


def test_a_proposal_does_not_undo_a_decision(database: Database, clock: SteppedClock) -> None:
    register(database, "a", "b")
    with database.transaction() as connection:
        aliases.separate(connection, "b", "a", clock.now(), actor="ann")
        aliases.propose(connection, "a", "b", clock.now(), convention="native", evidence={})

        assert [one.state for one in aliases.list_aliases(connection)] == ["separate"]


def test_an_address_is_kept_once_however_often_it_is_told(database: Database, clock: SteppedClock) -> None:
    register(database, "a")
    for _ in range(3):
        clock.advance(timedelta(hours=1))
        with database.transaction() as connection:
            assert hardware.learn(connection, [told("a", clock)], clock.now()) == []

    with database.reading() as connection:
        (known,) = hardware.addresses_of(connection, ["a"])
    assert (known.kind, known.address, known.since) == ("mac", MAC, clock.now() - timedelta(hours=2))


def test_the_older_id_stays_unless_the_other_is_enrolled(database: Database, clock: SteppedClock) -> None:
    with database.transaction() as connection:
        for name in ("older", "newer"):
            devices.see(connection, [Sighting(name, clock.now())])
            clock.advance(timedelta(days=1))
        claims = [told("newer", clock), told("older", clock, convention="tasmota")]
        hardware.learn(connection, claims, clock.now())
        assert aliases.load(connection) == {"newer": "older"}

        devices.see(connection, [Sighting("first", clock.now())])
        devices.register(connection, [{"id": "enrolled"}])
        broker_users.enroll(connection, [user("enrolled")], clock.now(), "test")
        zigbee = "0x00158d00018255df"
        claims = [
            told("first", clock, hardware_address=zigbee, convention="home_assistant"),
            told("enrolled", clock, hardware_address=zigbee),
        ]
        hardware.learn(connection, claims, clock.now())
        assert aliases.load(connection)["first"] == "enrolled"


@pytest.mark.parametrize("cloned", [{"hardware_address": MAC}, {"hardware_address": None, "serial": "SERIAL-0001"}])
def test_an_address_that_a_production_line_gave_to_many_joins_none_of_them(
    database: Database, clock: SteppedClock, cloned: dict[str, Any]
) -> None:
    names = [f"unit-{number:02}" for number in range(30)]
    register(database, *names, model="Lamp 3")
    with database.transaction() as connection:
        doubts = hardware.learn(connection, [told(name, clock, **cloned) for name in names], clock.now())

        assert aliases.load(connection) == {}
        assert sorted(one.subject for one in doubts) == names[1:]
        assert len(aliases.list_aliases(connection, state="proposed")) == 29


def test_a_user_whose_access_was_revoked_may_not_log_in_and_may_be_enrolled_again(
    database: Database, clock: SteppedClock
) -> None:
    with database.transaction() as connection:
        broker_users.enroll(connection, [user("a")], clock.now(), "test")
        before = broker_users.mark(connection)
        broker_users.revoke(connection, "a", clock.now())
        assert broker_users.find(connection, "a") is None
        assert broker_users.mark(connection) != before
        with pytest.raises(Missing):
            broker_users.revoke(connection, "a", clock.now())
        broker_users.enroll(connection, [user("a")], clock.now(), "test")
        assert broker_users.enrolled(connection, ["a", "b"]) == {"a"}


def test_newcomers_are_counted_by_the_day_and_old_days_forgotten(database: Database, clock: SteppedClock) -> None:
    with database.transaction() as connection:
        admissions.count(connection, clock.now(), admitted=2)
        admissions.count(connection, clock.now(), admitted=1, turned_away=5)
        today = admissions.today(connection, clock.now())
        assert (today.admitted, today.turned_away) == (3, 5)

        clock.advance(timedelta(days=100))
        admissions.count(connection, clock.now(), admitted=1)
        assert admissions.today(connection, clock.now() - timedelta(days=100)).admitted == 0


def user(name: str) -> dict[str, Any]:
    return {"name": name, "role": "device", "conventions": ["native"], "password": True, "certificate": None}
