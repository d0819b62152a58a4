"""The units of systemd, as far as they can be judged without a running one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose import ROOT
from tests.conftest import needed

FOLDER = ROOT / "deploy" / "systemd"
UNITS = ["hearthwatch.service", "hearthwatch@.service"]
INSTALLED = "/opt/hearthwatch/venv/bin/hearthwatch"


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = needed("systemd-analyze")
    return subprocess.run([program, *words], check=False, capture_output=True, text=True, timeout=60)


def unit_here(name: str, folder: Path) -> Path:
    """A copy of the unit that names a program which exists here."""
    text = (FOLDER / name).read_text()
    path = folder / name.replace("@", "@ingest")
    path.write_text(text.replace(INSTALLED, sys.executable))
    return path


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit_without_a_complaint(name: str, tmp_path: Path) -> None:
    checked = analyze("verify", str(unit_here(name, tmp_path)))

    assert checked.returncode == 0
    assert checked.stderr == ""


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_is_exposed_little(name: str, tmp_path: Path) -> None:
    judged = analyze("security", "--offline=true", "--no-pager", "--threshold=20", str(unit_here(name, tmp_path)))

    assert judged.returncode == 0, judged.stdout[-200:]


@pytest.mark.parametrize(("instance", "role"), [("ingest", "ingest"), ("ingest-2", "ingest"), ("api", "api")])
def test_an_instance_runs_the_role_before_the_dash(instance: str, role: str) -> None:
    started = re.search(r"^ExecStart=/bin/sh -c '(.*)' sh %i$", (FOLDER / UNITS[1]).read_text(), re.MULTILINE)
    assert started is not None
    words = started[1].replace("$$", "$").replace("%%", "%").replace(f"exec {INSTALLED}", "echo")

    said = subprocess.run(["/bin/sh", "-c", words, "sh", instance], check=True, capture_output=True, text=True).stdout

    assert said == f"up --role {role}\n"


def test_settings_are_read_from_files_as_systemd_names_them(tmp_path: Path) -> None:
    """A folder loaded as `hearthwatch:` gives each file the name of the option with its prefix."""
    (tmp_path / "hearthwatch_brand_name").write_text("Acme\n")

    shown = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "config", "show"],
        env=os.environ | {"HEARTHWATCH_SECRETS_DIR": str(tmp_path)},
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip

    assert re.search(r"^brand_name +Acme$", shown, re.MULTILINE)
