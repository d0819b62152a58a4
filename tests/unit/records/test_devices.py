"""Devices: sightings in any order, claims against the registry, groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthwatch.errors import Invalid, Missing, Stale
from hearthwatch.records import devices, models, parts
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.values import Device, Identity
from tests.conftest import records_in_memory

AT = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def device(database: Database, device_id: str = "d-1") -> Device:
    with database.reading() as connection:
        return devices.get(connection, device_id)


def see(database: Database, *sightings: Sighting) -> None:
    with database.transaction() as connection:
        devices.see(connection, sightings)


def test_a_device_nobody_knows_is_missing(database: Database) -> None:
    with pytest.raises(Missing, match="d-1"):
        device(database)


def test_registering_what_is_no_device_id_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="device id"), database.transaction() as connection:
        devices.register(connection, [{"id": "<img src=x>"}])


def test_registering_a_column_that_is_no_master_data_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="last_seen"), database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "last_seen": AT}])


def test_a_change_of_a_device_read_before_another_change_is_stale(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "region": "north"}])
        assert devices.update(connection, "d-1", 1, {"region": "south"}).revision == 2
        with pytest.raises(Stale):
            devices.update(connection, "d-1", 1, {"region": "west"})
        with pytest.raises(Missing):
            devices.update(connection, "d-2", None, {"region": "west"})
        with pytest.raises(Invalid, match="online"):
            devices.update(connection, "d-1", None, {"online": True})


def test_late_news_does_not_undo_newer_news(database: Database) -> None:
    see(database, Sighting("d-1", AT + HOUR, "2.0.0", "b2", "native", online=True))
    see(database, Sighting("d-1", AT, "1.0.0", "b1", "native", online=False))
    seen = device(database)
    assert (seen.firmware, seen.boot, seen.online) == ("2.0.0", "b2", True)
    assert (seen.first_seen, seen.last_seen) == (AT, AT + HOUR)


def test_a_sighting_that_says_nothing_forgets_nothing(database: Database) -> None:
    see(database, Sighting("d-1", AT, "1.0.0", "b1", "native", online=True))
    see(database, Sighting("d-1", AT + HOUR))
    seen = device(database)
    assert (seen.firmware, seen.boot, seen.convention, seen.online) == ("1.0.0", "b1", "native", True)
    assert seen.last_seen == AT + HOUR


def test_being_heard_of_does_not_make_a_read_device_stale(database: Database) -> None:
    see(database, Sighting("d-1", AT, "1.0.0"))
    before = device(database).revision
    see(database, Sighting("d-1", AT + HOUR, "1.0.1"))
    assert device(database).revision == before


def test_a_firmware_longer_than_its_column_is_cut_not_refused(database: Database) -> None:
    see(database, Sighting("d-1", AT, "1.2.3-" + "x" * 500 + "\x00"))
    assert len(device(database).firmware or "") == 128


SIGHTINGS = st.lists(
    st.builds(
        Sighting,
        device=st.sampled_from(["a", "b"]),
        at=st.integers(0, 10**6).map(lambda minutes: AT + timedelta(minutes=minutes)),
        firmware=st.sampled_from([None, "1.0.0", "1.1.0", "2.0.0-beta1"]),
        boot=st.sampled_from([None, "b1", "b2"]),
        online=st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda sighting: sighting.at,
)


@settings(max_examples=15, deadline=None)
@given(SIGHTINGS, st.randoms(), st.integers(1, 8))
def test_any_order_and_any_split_of_sightings_give_the_same_device(
    sightings: list[Sighting], random: Any, cut: int
) -> None:
    shuffled = list(sightings)
    random.shuffle(shuffled)
    results = []
    for batches in ([sightings], [shuffled[:cut], shuffled[cut:]], [[one] for one in shuffled]):
        with records_in_memory() as database:
            for batch in batches:
                see(database, *batch)
            with database.reading() as connection:
                results.append(devices.list_devices(connection))
    assert results[0] == results[1] == results[2]


# -- claims


def claim(database: Database, **fields: Any) -> list[tuple[str, str]]:
    with database.transaction() as connection:
        found = devices.apply_identities(connection, [Identity(**{"device": "d-1", "at": AT, **fields})])
    return [(observation.kind, observation.mode) for observation in found]


def test_a_claimed_serial_that_contradicts_the_registry_is_a_finding_and_not_taken(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "serial": "S1", "model": "HW-LOCK"}])
    assert claim(database, serial="S2", model="HW-PLUG", hardware="r2") == [
        ("mismatch", "serial"),
        ("mismatch", "model"),
    ]
    now = device(database)
    assert (now.serial, now.model, now.hardware) == ("S1", "HW-LOCK", "r2")


def test_a_claim_fills_what_nobody_knew(database: Database) -> None:
    assert (
        claim(database, model="HW-LOCK", serial="S1", firmware="2.4.1(x)", made="2025-03-01", parts={"battery": "CR"})
        == []
    )
    now = device(database)
    assert (now.model, now.serial, now.firmware, now.version) == ("HW-LOCK", "S1", "2.4.1(x)", "2.4.1")
    assert now.made == datetime(2025, 3, 1, tzinfo=UTC)
    with database.reading() as connection:
        assert models.get(connection, "HW-LOCK").name == "HW-LOCK"
        assert [(part.part, part.detail, part.from_at) for part in parts.parts_of(connection, "d-1")] == [
            ("battery", "CR", now.made)
        ]


def test_a_claim_made_twice_changes_nothing(database: Database) -> None:
    fields = {"model": "HW-LOCK", "serial": "S1", "firmware": "2.4.1", "parts": {"battery": "CR"}}
    claim(database, **fields)
    before = device(database)
    assert claim(database, **fields) == []
    assert device(database) == before
    with database.reading() as connection:
        assert len(parts.parts_of(connection, "d-1")) == 1


def test_a_part_with_another_label_was_replaced(database: Database) -> None:
    claim(database, parts={"battery": "one"})
    claim(database, at=AT + HOUR, parts={"battery": "two"})
    with database.reading() as connection:
        assert [(part.detail, part.to_at) for part in parts.parts_of(connection, "d-1")] == [
            ("one", AT + HOUR),
            ("two", None),
        ]


def test_a_made_date_that_is_none_says_nothing(database: Database) -> None:
    claim(database, made="last spring")
    assert device(database).made is None


def test_two_claims_of_one_device_in_one_batch_are_taken_in_order(database: Database) -> None:
    claims = [Identity("d-1", AT, serial="S1"), Identity("d-1", AT + HOUR, serial="S2")]
    with database.transaction() as connection:
        found = devices.apply_identities(connection, claims)
    assert [observation.mode for observation in found] == ["serial"]
    assert device(database).serial == "S1"


def test_the_registry_overrides_what_a_device_said(database: Database) -> None:
    claim(database, model="HW-LOCK", serial="S1", firmware="1.0.0")
    with database.transaction() as connection:
        assert (
            devices.register(connection, [{"id": "d-1", "model": "HW-LOCK-2", "firmware": "1.1.0", "test": True}]) == 1
        )
    now = device(database)
    assert (now.model, now.serial, now.version, now.test) == ("HW-LOCK-2", "S1", "1.1.0", True)


# -- lists


def test_a_search_takes_a_percent_sign_as_it_is(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "serial": "50%"}, {"id": "d-2", "serial": "500"}])
        assert [one.id for one in devices.list_devices(connection, search="50%")] == ["d-1"]
        assert [one.id for one in devices.list_devices(connection, search="D-")] == ["d-1", "d-2"]


def test_pages_of_devices_neither_repeat_nor_skip(database: Database) -> None:
    see(database, *(Sighting(f"d-{number:02}", AT) for number in range(7)))
    seen: list[str] = []
    with database.reading() as connection:
        while page := devices.list_devices(connection, after=seen[-1] if seen else None, limit=3):
            seen.extend(one.id for one in page)
    assert seen == [f"d-{number:02}" for number in range(7)]


def test_devices_are_found_by_version_in_any_spelling(database: Database) -> None:
    see(database, Sighting("d-1", AT, "v1.11.8-g8c7bb8d"), Sighting("d-2", AT, "1.11.9"))
    with database.reading() as connection:
        assert [one.id for one in devices.list_devices(connection, version="20220209-092750/v1.11.8-g8c7bb8d")] == [
            "d-1"
        ]
        assert set(devices.find(connection, ["d-1", "d-9"])) == {"d-1"}


def test_groups_leave_out_test_devices_and_removed_ones(database: Database) -> None:
    with database.transaction() as connection:
        rows = [{"id": f"d-{number}", "model": "M", "hardware": "A"} for number in range(5)]
        devices.register(connection, rows)
        devices.register(connection, [{"id": "d-3", "test": True}, {"id": "d-4", "removed_at": AT}])
        devices.see(connection, [Sighting(f"d-{number}", AT, "1.0.0", online=number > 0) for number in range(5)])
        (group,) = devices.groups(connection)
    assert (group.model, group.hardware, group.version, group.devices, group.online) == ("M", "A", "1.0.0", 3, 2)
    assert group.newest_seen == AT


def test_groups_of_devices_whose_model_nobody_knows_come_first(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "b", "model": "M"}, {"id": "c", "model": "A", "hardware": "2"}])
        devices.register(connection, [{"id": "d", "model": "A", "hardware": "10"}, {"id": "e", "model": "a"}])
        devices.see(connection, [Sighting("a", AT)])
        found = [(group.model, group.hardware) for group in devices.groups(connection)]
    assert found == [(None, None), ("A", "10"), ("A", "2"), ("M", None), ("a", None)]


def test_what_the_registry_said_meanwhile_stays(database: Database) -> None:
    """A claim is compared with what was read; where somebody registered another value since, that one counts."""
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "serial": "S"}])
        claimed = [Identity("d-1", AT, model="CLAIMED", serial="S")]
        devices.apply_identities(connection, claimed)
        assert devices.get(connection, "d-1").model == "CLAIMED"
        devices.register(connection, [{"id": "d-1", "model": "REGISTERED"}])
        devices.apply_identities(connection, claimed)
        assert devices.get(connection, "d-1").model == "REGISTERED"
