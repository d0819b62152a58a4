"""``hearthwatch backup``: both stores of an installation in one file. See docs/operations.md for what is in it and what is not."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import hearthwatch
from hearthwatch.clock import SystemClock
from hearthwatch.errors import Conflict, HearthwatchError, Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import audit, portable
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.revisions import standing_at
from hearthwatch.run import archive, running
from hearthwatch.run.archive import Writer
from hearthwatch.run.whole_file import mark_as_used, remove_left_behind, told_plainly
from hearthwatch.settings import Settings
from hearthwatch.telemetry.duckdb_copy import copy_tables, schema_version
from hearthwatch.telemetry.duckdb_file import DuckDBFile

ACTION = "backup.create"
FOLDER = "backups"
ROUTE = "/api/v1/backups"
LONGEST_SECONDS = 3600.0
INFLUXDB = (
    "the telemetry lies in InfluxDB, which is backed up by its own tool: influx backup FOLDER (docs/operations.md)"
)
NONE_YET = "there is no telemetry yet"
_NAMES = r"hearthwatch-\d{8}T\d{6}Z\.zip"
_ONE_AT_A_TIME = threading.Lock()


def run_backup(settings: Settings, target: Path, *, token: str | None, with_secret_key: bool) -> dict[str, Any]:
    """Back up this installation into a file, or into a folder under a name of its own; through the API of a platform that is running.

    Raises `Unavailable` when a store is away, the disk is full, or a running platform has to be asked and there is no token for it.
    """
    file = target / name_at(SystemClock().now()) if target.is_dir() else target
    address = settings.telemetry_address
    path = Path(address.removeprefix("duckdb:///"))
    if not address.startswith("duckdb:") or not path.exists():
        return _of_addresses(settings, file, None, with_secret_key=with_secret_key)
    try:
        telemetry = DuckDBFile(str(path))
    except Unavailable as busy:
        if "another process" not in str(busy):
            raise
        return _through_api(settings, file, token)
    with closing(telemetry):
        return _of_addresses(settings, file, telemetry, with_secret_key=with_secret_key)


def backup_of_running(
    settings: Settings, database: Database, store: TelemetryStore, now: datetime, actor: str
) -> Mapping[str, Any]:
    """Back up from inside the platform, into ``data_dir/backups``. Raises `Conflict` while another one is being made."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise Conflict("a backup is being made already")
    try:
        folder = settings.data_dir.absolute() / FOLDER
        with told_plainly(settings.data_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = getattr(store, "file", None)
        telemetry = file if isinstance(file, DuckDBFile) else None
        return create(settings, folder / name_at(now), database, telemetry, now, actor=actor, with_secret_key=True)
    finally:
        _ONE_AT_A_TIME.release()


def name_at(now: datetime) -> str:
    """The name of a backup made at a time: names sort as times do."""
    return f"hearthwatch-{now:%Y%m%dT%H%M%SZ}.zip"


def create(
    settings: Settings,
    target: Path,
    database: Database,
    telemetry: DuckDBFile | None,
    now: datetime,
    *,
    actor: str,
    with_secret_key: bool,
) -> dict[str, Any]:
    """Write an archive, and note in the records that there is one. Raises as `archive.writing`."""
    with archive.writing(target) as (writer, manifest), _folder_beside(target) as folder:
        manifest |= {"version": hearthwatch.__version__, "created_at": now.isoformat()}
        # The records come first: whatever they speak of is in the telemetry that is read after them.
        manifest["records"] = _add_records(writer, database, folder)
        manifest["telemetry"] = _add_telemetry(writer, settings, telemetry, folder)
        manifest["secret_key"] = _add_secret_key(writer, settings) if with_secret_key else None
    answer = _answer(target, manifest)
    with database.transaction() as connection:
        detail = {name: answer[name] for name in ("bytes", "records", "telemetry")}
        audit.note(connection, at=now, actor=actor, action=ACTION, object=f"backup:{target.name}", detail=detail)
    return answer


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A folder for copies that go into the archive. What killed backups left, which nobody encrypts or looks after, is removed."""
    with told_plainly(target.parent):
        left = rf"\.hearthwatch-backup-.+|\.({re.escape(target.name)}|{_NAMES})\.[0-9a-f]{{8}}\.part"
        remove_left_behind(target.parent, re.compile(left))
        folder = Path(tempfile.mkdtemp(prefix=".hearthwatch-backup-", dir=target.parent))
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            mark_as_used(handle)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def _of_addresses(
    settings: Settings, target: Path, telemetry: DuckDBFile | None, *, with_secret_key: bool
) -> dict[str, Any]:
    path = Path(settings.records_address.partition("?")[0].removeprefix("sqlite:///"))
    if settings.records_address.startswith("sqlite:") and not path.exists():
        raise Conflict("there are no records yet; there is nothing to back up", where=str(path))
    with closing(open_database(settings.records_address)) as database:
        now = SystemClock().now()
        return create(settings, target, database, telemetry, now, actor="command line", with_secret_key=with_secret_key)


def _through_api(settings: Settings, target: Path, token: str | None) -> dict[str, Any]:
    answer = running.post(settings, ROUTE, token, LONGEST_SECONDS)
    made = Path(answer["file"])
    try:
        archive.take_over(made, target)
    except HearthwatchError as error:  # not ours to read, or the other disk is full: it is whole where it is
        sys.stderr.write(f"hearthwatch: {error}; the backup stays where it was made\n")
        return answer
    return {**answer, "file": str(target)}


def _add_records(writer: Writer, database: Database, folder: Path) -> dict[str, Any]:
    with portable.consistent(database, folder) as connection:
        revision = standing_at(connection)
        if revision is None:
            raise Conflict("there are no records yet; there is nothing to back up", where="records")
        tables = portable.tables_of(connection)
        members = {
            table.name: writer.add_lines(f"records/{table.name}.jsonl", portable.lines(connection, table)).told()
            for table in tables
        }
        return {
            "revision": revision,
            "database": connection.dialect.name,
            "next_ids": portable.next_ids(connection, tables),
            "tables": members,
        }


def _add_telemetry(writer: Writer, settings: Settings, file: DuckDBFile | None, folder: Path) -> dict[str, Any]:
    if file is None:
        embedded = settings.telemetry_address.startswith("duckdb:")
        return {"tables": None, "left_out": NONE_YET if embedded else INFLUXDB}
    members = {}
    for table in copy_tables(file, folder):
        digest = writer.add_file(f"telemetry/{table.name}.parquet", table.path)
        table.path.unlink()
        members[table.name] = {"rows": table.rows, "sha256": digest, "columns": dict(table.columns)}
    return {"engine": "duckdb", "schema": schema_version(), "tables": members}


def _add_secret_key(writer: Writer, settings: Settings) -> str | None:
    path = settings.data_dir / "secret.key"
    if settings.secret_key.get_secret_value() or not path.exists():
        return None  # a configured key lies where the operator keeps it
    return writer.add_text("secret.key", path.read_text())


def _answer(target: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    telemetry = manifest["telemetry"]
    return {
        "file": str(target),
        "bytes": target.stat().st_size,
        "revision": manifest["records"]["revision"],
        "records": sum(member["rows"] for member in manifest["records"]["tables"].values()),
        "telemetry": sum(member["rows"] for member in (telemetry["tables"] or {}).values()),
        "left_out": telemetry.get("left_out"),
        "secret_key": manifest["secret_key"] is not None,
    }
