"""A backup restores to the row, whichever databases are at its two ends; and whatever goes wrong, the target stays as it was."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Missing, Unavailable
from hearthwatch.records import audit, brakes, findings, policies
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.leases import lease
from hearthwatch.run import backup as backups
from hearthwatch.run.backup import run_backup
from hearthwatch.run.restore import run_restore
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from hearthwatch.values import Event, Observation, Presence, Reading
from tests.integration.test_doctor import holding
from tests.records_rows import ROWS, Row, all_rows, fill

START = datetime(2026, 5, 1, tzinfo=UTC)
END = START + timedelta(days=3)
BACKUP_WRITES = frozenset({"audit"})
"""A backup notes in the source that it was made, after its archive was written."""
PAUSING_WRITES = frozenset({"audit", "brakes"})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once and copied: an embedded installation with rows in every table and telemetry, another with telemetry alone, an archive."""
    folder = tmp_path_factory.mktemp("prepared")
    source, bare = installation(folder / "source"), installation(folder / "bare")
    with opened(bare) as database:
        database.upgrade()
    shutil.copytree(bare.data_dir, source.data_dir)
    with opened(source) as database:
        fill(database)
    write_telemetry(source)
    (source.data_dir / "secret.key").write_text("the key that signs links\n")
    shutil.copy(source.data_dir / "telemetry.duckdb", bare.data_dir / "telemetry.duckdb")
    copied = installation(folder / "copied")
    shutil.copytree(source.data_dir, copied.data_dir)
    run_backup(copied, folder / "archive.zip", token=None, with_secret_key=True)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, prepared: Path, tmp_path: Path) -> Settings:
    """An installation with rows in every table, and telemetry."""
    made = installation(tmp_path / "source", address_of(request, "postgresql"))
    shutil.copytree(prepared / "source" / "var", made.data_dir)
    if made.records:
        (made.data_dir / "records.sqlite3").unlink()
        with opened(made) as database:
            fill(database)
    return made


