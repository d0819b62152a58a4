"""What a DuckDB file promises beyond the contract: one process, whole batches, errors in our words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading, WriteResult

START = datetime(2026, 5, 1, tzinfo=UTC)
BATCH = 50

CHILD = """
    import sys
    from datetime import UTC, datetime, timedelta
    from hearthwatch.telemetry import open_store
    from hearthwatch.values import Reading

    store = open_store(sys.argv[1])
    start = datetime(2026, 5, 1, tzinfo=UTC)
    print("open", flush=True)
    for batch in range(int(sys.argv[2]), 1_000_000):
        at = start + timedelta(minutes=batch)
        store.write(
            [Reading(f"d{n}", "native", at, {f"m{batch % 90}": 1.0, "x": 2.0}, firmware=f"fw{batch}") for n in range(50)]
        )
        if batch % 7 == 6:
            store.rollup(at)
        print(batch, flush=True)
"""


FULL_DISK = """
    import resource, sys
    from datetime import UTC, datetime, timedelta
    from hearthwatch.errors import Unavailable
    from hearthwatch.telemetry import open_store
    from hearthwatch.values import Reading

    def room(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def batch(minute):
        at = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=minute)
        return [Reading(f"d{n}", "native", at, {"x": n / 7 + minute, "y": n * minute / 3}) for n in range(500)]

    store = open_store(sys.argv[1])
    stored = [minute for minute in range(40) if store.write(batch(minute)).stored]
    store.close()
    store = open_store(sys.argv[1])
    room(200_000)
    refused = 0
    for minute in range(100, 140):
        try:
            store.write(batch(minute))
            stored.append(minute)
        except Unavailable:
            refused += 1
    assert refused > 20, refused
    try:
        with store._file.writing() as cursor:
            cursor.commit()
            cursor.execute("CHECKPOINT")
        raise AssertionError("there was room")
    except Unavailable:
        pass
    assert store.latest(["d3"])
    room(resource.RLIM_INFINITY)
    stored += [minute for minute in range(200, 210) if store.write(batch(minute)).stored]
    assert store.write(batch(0)).duplicate == 500
    store.close()
    print(*stored)
"""


def address(path: Path) -> str:
    """The store's address in a folder."""
    return f"duckdb:///{path / 'telemetry.duckdb'}"


def child(where: str, first: int = 0) -> subprocess.Popen[str]:
    """A process that writes batch after batch and says each number once it is stored."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), where, str(first)], stdout=subprocess.PIPE, text=True
    )


def killed_after(process: subprocess.Popen[str], batches: int) -> int:
    """Kill a writer without warning some batches later; returns the last batch it called stored."""
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    lines = [process.stdout.readline() for _ in range(batches)]
    os.kill(process.pid, signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return max(int(line) for line in lines if line.endswith("\n"))


@pytest.mark.parametrize(
    "wrong", ["influx://x", "telemetry.duckdb", "duckdb:telemetry", "duckdb://host/path.duckdb", "", "://"]
)
def test_an_address_nobody_speaks_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid, match="telemetry"):
        open_store(wrong)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    path.write_bytes(b"these are my notes, keep them" * 500)
    with pytest.raises(Invalid, match=r"telemetry\.duckdb"):
        open_store(address(tmp_path))
    assert path.read_bytes().startswith(b"these are my notes")


def test_a_database_of_other_tables_is_refused_and_left_alone(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "telemetry.duckdb")) as other:
        other.execute("CREATE TABLE mine (x INTEGER)")
    with pytest.raises(Invalid, match="other tables"):
        open_store(address(tmp_path))
    with duckdb.connect(str(tmp_path / "telemetry.duckdb")) as other:
        assert other.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (1,)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be created"):
        open_store(f"duckdb:///{tmp_path / 'file' / 'telemetry.duckdb'}")


def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    writer = child(address(tmp_path))
    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        with pytest.raises(Unavailable, match=rf"another process \(PID {writer.pid}\) has it open"):
            open_store(address(tmp_path))
    finally:
        killed_after_nothing(writer)
    open_store(address(tmp_path)).close()


def killed_after_nothing(process: subprocess.Popen[str]) -> None:
    """End a writer at once."""
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_one_process_does_not_open_a_file_twice(tmp_path: Path) -> None:
    first = open_store(address(tmp_path))
    with pytest.raises(Unavailable, match="open already"):
        open_store(address(tmp_path))
    first.close()
    open_store(address(tmp_path)).close()


def test_a_failed_opening_does_not_block_the_next(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.duckdb"
    path.write_bytes(b"x" * 20_000)
    for _ in range(2):
        with pytest.raises(Invalid, match="not a database"):
            open_store(address(tmp_path))
    path.unlink()
    open_store(address(tmp_path)).close()


def test_a_killed_writer_leaves_whole_batches_and_every_one_it_called_stored(tmp_path: Path) -> None:
    said = -1
    for round_ in range(3):
        said = killed_after(child(address(tmp_path), first=said + 1), batches=12 + 5 * round_)
        store = open_store(address(tmp_path))
        counts = [
            sum(
                store.window(f"d{n}", START + m, START + m + timedelta(seconds=1), metrics=["x"]).num_rows
                for n in (0, 49)
            )
            for m in (timedelta(minutes=batch) for batch in range(said + 3))
        ]
        assert counts[: said + 1] == [2] * (said + 1)
        assert set(counts[said + 1 :]) <= {0, 2}
        store.close()
    whole = [Reading(f"d{n}", "native", START, {"x": 2.0}) for n in range(BATCH)]
    store = open_store(address(tmp_path))
    assert store.write(whole) == WriteResult(0, BATCH)
    store.rollup(START + timedelta(days=9))
    daily = store.daily(START, START + timedelta(days=9), metrics=["x"]).to_pylist()
    assert {row["n"] for row in daily} == {daily[0]["n"]}
    assert len(daily) == BATCH
    store.close()


def test_a_full_disk_is_said_and_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    script = [sys.executable, "-W", "error", "-c", textwrap.dedent(FULL_DISK), address(tmp_path)]
    ran = subprocess.run(script, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    stored = [int(minute) for minute in ran.stdout.split()]
    store = open_store(address(tmp_path))
    for device in ("d0", "d499"):
        window = store.window(device, START, START + timedelta(days=1), metrics=["x"])
        assert window.column("at").to_pylist() == [START + timedelta(minutes=minute) for minute in stored]
    store.close()


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    store = open_store(address(tmp_path))
    store.write([Reading("a", "native", START, {f"m{n}": float(n) for n in range(70)}, firmware="1.0")])
    store.close()
    again = open_store(address(tmp_path))
    assert again.write([Reading("a", "native", START, {"m1": 5.0}, firmware="2.0")]) == WriteResult(0, 1)
    assert again.write([Reading("b", "native", START, {"m71": 5.0}, firmware="2.0")]) == WriteResult(1, 0)
    again.rollup(START + timedelta(days=1))
    assert again.hourly(START, START + timedelta(days=1)).num_rows == 71
    assert again.latest(["a"])["a"]["m69"] == (START, 69.0)
    again.close()


def test_a_rollup_goes_on_after_reopening_where_it_stopped(tmp_path: Path) -> None:
    store = open_store(address(tmp_path))
    store.write([Reading("a", "native", START + timedelta(minutes=40 * n), {"x": 1.0}) for n in range(3)])
    assert store.rollup(START + timedelta(hours=1)) == 1
    store.close()
    again = open_store(address(tmp_path))
    assert again.rollup(START + timedelta(hours=2)) == 1
    assert again.rollup(START + timedelta(hours=2)) == 0
    again.close()
