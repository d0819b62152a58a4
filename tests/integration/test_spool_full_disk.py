"""The disk of the records fills up, for real: everything is acknowledged by way of the spool on another disk, and nothing is damaged."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hearthwatch.clock import SystemClock
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import quarantine
from hearthwatch.records.database import open_database
from hearthwatch.wire.registry import Decoder, conventions
from ingest.ledger import Ledger
from ingest.runner import Limits, Runner
from ingest.spool import Spool, SpoolBounds

MESSAGES = 200
PATIENCE_S = 60.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def wait(done: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def test_records_whose_disk_is_full_take_everything_when_there_is_room_again(
    small_disk: Path, tmp_path: Path, store: TelemetryStore
) -> None:
    database = open_database(f"sqlite:///{small_disk / 'records.sqlite3'}")
    database.upgrade()
    address = f"local://{uuid.uuid4()}"
    spoken = conventions(("native",))
    filters = [topic for convention in spoken for topic in convention.filters]
    limits = Limits(batch_messages=20, batch_seconds=0.05, spool_after_failures=2)
    ledger = Ledger()
    runner = Runner(
        open_subscriber(address, client_id="ingest", filters=filters, session_expiry_s=60, receive_maximum=100),
        Decoder(spoken),
        store,
        database,
        SystemClock(),
        limits,
        ledger,
        spool=Spool(tmp_path / "spool", SpoolBounds(free_share=0.0, free_bytes=0)),
    )
    runner.start()
    publisher = open_publisher(address, client_id="devices")
    ballast = small_disk / "ballast"
    _fill(ballast)
    for number in range(MESSAGES):
        publisher.publish(f"hearthwatch/v1/d{number}/telemetry", f"no json {number} ".encode() + b"x" * 10_000)
    wait(lambda: ledger.messages()["acknowledged"] == MESSAGES, "all is acknowledged")
    health = runner.health()
    assert health["store_away"]
    assert "full" in str(health["last_error"])
    assert health["spool"]["messages"] > 0
    ballast.unlink()
    wait(lambda: ledger.snapshot()["spooled"] == 0, "the spool is empty")
    assert ledger.snapshot()["quarantined"] == MESSAGES
    runner.stop()
    publisher.close()
    with database.reading() as connection:
        assert quarantine.counts(connection) == {"held": MESSAGES}
        assert connection.execute(sa.text("PRAGMA integrity_check")).scalar_one() == "ok"
    database.close()


def _fill(path: Path) -> None:
    """Fill the disk to its last block."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return
