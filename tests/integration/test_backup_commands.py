"""Backup and restore as commands, against a platform that runs, killed in the middle, and on a disk that is full."""

from __future__ import annotations

import json
import re
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from hearthwatch.records import access
from hearthwatch.records.database import open_database
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from tests.integration.test_backup import image, installation, write_telemetry
from tests.integration.test_upgrade import NOW, environment, hearthwatch, started, use
from tests.unit.run.test_metrics import documented

SMALL = 96 * 1024


def installed(folder: Path) -> Settings:
    """An embedded installation after its first days, made by the platform's own functions."""
    made = installation(folder)
    with closing(open_database(made.records_address)) as database:
        database.upgrade()
        use(database)
    write_telemetry(made)
    return made


def environment_of(settings: Settings, **options: str) -> dict[str, str]:
    return environment(settings.data_dir.parent, settings.records_address, **options)


def test_a_running_platform_makes_the_backup_and_another_goes_on_from_it(tmp_path: Path) -> None:
    source = installed(tmp_path / "source")
    with closing(open_database(source.records_address)) as database, database.transaction() as connection:
        token = access.create_token(connection, "backups", "admin", NOW)
        reader = access.create_token(connection, "reader", "viewer", NOW)
    file = tmp_path / "b.zip"
    with started(environment_of(source)) as url:
        known = environment_of(source, HEARTHWATCH_PORT=url.rsplit(":", 1)[1])
        refused = hearthwatch(known, "backup", str(file))
        assert refused.returncode == 3
        assert "token" in refused.stderr
        denied = hearthwatch(known, "backup", str(file), "--token", reader)
        assert denied.returncode == 2
        assert not file.exists()
        made = hearthwatch({**known, "HEARTHWATCH_TOKEN": token}, "backup", str(file), "--json")
        assert made.returncode == 0, made.stderr
        assert token not in made.stdout + made.stderr
        into_its_own_place = hearthwatch(known, "backup", str(source.data_dir / "backups"), "--token", token, "--json")
        assert Path(json.loads(into_its_own_place.stdout)["file"]).parent == source.data_dir / "backups"
        examined = hearthwatch(known, "doctor", "--json")
        checks = {check["name"]: check for check in json.loads(examined.stdout)["checks"]}
        assert "says it is ready" in checks["telemetry"]["says"]
        assert checks["backups"]["level"] == "ok"
    assert json.loads(made.stdout)["file"] == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    target = installation(tmp_path / "target")
    restored = hearthwatch(environment_of(target), "restore", str(file), "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["telemetry"] > 0
    log: list[str] = []
    with started(environment_of(target, HEARTHWATCH_LOG_FORMAT="json"), log) as url:
        shown = httpx.get(f"{url}/metrics", timeout=30).text
        known = environment_of(target, HEARTHWATCH_PORT=url.rsplit(":", 1)[1])
        examined = hearthwatch(known, "doctor", "--json")
        assert examined.returncode == 0, examined.stdout
    with closing(open_store(target.telemetry_address)) as store:
        assert "temperature_c" in store.metrics()
    assert {line["role"] for line in map(json.loads, log) if line["message"] == "ending"} == {"all"}
    families = {name for name in re.findall(r"^# TYPE (\w+) ", shown, re.MULTILINE) if name.startswith("hearthwatch_")}
    families = {name for name in families if not name.endswith("_created")}
    assert families
    assert families <= set(documented())


def test_a_backup_killed_in_the_middle_leaves_no_file_that_looks_whole(tmp_path: Path) -> None:
    source = installed(tmp_path / "source")
    folder = tmp_path / "backups"
    folder.mkdir()
    file = folder / "b.zip"
    with standing_still(source, file, "copy_tables"):
        left = {path.name for path in folder.iterdir()}
        assert len(left) == 2, "a half archive, and a folder for copies"
        # Another backup leaves what this one is working with alone.
        assert hearthwatch(environment_of(source), "backup", str(folder / "other.zip")).returncode == 0
        assert {path.name for path in folder.iterdir()} == {*left, "other.zip"}
    assert {path.name for path in folder.iterdir()} == {*left, "other.zip"}
    assert all(name.startswith(".") for name in left)
    assert hearthwatch(environment_of(source), "backup", str(file)).returncode == 0
    assert {path.name for path in folder.iterdir()} == {"b.zip", "other.zip"}
    target = installation(tmp_path / "target")
    assert hearthwatch(environment_of(target), "restore", str(file)).returncode == 0


@contextmanager
def standing_still(source: Settings, file: Path, inside: str) -> Iterator[None]:
    """A backup that stands still where it calls a function; in the end it is killed."""
    code = (
        "import sys, time\n"
        "from contextlib import closing\n"
        "from pathlib import Path\n"
        "from hearthwatch.records.database import open_database\n"
        "from hearthwatch.run import backup\n"
        "from hearthwatch.settings import load_settings\n"
        f"backup.{inside} = lambda *_: print('inside', flush=True) or time.sleep(600)\n"
        "settings, now = load_settings(), backup.SystemClock().now()\n"
        # Without the telemetry's lock, which would send the other backup to a platform that does not run.
        "with closing(open_database(settings.records_address)) as database:\n"
        "    backup.create(settings, Path(sys.argv[1]), database, object(), now, actor='x', with_secret_key=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(file)], env=environment_of(source), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"inside\n"
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def limited(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, where no file may grow beyond a few pages: as a full disk, but for this process alone."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))

    command = [sys.executable, "-m", "hearthwatch", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit
    )


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_full_disk_is_said_in_one_line_and_nothing_half_stays(tmp_path: Path, command: str) -> None:
    source = installed(tmp_path / "source")
    file = tmp_path / "b.zip"
    if command == "restore":
        assert hearthwatch(environment_of(source), "backup", str(file)).returncode == 0
        target = installation(tmp_path / "target")
        arguments = ("restore", str(file))
    else:
        target = source
        arguments = ("backup", str(file))
    target.data_dir.mkdir(exist_ok=True)
    before = image(target.data_dir), sorted(tmp_path.iterdir())
    failed = limited(environment_of(target), *arguments)
    assert failed.returncode == 3, failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert (image(target.data_dir), sorted(tmp_path.iterdir())) == before
    assert [path for path in target.data_dir.iterdir() if path.name.startswith(".")] == []
