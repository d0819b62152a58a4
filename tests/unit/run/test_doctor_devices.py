"""What the doctor says of devices: budgets, those that were turned away, ids that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hearthwatch.records import admissions, aliases, devices
from hearthwatch.records.database import Database, open_database
from hearthwatch.run.checks import Check
from hearthwatch.run.doctor_devices import check_devices
from hearthwatch.settings import Settings


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/records.sqlite3")
    database.upgrade()
    yield database
    database.close()


def checks(folder: Path, **options: object) -> dict[str, Check]:
    settings = Settings(records=f"sqlite:///{folder}/records.sqlite3", **options)  # type: ignore[arg-type]
    return {check.name: check for check in check_devices(settings)}


def test_records_that_are_not_there_yet_are_no_matter_of_devices(tmp_path: Path) -> None:
    assert checks(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_fleet_within_its_budget_is_well(records: Database, tmp_path: Path) -> None:
    with records.transaction() as connection:
        devices.register(connection, [{"id": "lamp-1"}])

    (check,) = checks(tmp_path).values()

    assert check.level == "ok"
    assert check.says.startswith("1 devices")


@pytest.mark.parametrize(("admitted", "level"), [(79, "ok"), (80, "advice")])
def test_a_budget_that_is_nearly_used_is_said_before_it_is(
    records: Database, tmp_path: Path, admitted: int, level: str
) -> None:
    with records.transaction() as connection:
        admissions.count(connection, datetime.now(UTC), admitted=admitted)

    assert checks(tmp_path, device_budget_per_day=100)["devices"].level == level


def test_devices_that_were_turned_away_are_named_with_what_to_do(records: Database, tmp_path: Path) -> None:
    with records.transaction() as connection:
        admissions.count(connection, datetime.now(UTC), turned_away=7)

    check = checks(tmp_path, unknown_devices="refuse")["devices"]

    assert "7 samples of others were turned away" in check.says
    assert "hearthwatch device enroll" in check.remedy


def test_ids_that_wait_for_a_person_are_counted(records: Database, tmp_path: Path) -> None:
    with records.transaction() as connection:
        aliases.propose(connection, "a", "b", datetime.now(UTC), convention="native", evidence={})

    check = checks(tmp_path)["devices.aliases"]

    assert check.says.startswith("1 pairs of ids")
    assert check.level == "advice"
