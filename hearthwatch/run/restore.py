"""``hearthwatch restore``: what ``hearthwatch backup`` wrote comes back, into SQLite or PostgreSQL alike; all of it or nothing.

Everything is read, checked and built beside the target first. Only then it takes the target's place: a rename for an embedded store, a
commit for PostgreSQL. Files that can not be read any more are not replaced but set aside, for whoever wants to know what happened.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.customers import erasure
from alerts.policy import brakes
from hearthwatch.clock import SystemClock
from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Unavailable
from hearthwatch.records import audit, erasures, migrating, portable
from hearthwatch.records.database import Database, open_database, translated
from hearthwatch.records.erasures import Erasure
from hearthwatch.records.leases import lease
from hearthwatch.records.revisions import known, standing_at
from hearthwatch.records.tables import erasures as erasures_table
from hearthwatch.run import archive
from hearthwatch.run.archive import Reader
from hearthwatch.run.assembly import PLATFORM_LEASE
from hearthwatch.run.schedule import LEASE
from hearthwatch.run.whole_file import sync_folder, told_plainly, whole_file
from hearthwatch.settings import Settings
from hearthwatch.telemetry import duckdb_copy
from hearthwatch.telemetry.duckdb_copy import TableCopy

ALIVE_FOR = timedelta(seconds=60)
ACTOR = "restore"
ACTION = "backup.restore"
_SIDE_FILES = ("-journal", "-wal", "-shm")
_IN_USE = "has it open"
_LOCKED = "database is locked"

Finish = Callable[[], list[Path]]


def run_restore(
    settings: Settings,
    file: Path,
    *,
    force: bool,
    with_telemetry: bool = True,
    keep_sending: bool = False,
    forgotten: Sequence[Erasure] = (),
) -> dict[str, Any]:
    """Bring a backup back; who was erased since it was made is erased again: those of the records it replaces, and ``forgotten``.

    Raises `Invalid` for an archive that is not whole, `Conflict` when the target holds anything and ``force`` is not said, `Unavailable`
    when a store is away, in use or full; the target is then as it was.
    """
    with archive.reading(file) as reader, ExitStack() as undo:
        _check_revision(reader)
        reader.verify()
        telemetry = _Telemetry(settings, reader, undo, force=force) if with_telemetry else None
        records = _restored_records(settings, reader, undo, list(forgotten), force=force, keep_sending=keep_sending)
        with records as finish:
            set_aside = finish()
            if telemetry is not None:
                set_aside += telemetry.finish()
        key = _restore_secret_key(settings, reader)
    return {**_answer(reader, telemetry, key=key, keep_sending=keep_sending), "set_aside": list(map(str, set_aside))}


def _check_revision(reader: Reader) -> None:
    revision = reader.manifest["records"]["revision"]
    if revision not in known():
        made_by = reader.manifest["version"]
        says = f"its schema {revision} (Hearthwatch {made_by}) is newer than this version's: update Hearthwatch first"
        raise Invalid(says, where=str(reader.path))


# -- the telemetry


class _Telemetry:
    """The telemetry of an archive, built beside the target; `finish` puts it into place."""

    def __init__(self, settings: Settings, reader: Reader, undo: ExitStack, *, force: bool) -> None:
        self.rows = 0
        self.target: Path | None = None
        told = reader.manifest["telemetry"]
        address = settings.telemetry_address
        if told.get("tables") is None:
            return
        if not address.startswith("duckdb:"):
            raise Invalid(
                "the archive holds telemetry of an embedded store, and this installation's lies in InfluxDB; "
                "restore the records alone: --without-telemetry",
                where="telemetry",
            )
        target = Path(address.removeprefix("duckdb:///"))
        with told_plainly(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        self._damaged = False
        if target.exists() and not self._is_empty(target, force=force) and not force:
            raise Conflict(f"{target} holds telemetry; say --force to replace it", where="telemetry")
        folder = _folder_beside(target, undo)
        with told_plainly(folder):
            self._new = folder / target.name
            duckdb_copy.build(
                self._new, [_extracted(reader, folder, name, one) for name, one in told["tables"].items()]
            )
        self.rows = sum(one["rows"] for one in told["tables"].values())
        self.target = target

    def _is_empty(self, target: Path, *, force: bool) -> bool:
        try:
            return duckdb_copy.is_empty(target)
        except HearthwatchError as error:
            if not force or _IN_USE in str(error):
                raise
            self._damaged = True
            return False

    def finish(self) -> list[Path]:
        """Take the target's place; returns what of it was set aside."""
        if self.target is None:
            return []
        return _take_place(self._new, self.target, (".wal",), damaged=self._damaged)


