"""Models, parts, releases, customers and consents: the registry beside the devices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Conflict, Invalid, Missing, Stale
from hearthwatch.records import customers, models, outages, parts, releases
from hearthwatch.records.customers import Ownership
from hearthwatch.records.database import Database

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


# -- models


def test_a_model_nobody_knows_is_missing(database: Database) -> None:
    with pytest.raises(Missing), database.reading() as connection:
        models.get(connection, "HW-X")


def test_a_model_keeps_what_is_not_given_again(database: Database) -> None:
    with database.transaction() as connection:
        models.put(connection, "HW-LOCK", "Lock", "lock", "Hearth")
        models.put(connection, "HW-LOCK", name="Door lock")
        model = models.get(connection, "HW-LOCK")
        assert (model.name, model.device_class, model.maker, model.revision) == ("Door lock", "lock", "Hearth", 2)
        assert models.add_missing(connection, ["HW-LOCK", "HW-PLUG"]) == 1
        assert [one.id for one in models.list_models(connection)] == ["HW-LOCK", "HW-PLUG"]


# -- parts


def test_a_new_part_ends_the_one_before(database: Database) -> None:
    with database.transaction() as connection:
        parts.install(connection, "d-1", "battery", AT)
        parts.install(connection, "d-1", "battery", AT + DAY, "CR123A")
        parts.install(connection, "d-1", "battery", AT + DAY, "CR123A")
        assert [(one.from_at, one.to_at) for one in parts.parts_of(connection, "d-1")] == [
            (AT, AT + DAY),
            (AT + DAY, None),
        ]
        assert parts.since(connection, "battery", ["d-1", "d-2"]) == {"d-1": AT + DAY}


def test_a_part_told_late_takes_its_place_between(database: Database) -> None:
    with database.transaction() as connection:
        for day in (0, 2, 1):
            parts.install(connection, "d-1", "battery", AT + day * DAY)
        spans = [(one.from_at, one.to_at) for one in parts.parts_of(connection, "d-1")]
    assert spans == [(AT, AT + DAY), (AT + DAY, AT + 2 * DAY), (AT + 2 * DAY, None)]


# -- releases


def create(database: Database, version: str, **fields: object) -> int:
    with database.transaction() as connection:
        options = {"model": "HW-LOCK", "version": version, "released_at": AT, **fields}
        return releases.create(connection, **options).id  # type: ignore[arg-type]


def test_a_release_is_announced_once(database: Database) -> None:
    create(database, "2.4.1")
    with pytest.raises(Conflict, match=r"2\.4\.1"):
        create(database, "v2.4.1")


@pytest.mark.parametrize("fields", [{"version": " "}, {"model": ""}, {"assignment": "guessed"}])
def test_a_release_that_says_nonsense_is_refused(database: Database, fields: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        create(database, **{"version": "1.0.0", **fields})


def test_a_status_is_one_of_four_and_set_on_what_was_read(database: Database) -> None:
    release = create(database, "2.4.1")
    with database.transaction() as connection:
        assert releases.set_status(connection, release, 1, "paused").status == "paused"
        with pytest.raises(Stale):
            releases.set_status(connection, release, 1, "rolling")
        with pytest.raises(Invalid):
            releases.set_status(connection, release, None, "gone")
        with pytest.raises(Missing):
            releases.set_status(connection, 99, None, "paused")


def test_the_fix_is_the_newest_release_that_was_not_withdrawn(database: Database) -> None:
    create(database, "2.4.1")
    create(database, "2.4.9", fixes=["reboots", "2.4.1"])
    newest = create(database, "2.4.10", fixes=["reboots"])
    with database.transaction() as connection:
        assert releases.fix_for(connection, "HW-LOCK", "relay_wear") is None
        assert releases.fix_for(connection, "HW-PLUG", "reboots") is None
        fix = releases.fix_for(connection, "HW-LOCK", "reboots")
        assert fix is not None
        assert fix.version == "2.4.10"
        by_version = releases.fix_for(connection, "HW-LOCK", "v2.4.1(release)")
        assert by_version is not None
        assert by_version.version == "2.4.9"
        releases.set_status(connection, newest, None, "withdrawn")
        fix = releases.fix_for(connection, "HW-LOCK", "reboots")
        assert fix is not None
        assert fix.version == "2.4.9"


def test_releases_are_listed_newest_version_first(database: Database) -> None:
    for version in ("2.4.9", "2.4.10", "2.4.10-beta1"):
        create(database, version, notes=f"about {version}")
    with database.reading() as connection:
        found = releases.list_releases(connection, model="HW-LOCK")
        assert [one.version for one in found] == ["2.4.10", "2.4.10-beta1", "2.4.9"]
        assert releases.notes_of(connection, found[0].id) == "about 2.4.10"
        assert releases.list_releases(connection, model="HW-PLUG") == []


# -- customers


def people(database: Database) -> None:
    with database.transaction() as connection:
        for customer, home in (("c-1", "h-1"), ("c-2", "h-2")):
            customers.put_customer(connection, customer, name=f"Name of {customer}", channels=[f"mailbox://{customer}"])
            customers.put_home(connection, home, city="Oslo", timezone="Europe/Oslo")


def test_an_unknown_customer_can_not_own_a_device(database: Database) -> None:
    with pytest.raises(Missing), database.transaction() as connection:
        customers.own(connection, "d-1", "c-9", None, AT)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe"])
def test_a_time_zone_that_does_not_exist_is_refused(database: Database, zone: str) -> None:
    with pytest.raises(Invalid), database.transaction() as connection:
        customers.put_home(connection, "h-1", timezone=zone)


def test_a_device_that_is_sold_on_was_the_first_owners_until_then(database: Database) -> None:
    people(database)
    with database.transaction() as connection:
        customers.own(connection, "d-1", "c-1", "h-1", AT)
        customers.own(connection, "d-1", "c-2", "h-2", AT + 2 * DAY)
        customers.own(connection, "d-1", "c-2", "h-2", AT + 3 * DAY)  # told again
        assert customers.owner_of(connection, "d-1", AT - DAY) is None
        before = customers.owner_of(connection, "d-1", AT + DAY)
        after = customers.owner_of(connection, "d-1", AT + 2 * DAY)
        assert before is not None
        assert before.customer.id == "c-1"
        assert after is not None
        assert (after.customer.id, after.home and after.home.timezone) == ("c-2", "Europe/Oslo")
        assert len(customers.ownerships_of(connection, "d-1")) == 2
        assert customers.devices_of(connection, "c-1", AT + DAY) == ["d-1"]
        assert customers.devices_of(connection, "c-1", AT + 2 * DAY) == []
        assert [home.id for home in customers.homes_of(connection, "c-2", AT + 2 * DAY)] == ["h-2"]


def test_an_owner_told_wrongly_is_corrected_from_the_same_moment(database: Database) -> None:
    people(database)
    with database.transaction() as connection:
        customers.own(connection, "d-1", "c-1", None, AT)
        customers.own(connection, "d-1", "c-2", None, AT)
        assert [one.customer_id for one in customers.ownerships_of(connection, "d-1")] == ["c-2"]


def test_many_claims_at_once_are_as_good_as_one_by_one(database: Database) -> None:
    people(database)
    claims = [
        Ownership("d-1", "c-1", "h-1", AT, None),
        Ownership("d-1", "c-2", "h-2", AT + DAY, None),
        Ownership("d-2", "c-1", None, AT, None),
    ]
    with database.transaction() as connection:
        for _ in range(2):
            customers.own_many(connection, claims)
            spans = [(one.customer_id, one.from_at, one.to_at) for one in customers.ownerships_of(connection, "d-1")]
            assert spans == [("c-1", AT, AT + DAY), ("c-2", AT + DAY, None)]
            assert len(customers.ownerships_of(connection, "d-2")) == 1
        customers.own_many(connection, [])
        with pytest.raises(Missing):
            customers.own_many(connection, [Ownership("d-2", "c-9", None, AT + DAY, None)])


def test_a_new_device_of_an_unknown_customer_is_refused(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as connection:
        customers.own_many(connection, [Ownership("d-1", "c-9", None, AT, None)])


def test_a_device_given_up_is_nobodys(database: Database) -> None:
    people(database)
    with database.transaction() as connection:
        customers.own(connection, "d-1", "c-1", None, AT)
        assert customers.end_ownership(connection, "d-1", AT + DAY)
        assert not customers.end_ownership(connection, "d-1", AT + DAY)
        assert customers.owners_of(connection, ["d-1"], AT + DAY) == {}


def test_a_customer_put_again_is_replaced_and_found(database: Database) -> None:
    people(database)
    with database.transaction() as connection:
        changed = customers.put_customer(connection, "c-1", name="Ann", language="zh-CN", email="ann@example.org")
        assert (changed.name, changed.language, changed.channels, changed.revision) == ("Ann", "zh-CN", (), 2)
        assert [one.id for one in customers.list_customers(connection, search="ANN@")] == ["c-1"]
        assert [one.id for one in customers.list_customers(connection, after="c-1")] == ["c-2"]


# -- outages


def test_an_outage_ends_after_it_begins(database: Database) -> None:
    with pytest.raises(Invalid), database.transaction() as connection:
        outages.plan(connection, model=None, region=None, from_at=AT, to_at=AT, reason="works")


def test_an_outage_is_on_from_its_beginning_until_its_end(database: Database) -> None:
    with database.transaction() as connection:
        planned = outages.plan(connection, model="M", region=None, from_at=AT, to_at=AT + DAY, reason="works")
        assert outages.at(connection, AT) == [planned]
        assert outages.at(connection, AT + DAY) == []
        assert outages.between(connection, AT - DAY, AT) == []
        assert outages.between(connection, AT - DAY, AT + DAY) == outages.list_outages(connection) == [planned]
