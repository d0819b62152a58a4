"""`make services`: what it says where something is missing, and that it leaves alone what is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.compose import INFLUXD, ROOT

BUILD = ROOT / "requirements" / "influxd" / "build.sh"
PLAIN = ("sh", "awk", "dirname", "cat", "mkdir", "mktemp", "rm", "cp", "chmod", "date", "tail", "id")


def build(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    wanted = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")} | environment
    return subprocess.run(["/bin/sh", str(BUILD)], env=wanted, check=False, capture_output=True, text=True, timeout=120)


def plain_programs(folder: Path) -> str:
    """A PATH with a shell's usual programs and no compiler."""
    folder.mkdir()
    for name in PLAIN:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_it_names_what_the_build_lacks(tmp_path: Path) -> None:
    done = build(tmp_path, PATH=plain_programs(tmp_path / "bin"))

    assert done.returncode == 1
    for word in ("go (1.23 or later", "cargo (", "a C compiler"):
        assert word in done.stderr


def test_it_says_that_go_is_too_old(tmp_path: Path) -> None:
    path = plain_programs(tmp_path / "bin")
    program(tmp_path / "bin" / "go", "echo go1.19.8")
    for name in ("cargo", "cc"):
        program(tmp_path / "bin" / name, "echo fine")

    done = build(tmp_path, PATH=path)

    assert done.returncode == 1
    assert "needs Go 1.23 or later, this is go1.19.8" in done.stderr


def test_a_build_that_fails_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = plain_programs(tmp_path / "bin")
    program(
        tmp_path / "bin" / "go", 'case "$1" in env) echo go1.26.0 ;; install) echo "no such module" >&2; exit 1 ;; esac'
    )
    for name in ("cargo", "cc"):
        program(tmp_path / "bin" / name, "echo fine")

    done = build(tmp_path, PATH=path)

    assert done.returncode == 1
    assert "no such module" in done.stderr
    assert "could not be built" in done.stderr
    assert list((tmp_path / "cache" / "hearthwatch").iterdir()) == []


def test_what_is_built_is_left_alone(tmp_path: Path) -> None:
    there = tmp_path / "cache" / "hearthwatch" / INFLUXD
    there.parent.mkdir(parents=True)
    program(there, "echo InfluxDB")

    done = build(tmp_path, PATH=plain_programs(tmp_path / "bin"))

    assert done.returncode == 0
    assert done.stdout == f"services: influxd 2.7.12 is here: {there}\n"
