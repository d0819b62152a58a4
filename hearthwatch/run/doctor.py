"""``hearthwatch doctor``: is this installation fit to run, and what to do where it is not."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hearthwatch.errors import HearthwatchError
from hearthwatch.records import access
from hearthwatch.records.database import open_database
from hearthwatch.run.up import is_loopback, masked
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store

LEAST_FREE_BYTES = 1 << 30
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)  # no earlier clock can be right: this code is younger


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, whether it is well, what it says, and what to do (empty when well)."""

    name: str
    ok: bool
    says: str
    remedy: str = ""


def examine(settings: Settings) -> dict[str, Any]:
    """Run every check; none of them changes anything but creating the data folder."""
    checks = list(_checks(settings))
    return {"ok": all(check.ok for check in checks), "checks": [asdict(check) for check in checks]}


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check("settings", ok=True, says="all options are valid")
    yield _guarded("disk", lambda: _disk(settings.data_dir))
    yield _guarded("records", lambda: _records(settings))
    yield _guarded("telemetry", lambda: _telemetry(settings))
    yield _guarded("broker", lambda: _broker(settings.broker))
    yield _clock()


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except HearthwatchError as error:
        return Check(
            name, ok=False, says=str(error), remedy="see the message; if the platform is running, this is expected"
        )
    except OSError as error:
        return Check(name, ok=False, says=str(error), remedy="check that the path exists and may be written")


def _disk(folder: Path) -> Check:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    says = f"{free / (1 << 30):.1f} GiB free in {folder}"
    if free < LEAST_FREE_BYTES:
        return Check("disk", ok=False, says=says, remedy="free at least 1 GiB, or set data_dir to another disk")
    return Check("disk", ok=True, says=says)


def _records(settings: Settings) -> Check:
    database = open_database(settings.records_address)
    try:
        place = masked(settings.records_address)
        if not database.schema_is_current():
            return Check("records", ok=False, says=f"{place}: schema not current", remedy="run: hearthwatch db upgrade")
        with database.reading() as connection:
            accounts = access.any_account(connection)
        if not accounts and not is_loopback(settings.host):
            remedy = "run: hearthwatch user create NAME --role admin"
            return Check("records", ok=False, says="no account, but the pages are open to others", remedy=remedy)
        return Check("records", ok=True, says=f"{place}: schema current")
    finally:
        database.close()


def _telemetry(settings: Settings) -> Check:
    store = open_store(settings.telemetry_address)
    try:
        return Check("telemetry", ok=True, says=f"{masked(settings.telemetry_address)}: {len(store.metrics())} metrics")
    finally:
        store.close()


def _broker(address: str) -> Check:
    parts = urlsplit(address)
    if parts.scheme == "local":
        return Check("broker", ok=True, says="in this process")
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=3):
            return Check("broker", ok=True, says=f"{masked(address)} answers")
    except OSError as error:
        remedy = "start the broker (make services installs Mosquitto), or set broker to its address"
        return Check("broker", ok=False, says=f"{masked(address)}: {error}", remedy=remedy)


def _clock() -> Check:
    now = datetime.now(UTC)
    if now < NOT_BEFORE:
        return Check("clock", ok=False, says=f"it says {now:%Y-%m-%d}", remedy="set the machine's clock (NTP)")
    return Check("clock", ok=True, says=f"{now:%Y-%m-%d %H:%M:%S} UTC")