def _extracted(reader: Reader, folder: Path, name: str, told: Mapping[str, Any]) -> TableCopy:
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    reader.extract(f"telemetry/{name}.parquet", path)
    return TableCopy(name, told["columns"], told["rows"], path)


# -- the records


@contextmanager
def _restored_records(
    settings: Settings,
    reader: Reader,
    undo: ExitStack,
    forgotten: list[Erasure],
    *,
    force: bool,
    keep_sending: bool,
) -> Iterator[Finish]:
    """The records built and checked; what is given puts them into place."""
    address = settings.records_address
    path = address.partition("?")[0].removeprefix("sqlite:///") if address.startswith("sqlite:") else None
    with closing(open_database(address)) as database, _alone(database):
        if path is None:
            _check_target(database, force=force)
            forgotten += _erasures_of(database)
            with translated(), database.engine.connect() as connection, connection.begin() as transaction:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
                portable.take_down(connection)
                _fill(connection, reader, forgotten, keep_sending=keep_sending)

                def commit() -> list[Path]:
                    transaction.commit()
                    return []

                yield commit
            return
        damaged = False
        if Path(path).exists():  # to open a file would make it
            damaged = force and _is_damaged(database)
            if not damaged:
                _check_target(database, force=force)
                forgotten += _erasures_of(database)
        folder = _folder_beside(Path(path), undo)
        with told_plainly(folder):
            new = folder / "records.sqlite3"
            # It is not waited for the disk at every step, but once, before the file takes its place.
            with closing(open_database(f"sqlite:///{new}?synchronous=off")) as made, made.transaction() as connection:
                _fill(connection, reader, forgotten, keep_sending=keep_sending)
        yield lambda: _take_place(new, Path(path), _SIDE_FILES, damaged=damaged)


def _erasures_of(database: Database) -> list[Erasure]:
    """Who was erased from the records that are about to be replaced."""
    with database.reading() as connection:
        if not sa.inspect(connection).has_table(erasures_table.name):
            return []
        return erasures.list_erasures(connection)


def _fill(connection: Connection, reader: Reader, forgotten: Sequence[Erasure], *, keep_sending: bool) -> None:
    """Make the archive's schema, insert its rows, bring both up to date, and erase whom a later erasure took out."""
    told = reader.manifest["records"]
    migrating.upgrade(connection, told["revision"])
    tables = portable.tables_of(connection)
    names = {table.name for table in tables}
    if names != set(told["tables"]):
        strange = min(names ^ set(told["tables"]))
        raise Invalid(f"its tables are not those of schema {told['revision']}: {strange}", where=str(reader.path))
    try:
        with translated():
            for table in tables:
                rows = portable.insert(connection, table, reader.lines(f"records/{table.name}.jsonl"))
                if rows != told["tables"][table.name]["rows"]:
                    raise Invalid(f"{table.name} has {rows} rows, the manifest says otherwise", where=str(reader.path))
            _check_keys(connection)
    except Conflict as error:
        raise Invalid(f"its rows contradict each other: {error}", where=str(reader.path)) from error
    portable.set_next_ids(connection, tables, told["next_ids"])
    migrating.upgrade(connection)
    made, now = reader.manifest["created_at"], SystemClock().now()
    detail = {"created_at": made, "file": reader.path.name}
    audit.note(connection, at=now, actor=ACTOR, action=ACTION, object=f"backup:{reader.path.name}", detail=detail)
    erasure.erase_again(connection, erasures.remember(connection, forgotten), now, ACTOR)
    if not keep_sending:
        # What waited then may have been sent since: a person looks first.
        brakes.pause(connection, ACTOR, now, f"restored from a backup of {made}; see hearthwatch outbox list")


