"""The two stores, as the doctor sees them, on every address they may have."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.addresses import masked
from hearthwatch.errors import Unavailable
from hearthwatch.records import access
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.revisions import known, standing_at
from hearthwatch.records.tables import audit, devices
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.run.doctor_influxdb import check_influxdb
from hearthwatch.run.running import ask_running
from hearthwatch.run.up import is_loopback
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store

LEAST_FREE_BYTES = 1 << 30
LEAST_FREE_SHARE = 0.05
BACKUP_DAYS = 7
BACKUP, RESTORE = "backup.create", "backup.restore"

_HELD = re.compile(r"another process \(PID (\d+)\)")
_MIGRATE = "run: hearthwatch db upgrade"


def check_space(name: str, folder: Path) -> Check:
    """Whether a folder's disk has room left."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    usage = shutil.disk_usage(there)
    says = f"{usage.free / (1 << 30):.1f} GiB free ({usage.free / usage.total:.0%}) for {folder}"
    if usage.free < LEAST_FREE_BYTES or usage.free < LEAST_FREE_SHARE * usage.total:
        return unfit(
            name, says, "free at least 1 GiB and 5 % of the disk, keep fewer raw_days, or set data_dir to another disk"
        )
    return well(name, says)


def check_telemetry(settings: Settings) -> Iterator[Check]:
    """Everything about the telemetry store. Raises `Unavailable` or `Invalid` when it cannot be opened."""
    address = settings.telemetry_address
    if not address.startswith("duckdb:"):
        yield from check_influxdb(settings)
        return
    path = Path(address.removeprefix("duckdb:///"))
    yield from _own_disk("telemetry.disk", path.parent, settings)
    if not path.exists():
        yield advice("telemetry", f"{path} is not there yet", "hearthwatch up makes it at its first start")
        return
    try:
        store = open_store(address)
    except Unavailable as busy:
        held = _HELD.search(str(busy))
        if held is None:
            raise
        yield ask_running(settings, int(held.group(1)))
        return
    try:
        yield well("telemetry", f"{path}: {len(store.metrics())} metrics, {path.stat().st_size / (1 << 20):.0f} MiB")
    finally:
        store.close()


def check_records(settings: Settings) -> Iterator[Check]:
    """Everything about the records. Raises `Unavailable` or `Invalid` when they cannot be opened."""
    address = settings.records_address
    embedded = address.startswith("sqlite:")
    if embedded:
        path = Path(address.partition("?")[0].removeprefix("sqlite:///"))
        yield from _own_disk("records.disk", path.parent, settings)
        if not path.exists():  # opening would make it
            yield advice("records", f"{path} is not there yet", "hearthwatch up makes it at its first start")
            return
    database = open_database(address)
    try:
        with database.reading() as connection:
            yield _sqlite(connection, address) if embedded else _server(connection, address)
            if not embedded:
                yield _connections(connection, database)
        yield _schema(database)
        if database.schema_is_current():
            with database.reading() as connection:
                yield from _accounts(connection, settings)
                yield _backups(connection, embedded=embedded, now=datetime.now(UTC))
    finally:
        database.close()


def _own_disk(name: str, folder: Path, settings: Settings) -> Iterator[Check]:
    if folder.absolute() != settings.data_dir.absolute():
        yield check_space(name, folder)


def postgresql_time(address: str) -> datetime:
    """The server's own time. Raises `Unavailable`."""
    database = open_database(address)
    try:
        with database.reading() as connection:
            told: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            return told
    finally:
        database.close()


def _sqlite(connection: Connection, address: str) -> Check:
    broken = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if broken != "ok":
        return unfit("records", f"{masked(address)} is damaged: {broken}", "restore a backup: hearthwatch restore FILE")
    return well("records", f"{masked(address)} is whole; SQLite {sqlite3.sqlite_version}")


def _server(connection: Connection, address: str) -> Check:
    version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    # How much room its disk has left, a server does not tell its clients.
    return well("records", f"{masked(address)} answers: PostgreSQL {version}, {size / (1 << 20):.0f} MiB")


def _connections(connection: Connection, database: Database) -> Check:
    allowed, reserved = (
        int(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
        for name in ("max_connections", "superuser_reserved_connections")
    )
    used = int(
        connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL").scalar_one()
    )
    ours = _most_connections(database)
    says = f"{used} of {allowed} connections are in use; each of our processes takes at most {ours}"
    if allowed - reserved - used < ours:
        return unfit(
            "records.connections",
            says,
            f"raise max_connections to at least {used + ours + reserved}, or end other clients",
        )
    return well("records.connections", says)


def _most_connections(database: Database) -> int:
    pool = database.engine.pool
    size = pool.size() if isinstance(pool, sa.QueuePool) else 1
    leases = 2
    return size + max(getattr(pool, "_max_overflow", 0), 0) + leases


def _schema(database: Database) -> Check:
    if database.schema_is_current():
        return well("records.schema", "every migration is applied")
    with database.reading() as connection:
        revision = standing_at(connection)
    if revision is not None and revision not in known():
        return unfit(
            "records.schema", f"schema {revision} was made by a later version", "update Hearthwatch on this machine"
        )
    return unfit("records.schema", "the schema is not this version's", f"{_MIGRATE} (after a backup)")


def _accounts(connection: Connection, settings: Settings) -> Iterator[Check]:
    if access.any_account(connection):
        yield well("accounts", "people have to sign in")
    elif is_loopback(settings.host):
        yield advice(
            "accounts",
            "there is no account: whoever sits at this machine may do everything",
            "run: hearthwatch user create NAME --role admin",
        )
    else:
        yield unfit(
            "accounts",
            "no account, but the pages are open to others",
            "run: hearthwatch user create NAME --role admin",
        )


def _backups(connection: Connection, *, embedded: bool, now: datetime) -> Check:
    newest = _newest_backup(connection)
    began: datetime | None = connection.execute(sa.select(sa.func.min(devices.c.first_seen))).scalar_one()
    says = f"the newest backup is {(now - newest).days} days old" if newest else "there is no backup yet"
    if newest is not None and (now - newest).days < BACKUP_DAYS:
        return well("backups", says)
    remedy = "run hearthwatch backup FILE every day (docs/operations.md)"
    if embedded and began is not None and (now - began).days >= BACKUP_DAYS:
        return unfit("backups", says, remedy)
    return advice("backups", says, remedy if embedded else f"{remedy}, unless the server is backed up by its own tools")


def _newest_backup(connection: Connection) -> datetime | None:
    """When the newest backup was made that these records know of: one of theirs, or the one they came from."""
    made: datetime | None = connection.execute(
        sa.select(sa.func.max(audit.c.at)).where(audit.c.action == BACKUP)
    ).scalar_one()
    restored = sa.select(audit.c.detail).where(audit.c.action == RESTORE).order_by(audit.c.id.desc()).limit(1)
    detail = connection.execute(restored).scalar_one_or_none()
    came_from = datetime.fromisoformat(detail["created_at"]) if detail else None
    return max((one for one in (made, came_from) if one is not None), default=None)
