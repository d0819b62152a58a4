"""Photos go with their person: as files into the archive of what is known of them, and away when they are forgotten."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from alerts.customers import erasure
from alerts.customers.export import MEANS, export
from alerts.intake import reporting
from alerts.intake.photos import clean
from alerts.intake.report import Contact, Report
from hearthwatch.clock import SteppedClock
from hearthwatch.records import customers, erasures, report_photos
from hearthwatch.records.database import open_database
from hearthwatch.records.tables import report_photos as table
from hearthwatch.telemetry import open_store
from tests.unit.alerts.intake.pictures import picture
from tests.unit.alerts.world import NOON, World

MAIL = "Kim.Zoe@Example.org"


def sent(world: World) -> None:
    """Two photos by the customer's page, one with the code on the device under their mail address, one of a stranger."""
    world.home()
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Kim", email=MAIL)
        for source, customer, contact, count in (
            ("page", "c-1", Contact(), 2),
            ("qr", None, Contact(email=MAIL.lower()), 1),
            ("qr", None, Contact(email="somebody@else.example"), 1),
        ):
            photos = tuple(clean(picture(60 + number, gps=True)) for number in range(count))
            told = Report(
                source,  # type: ignore[arg-type]
                "It is empty after two days.",
                device_id="lock-1",
                customer_id=customer,
                contact=contact,
                verified=customer is not None,
                complaint="battery",
                photos=photos,
            )
            reporting.report(connection, told, world.now)


def archive(world: World) -> zipfile.ZipFile:
    store = open_store("duckdb://")
    target = io.BytesIO()
    try:
        export(world.database, store, "c-1", target, actor="ann", now=world.now)
    finally:
        store.close()
    return zipfile.ZipFile(target)


def photos_left(world: World) -> int:
    with world.database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def erase(world: World) -> dict[str, int]:
    with world.database.transaction() as connection:
        return erasure.erase(connection, "c-1", reason="asked for it", by="ann", now=world.now).counts


def test_the_archive_holds_their_photos_and_says_which_report_each_is_of(world: World) -> None:
    sent(world)
    found = archive(world)
    files = sorted(name for name in found.namelist() if name.startswith("photos/"))
    told = [json.loads(line) for line in found.read("photos.jsonl").splitlines()]
    assert [one["file"] for one in told] == files
    assert [one["report_id"] for one in told] == [1, 1, 2]
    assert [Image.open(io.BytesIO(found.read(name))).size for name in files] == [(60, 40), (61, 40), (60, 40)]
    assert b"SECRETPHONE" not in b"".join(found.read(name) for name in files)
    page = found.read("index.html").decode()
    assert all(words in page for words in MEANS["photos.jsonl"])


def test_who_sent_none_has_an_empty_list(world: World) -> None:
    world.home()
    found = archive(world)
    assert found.read("photos.jsonl") == b""
    assert [name for name in found.namelist() if name.startswith("photos/")] == []


def test_forgotten_people_leave_no_photo_and_a_stranger_s_stays(world: World) -> None:
    sent(world)
    assert photos_left(world) == 4
    erase(world)
    assert photos_left(world) == 1
    with world.database.reading() as connection:
        (left,) = report_photos.photos_of(connection, [1, 2, 3]).values()
    assert [one.report_id for one in left] == [3]
    assert [name for name in archive(world).namelist() if name.startswith("photos/")] == []


@pytest.mark.parametrize("thumbnail", [False, True])
def test_the_database_s_file_holds_no_byte_of_an_erased_photo(tmp_path: Path, thumbnail: bool) -> None:
    path = tmp_path / "records.db"
    database = open_database(f"sqlite:///{path}")
    database.upgrade()
    clock = SteppedClock(NOON)
    world = World(database, clock)
    sent(world)
    with database.reading() as connection:
        _, content = report_photos.photo(connection, 2, thumbnail=thumbnail)
    before = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    clock.advance(timedelta(hours=1))
    erase(world)
    erasures.sweep(database)
    database.close()
    kept = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert (content in before, content in kept) == (True, False)