@pytest.fixture(params=["to sqlite", "to postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An installation that has never run."""
    return installation(tmp_path / "target", address_of(request, "postgresql_too"))


@pytest.fixture
def postgresql_too(request: pytest.FixtureRequest, postgres: Any) -> Iterator[str]:
    """A second migrated database of PostgreSQL."""
    postgres.run("CREATE DATABASE test_backup_target TEMPLATE migrated STRATEGY file_copy")
    yield postgres.address("test_backup_target")
    postgres.run("DROP DATABASE test_backup_target WITH (FORCE)")


@pytest.fixture
def archive(prepared: Path, tmp_path: Path) -> Path:
    """A backup of a small embedded installation."""
    return Path(shutil.copy(prepared / "archive.zip", tmp_path / "archive.zip"))


@pytest.fixture
def embedded(prepared: Path, tmp_path: Path) -> Settings:
    """An embedded installation with rows in every table, and telemetry."""
    made = installation(tmp_path / "embedded")
    shutil.copytree(prepared / "source" / "var", made.data_dir)
    return made


@pytest.fixture
def bare(prepared: Path, tmp_path: Path) -> Settings:
    """An embedded installation with telemetry and nothing in its records."""
    made = installation(tmp_path / "bare")
    shutil.copytree(prepared / "bare" / "var", made.data_dir)
    return made


def address_of(request: pytest.FixtureRequest, fixture: str) -> str:
    return str(request.getfixturevalue(fixture)) if request.param.endswith("postgresql") else ""


def installation(folder: Path, records: str = "") -> Settings:
    folder.mkdir()
    return Settings(data_dir=folder / "var", records=records, broker="local://backup")


def write_telemetry(settings: Settings) -> None:
    with closing(open_store(settings.telemetry_address)) as store:
        hours = [START + timedelta(hours=n) for n in range(48)]
        metrics = [f"metric_{n}" for n in range(70)]  # more than get a column
        store.write(
            [Reading("a-1", "native", at, {"temperature_c": 20 + n / 7}, "1.0", "b", n) for n, at in enumerate(hours)]
        )
        store.write([Reading("b-2", "tasmota/SENSOR", at, dict.fromkeys(metrics, 1.5), None) for at in hours[:5]])
        store.write([Reading("c-3", "native", START, {"rssi_dbm": -60}, "2.0", "b", 7, clockless=True)])
        store.write([Event("a-1", "native", START, "reboot", "watchdog", {"why": ["ü", None]}, "1.0", "b", 1)])
        store.write([Presence("a-1", "native", START, True, "b", "1.0"), Presence("a-1", "native", END, False, "b")])
        store.rollup(END)


def answers(settings: Settings) -> list[Any]:
    """Everything the telemetry store answers."""
    with closing(open_store(settings.telemetry_address)) as store:
        tables = [
            store.hourly(START, END), store.daily(START, END), store.exposure(START, END), store.events(START, END),
            store.presence(START, END + timedelta(1)), *(store.window(one, START, END) for one in ("a-1", "b-2", "c-3")),
        ]  # fmt: skip
        rows = [sorted((tuple(row.values()) for row in table.to_pylist()), key=repr) for table in tables]
        assert all(rows)
        return [*rows, store.metrics(), store.latest(["a-1", "b-2", "c-3"])]


def records(settings: Settings, without: frozenset[str] = BACKUP_WRITES) -> dict[str, list[Row]]:
    with opened(settings) as database:
        return all_rows(database, without)


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    with closing(open_database(settings.records_address)) as database:
        yield database


def image(folder: Path) -> dict[str, bytes]:
    """Every file of an installation, but for the empty ones that locks lie on."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


# -- to the row


def test_every_row_and_every_answer_comes_back(source: Settings, target: Settings, tmp_path: Path) -> None:
    before = records(source), answers(source)
    made = run_backup(source, tmp_path, token=None, with_secret_key=True)
    assert stat.S_IMODE(Path(made["file"]).stat().st_mode) == 0o600
    restored = run_restore(target, Path(made["file"]), force=False, keep_sending=True)
    assert restored["records"] == made["records"] == ROWS * len(records(source, frozenset()))
    assert restored["telemetry"] == made["telemetry"] > 0
    assert records(target) == before[0] == records(source)
    assert answers(target) == before[1]
    assert (target.data_dir / "secret.key").read_text() == "the key that signs links\n"
    assert stat.S_IMODE((target.data_dir / "secret.key").stat().st_mode) == 0o600
    # What was restored can be backed up as well as what it was made from.
    run_backup(target, tmp_path / "again.zip", token=None, with_secret_key=True)
    first, second = (
        json.loads(zipfile.ZipFile(name).read("manifest.json")) for name in (made["file"], tmp_path / "again.zip")
    )
    for told in (first, second):
        del told["records"]["tables"]["audit"]  # that it was restored stands there
    assert first["records"]["tables"] == second["records"]["tables"]
    assert {name: one["rows"] for name, one in first["telemetry"]["tables"].items()} == {
        name: one["rows"] for name, one in second["telemetry"]["tables"].items()
    }
    numbers_go_on(target, ROWS + 5 if source.records and target.records else ROWS)


def numbers_go_on(target: Settings, highest: int) -> None:
    """A number that was given out before is not given out again."""
    observation = Observation(
        kind="anomaly",
        subject_type="device",
        subject="z-9",
        mode="overheating",
        severity="warning",
        at=START,
        evidence={},
    )
    with opened(target) as database, database.transaction() as connection:
        assert findings.observe(connection, observation, relapse=timedelta(days=7)).id == highest + 1
        assert (
            policies.add(connection, name="x", text="x = 1", digest="d", actor="ada", now=START).version == highest + 1
        )


def test_force_replaces_everything(archive: Path, embedded: Settings, target: Settings) -> None:
    source, file = embedded, archive
    run_restore(target, file, force=False)
    with opened(target) as database, database.transaction() as connection:
        audit.note(connection, at=START, actor="ada", action="x", object="device:1")
    with pytest.raises(Conflict, match="--force"):
        run_restore(target, file, force=False)
    run_restore(target, file, force=True, keep_sending=True)
    assert records(target) == records(source)
    assert len(records(target, frozenset())["audit"]) == ROWS + 1  # and that it was restored


def test_nothing_is_sent_after_a_restore_until_a_person_says_so(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    made = run_backup(source, tmp_path, token=None, with_secret_key=True)
    answer = run_restore(target, Path(made["file"]), force=False)
    assert "outbox resume" in answer["sending"]
    with opened(target) as database, database.reading() as connection:
        paused, why = brakes.is_paused(connection)
    assert paused
    assert "restored" in why["reason"]
    assert records(target, PAUSING_WRITES) == records(source, PAUSING_WRITES)


def test_an_archive_of_an_older_schema_is_brought_up_to_date(target: Settings, tmp_path: Path) -> None:
    old = installation(tmp_path / "old")
    with opened(old) as database:
        database.upgrade("0001")
        fill(database)
    made = run_backup(old, tmp_path / "old.zip", token=None, with_secret_key=True)
    assert made["revision"] == "0001"
    run_restore(target, tmp_path / "old.zip", force=False, keep_sending=True)
    with opened(old) as database:
        database.upgrade()
    assert records(target) == records(old)
    with opened(target) as database:
        assert database.schema_is_current()


# -- what goes along


def test_the_key_stays_behind_when_told_so(tmp_path: Path, embedded: Settings) -> None:
    source = embedded
    made = run_backup(source, tmp_path / "b.zip", token=None, with_secret_key=False)
    assert not made["secret_key"]
    assert b"the key that signs links" not in (tmp_path / "b.zip").read_bytes()
    assert "secret.key" not in zipfile.ZipFile(tmp_path / "b.zip").namelist()


def test_the_newest_backup_is_known_afterwards(tmp_path: Path, embedded: Settings) -> None:
    source = embedded
    run_backup(source, tmp_path / "b.zip", token=None, with_secret_key=True)
    with opened(source) as database, database.reading() as connection:
        newest = audit.list_entries(connection, limit=1)[0]
    assert (newest.action, newest.object) == ("backup.create", "backup:b.zip")


def test_without_records_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    empty = installation(tmp_path / "empty")
    with pytest.raises(Conflict):
        run_backup(empty, tmp_path / "b.zip", token=None, with_secret_key=True)
    assert not (tmp_path / "b.zip").exists()
    assert not empty.data_dir.exists()


def test_telemetry_of_influxdb_is_left_to_its_own_tool(tmp_path: Path, archive: Path) -> None:
    records_only = embedded_source_with_influxdb(tmp_path)
    made = run_backup(records_only, tmp_path / "b.zip", token=None, with_secret_key=True)
    assert "influx backup" in made["left_out"]
    target = installation(tmp_path / "target")
    assert run_restore(target, tmp_path / "b.zip", force=False)["telemetry"] == 0
    with pytest.raises(Invalid, match="--without-telemetry"):
        run_restore(records_only, archive, force=True)
    assert run_restore(records_only, archive, force=True, with_telemetry=False)["records"] > 0


def embedded_source_with_influxdb(tmp_path: Path) -> Settings:
    made = Settings(
        data_dir=tmp_path / "influx", telemetry="influxdb://127.0.0.1:9/o/b?token=t", broker="local://backup"
    )
    with opened(made) as database:
        database.upgrade()
    return made


# -- what goes wrong


def test_an_interrupted_backup_leaves_nothing(
    tmp_path: Path, embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = embedded
    before = sorted(tmp_path.rglob("*"))

    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(backups, "copy_tables", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_backup(source, tmp_path / "b.zip", token=None, with_secret_key=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_backup_overwrites_an_older_one_and_nothing_else(tmp_path: Path, archive: Path, embedded: Settings) -> None:
    source = embedded
    run_backup(source, archive, token=None, with_secret_key=True)
    other = tmp_path / "letter.txt"
    other.write_text("dear Ada")
    for wrong in (other, source.data_dir / "records.sqlite3"):
        held = wrong.read_bytes()
        with pytest.raises(Invalid, match="another name"):
            run_backup(source, wrong, token=None, with_secret_key=True)
        assert wrong.read_bytes() == held
    with pytest.raises(Missing):
        run_backup(source, tmp_path / "no" / "such.zip", token=None, with_secret_key=True)


Damage = Callable[[Path], object]


def cut(share: float) -> Damage:
    def damage(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return damage


def flipped(member: str) -> Damage:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as file:
            info = file.getinfo(member)
        whole = bytearray(path.read_bytes())
        whole[info.header_offset + 30 + len(member) + 20 + info.compress_size // 2] ^= 0x40
        path.write_bytes(whole)

    return damage


def changed(member: str, change: Callable[[bytes], bytes | None]) -> Damage:
    """Writes a whole zip anew, with one member changed or left out."""

    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as file:
            members = {name: file.read(name) for name in file.namelist()}
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                kept = change(content) if name == member else content
                if kept is not None:
                    file.writestr(name, kept)

    return damage


def manifest(change: Callable[[dict[str, Any]], None]) -> Damage:
    def rewritten(content: bytes) -> bytes:
        told = json.loads(content)
        change(told)
        return json.dumps(told).encode()

    return changed("manifest.json", rewritten)


def encrypt(path: Path) -> None:
    """Set the bit of a zip that says its members are encrypted (APPNOTE.TXT 4.4.4, bit 0), in both places each member is told of."""
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        starts, directory = [info.header_offset for info in file.infolist()], file.start_dir
    for start in starts:
        whole[start + 6] |= 1
    for _ in starts:
        assert whole[directory : directory + 4] == b"PK\x01\x02"
        whole[directory + 8] |= 1
        directory += 46 + sum(
            int.from_bytes(whole[directory + at : directory + at + 2], "little") for at in (28, 30, 32)
        )
    path.write_bytes(whole)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty": (lambda path: path.write_bytes(b""), "not a whole backup"),
    "no zip": (lambda path: path.write_text("dear Ada"), "not a whole backup"),
    "cut near the end": (cut(0.999), "not a whole backup"),
    "cut in the middle": (cut(0.5), "not a whole backup"),
    "a flipped bit in a table": (flipped("records/devices.jsonl"), "damaged"),
    "a flipped bit in the telemetry": (flipped("telemetry/hourly.parquet"), "damaged"),
    "a changed table": (changed("records/devices.jsonl", lambda was: was.replace(b"1 ", b"9 ", 1)), "changed or damaged"),
    "a missing table": (changed("records/devices.jsonl", lambda _: None), "lacks records/devices.jsonl"),
    "no manifest": (changed("manifest.json", lambda _: None), "no backup of Hearthwatch"),
    "no JSON": (changed("manifest.json", lambda _: b"{"), "no backup of Hearthwatch"),
    "another kind": (manifest(lambda told: told.update(kind="x")), "no backup of Hearthwatch"),
    "no numbering": (manifest(lambda told: told["records"].pop("next_ids")), "no backup of Hearthwatch"),
    "no time": (manifest(lambda told: told.pop("created_at")), "no backup of Hearthwatch"),
    "a time that is none": (manifest(lambda told: told.update(created_at="yesterday")), "no backup of Hearthwatch"),
    "no telemetry told": (manifest(lambda told: told.update(telemetry=None)), "no backup of Hearthwatch"),
    "tables that are none": (manifest(lambda told: told["records"].update(tables=["devices"])), "no backup of Hearthwatch"),
    "encrypted": (encrypt, "encrypted"),
    "a newer format": (manifest(lambda told: told.update(format=99)), "update first"),
    "a newer schema": (manifest(lambda told: told["records"].update(revision="9999")), "update Hearthwatch first"),
    "a table too few": (manifest(lambda told: told["records"]["tables"].pop("outbox")), "outbox"),
    "rows too few": (manifest(lambda told: told["records"]["tables"]["devices"].update(rows=3)), "manifest says otherwise"),
    "telemetry rows too few": (manifest(lambda told: told["telemetry"]["tables"]["hours"].update(rows=3)), "other than 3 rows"),
    "SQL for a type": (
        manifest(lambda told: told["telemetry"]["tables"]["hours"]["columns"].update(hour="INT); DROP TABLE names")),
        "not a type",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused_and_the_target_stays_as_it_was(
    archive: Path, bare: Settings, damage: str
) -> None:
    target = bare
    before = image(target.data_dir)
    spoil, says = DAMAGES[damage]
    spoil(archive)
    with pytest.raises(Invalid, match=says):
        run_restore(target, archive, force=True)
    assert image(target.data_dir) == before
    assert [path for path in target.data_dir.iterdir() if path.name.startswith(".")] == []


def test_rows_that_contradict_each_other_are_refused_as_a_whole(
    tmp_path: Path, archive: Path, target: Settings
) -> None:
    dangling: Damage = changed(
        "records/finding_events.jsonl", lambda was: was.replace(b'"finding_id":1', b'"finding_id":77', 1)
    )
    dangling(archive)
    with zipfile.ZipFile(archive) as file:
        digest = hashlib.sha256(file.read("records/finding_events.jsonl")).hexdigest()
    manifest(lambda told: told["records"]["tables"]["finding_events"].update(sha256=digest))(archive)
    with opened(target) as database:
        database.upgrade()
    before = records(target, frozenset())
    with pytest.raises(Invalid, match="contradict"):
        run_restore(target, archive, force=False)
    assert records(target, frozenset()) == before


def test_a_target_that_holds_anything_is_refused(archive: Path, target: Settings) -> None:
    with opened(target) as database:
        database.upgrade()
        with database.transaction() as connection:
            connection.execute(sa.text("INSERT INTO homes (id, timezone, revision) VALUES ('h', 'UTC', 1)"))
    before = records(target, frozenset())
    with pytest.raises(Conflict, match="--force"):
        run_restore(target, archive, force=False)
    assert records(target, frozenset()) == before
    assert not (target.data_dir / "telemetry.duckdb").exists()


def test_a_target_in_use_is_refused(archive: Path, target: Settings) -> None:
    with opened(target) as database:
        database.upgrade()
        held = lease(database, "scheduler")
        assert held.hold()
        with pytest.raises(Unavailable, match="running"):
            run_restore(target, archive, force=True)
        held.give_up()


def test_a_process_that_reported_itself_a_moment_ago_is_in_the_way(archive: Path, target: Settings) -> None:
    with opened(target) as database:
        database.upgrade()
        now = datetime.now(UTC)
        with database.transaction() as connection:
            processes = sa.Table("processes", sa.MetaData(), autoload_with=connection)
            values: dict[str, Any] = {"id": "p", "role": "ingest", "started_at": now, "seen_at": now, "health": {}}
            connection.execute(
                sa.insert(processes).values(**{name: values[name] for name in values if name in processes.c})
            )
    with pytest.raises(Unavailable, match="within the last minute"):
        run_restore(target, archive, force=True)


# -- what is broken, or of another version


def no_database(path: Path) -> None:
    path.write_bytes(b"garbage" * 5000)


def random_pages(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:12288] + random.Random(1).randbytes(len(whole) - 12288))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("spoil", [no_database, random_pages, cut_off])
def test_damaged_stores_are_replaced_by_force_and_kept_for_a_look(
    archive: Path, embedded: Settings, spoil: Damage
) -> None:
    before = records(embedded), answers(embedded)
    files = [embedded.data_dir / name for name in ("records.sqlite3", "telemetry.duckdb")]
    for file in files:
        spoil(file)
    damaged = image(embedded.data_dir)
    with pytest.raises(HearthwatchError):
        run_restore(embedded, archive, force=False)
    assert image(embedded.data_dir) == damaged
    restored = run_restore(embedded, archive, force=True, keep_sending=True)
    assert (records(embedded), answers(embedded)) == before
    aside = [Path(name) for name in restored["set_aside"]]
    assert sorted(path.read_bytes() for path in aside) == sorted(damaged[file.name] for file in files)


def test_damage_that_lies_deep_in_the_records_is_kept_for_a_look_too(archive: Path, embedded: Settings) -> None:
    file = embedded.data_dir / "records.sqlite3"
    whole = file.read_bytes()
    file.write_bytes(whole[:-4096] + b"\xff" * 4096)
    restored = run_restore(embedded, archive, force=True)
    assert [Path(name).read_bytes()[-4096:] for name in restored["set_aside"]] == [b"\xff" * 4096]


def test_stores_that_are_whole_are_replaced_and_not_kept(archive: Path, embedded: Settings) -> None:
    names = set(image(embedded.data_dir))
    assert run_restore(embedded, archive, force=True)["set_aside"] == []
    assert set(image(embedded.data_dir)) == names


def test_force_brings_the_version_before_an_upgrade_back(archive: Path, target: Settings) -> None:
    run_restore(target, archive, force=False, keep_sending=True)
    before = records(target)
    with opened(target) as database, database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("CREATE TABLE of_later (device TEXT PRIMARY KEY REFERENCES devices (id))")
    with pytest.raises(Conflict, match="--force"):
        run_restore(target, archive, force=False)
    run_restore(target, archive, force=True, keep_sending=True)
    with opened(target) as database:
        assert database.schema_is_current()
        database.upgrade()
    assert records(target) == before


def test_going_back_leaves_alone_what_another_user_has_in_our_database(
    archive: Path, postgresql: str, tmp_path: Path, postgres: Any
) -> None:
    target = installation(tmp_path / "target", postgresql)
    postgres.run("CREATE ROLE somebody_else")
    with opened(target) as database, database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("CREATE TABLE cards (price NUMERIC)")
        connection.exec_driver_sql("INSERT INTO cards VALUES (1.5)")
        connection.exec_driver_sql("ALTER TABLE cards OWNER TO somebody_else")
    try:
        run_restore(target, archive, force=True, with_telemetry=False)
        with opened(target) as database, database.transaction() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM cards").scalar_one() == 1
            connection.exec_driver_sql("DROP TABLE cards")
    finally:
        postgres.run("DROP ROLE somebody_else")


def test_tables_that_are_not_ours_are_neither_backed_up_nor_in_the_way(
    source: Settings, target: Settings, tmp_path: Path
) -> None:
    for settings in (source, target):
        with opened(settings) as database:
            database.upgrade()
            with database.transaction() as connection:
                connection.exec_driver_sql("CREATE TABLE cards (price NUMERIC)")
                connection.exec_driver_sql("INSERT INTO cards VALUES (1.5)")
    made = run_backup(source, tmp_path / "b.zip", token=None, with_secret_key=True)
    assert "records/cards.jsonl" not in zipfile.ZipFile(tmp_path / "b.zip").namelist()
    if not target.records:  # the file goes as a whole, and their table with it
        with pytest.raises(Conflict, match="--force"):
            run_restore(target, tmp_path / "b.zip", force=False)
    restored = run_restore(target, tmp_path / "b.zip", force=not target.records, keep_sending=True)
    assert restored["records"] == made["records"]
    without_cards = BACKUP_WRITES | {"cards"}
    assert records(target, without_cards) == records(source, without_cards)
    if target.records:
        with opened(target) as database, database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM cards").scalar_one() == 1


def test_a_target_whose_telemetry_is_open_elsewhere_is_refused(tmp_path: Path, archive: Path) -> None:
    target = installation(tmp_path / "target")
    with holding(target.data_dir / "telemetry.duckdb"), pytest.raises(HearthwatchError, match="open"):
        run_restore(target, archive, force=True)
    (target.data_dir / "telemetry.duckdb").unlink()
    with closing(open_store(target.telemetry_address)), pytest.raises(HearthwatchError, match="open"):
        run_restore(target, archive, force=True)
    assert not (target.data_dir / "records.sqlite3").exists()