def _check_keys(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        wrong = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if wrong is not None:
            raise Conflict(f"{wrong[0]} names a row of {wrong[2]} that is not there")


def _check_target(database: Database, *, force: bool) -> None:
    with database.reading() as connection:
        _check_unused(connection, SystemClock().now())
        if not force and standing_at(connection) is not None and not portable.is_empty(connection):
            raise Conflict("the records are not empty; say --force to replace all of them", where="records")


def _is_damaged(database: Database) -> bool:
    """Whether a SQLite file can not be read as a whole. Raises `Unavailable` while somebody writes to it."""
    try:
        with database.reading() as connection:
            return bool(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok")
    except HearthwatchError as error:
        if _LOCKED in str(error):
            raise
        return True


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Hold what a running platform holds. Raises `Unavailable` when one is running."""
    held = [lease(database, name) for name in (PLATFORM_LEASE, LEASE)]
    try:
        taken = [one.hold() for one in held]
        if not all(taken):
            raise Unavailable("a platform is running on these records; end every hearthwatch up first", where="records")
        yield
    finally:
        for one in held:
            one.give_up()


def _check_unused(connection: Connection, now: datetime) -> None:
    """Raise `Unavailable` when a process of a platform reported itself a moment ago."""
    if not sa.inspect(connection).has_table("processes"):
        return
    processes = sa.Table("processes", sa.MetaData(), autoload_with=connection)
    seen = connection.execute(sa.select(sa.func.max(processes.c.seen_at))).scalar_one_or_none()
    if isinstance(seen, datetime):
        seen = seen if seen.tzinfo else seen.replace(tzinfo=now.tzinfo)
        if now - seen < ALIVE_FOR:
            says = "a process of the platform reported itself within the last minute; end every hearthwatch up, and wait a minute"
            raise Unavailable(says, where="records")


# -- places


def _folder_beside(target: Path, undo: ExitStack) -> Path:
    """A folder for what is being built, on the target's disk; removed in the end."""
    with told_plainly(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".hearthwatch-restore-", dir=target.parent))
    undo.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _take_place(new: Path, target: Path, side_files: tuple[str, ...], *, damaged: bool) -> list[Path]:
    """Put a new file in the target's place; returns where the old one went, if it is damaged."""
    with new.open("rb") as file:
        os.fsync(file.fileno())
    aside = target.with_name(f"{target.name}.damaged-{SystemClock().now():%Y%m%dT%H%M%SZ}")
    # A log of the old file would be played into the new one.
    for ending in side_files:
        log = target.with_name(target.name + ending)
        if damaged and log.exists():
            log.replace(aside.with_name(aside.name + ending))
        log.unlink(missing_ok=True)
    if damaged:
        target.replace(aside)
    new.replace(target)
    sync_folder(target.parent)
    return [aside] if damaged else []


def _restore_secret_key(settings: Settings, reader: Reader) -> str:
    if not reader.manifest.get("secret_key"):
        return "not in the archive: sessions and customers' links of the old key end"
    if settings.secret_key.get_secret_value():
        return "the configured one stays"
    path = settings.data_dir / "secret.key"
    with told_plainly(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(reader.text("secret.key").encode())
    return "restored"


def _answer(reader: Reader, telemetry: _Telemetry | None, *, key: str, keep_sending: bool) -> dict[str, Any]:
    told = reader.manifest
    return {
        "file": str(reader.path),
        "created_at": told["created_at"],
        "revision": told["records"]["revision"],
        "records": sum(member["rows"] for member in told["records"]["tables"].values()),
        "telemetry": telemetry.rows if telemetry is not None else 0,
        "left_out": told["telemetry"].get("left_out") if telemetry is not None else "the telemetry, as you said",
        "secret_key": key,
        "sending": "as it was"
        if keep_sending
        else "paused; look at hearthwatch outbox list, then: hearthwatch outbox resume",
    }
