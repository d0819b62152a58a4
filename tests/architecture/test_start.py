"""What a process imports: the heavy libraries come with the work that needs them, not with the start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ANALYSIS = {"sklearn", "scipy", "pandas", "matplotlib"}
SERVERS = {"pg8000", "influxdb_client", "alembic", "duckdb"}
OUTSIDE = {"httpx", "apprise", "holidays"}
STEPS = {
    "hearthwatch.run.cli": {*ANALYSIS, *SERVERS, *OUTSIDE, "sqlalchemy", "numpy", "pyarrow", "fastapi", "nicegui"},
    "hearthwatch.run.up": {*ANALYSIS, *SERVERS, *OUTSIDE, "nicegui", "PIL", "api.app", "analytics.training.job"},
    "api.app": {*ANALYSIS, *SERVERS, *OUTSIDE, "nicegui", "analytics.training.job", "hearthwatch.run.jobs"},
    "hearthwatch.run.jobs": {*ANALYSIS, *SERVERS, *OUTSIDE, "nicegui"},
}
"""What a part of the platform brings into the process, on top of those before it, and what must not have come with it."""

LOOK = """
import importlib, json, sys
told = {}
for step in json.loads(sys.argv[1]):
    importlib.import_module(step)
    told[step] = sorted(sys.modules)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """The modules of a fresh process after each step."""
    command = [sys.executable, "-c", LOOK, json.dumps(list(STEPS))]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return {step: set(modules) for step, modules in json.loads(process.stdout).items()}


@pytest.mark.parametrize("step", STEPS)
def test_what_starts_brings_no_library_along_that_it_may_never_need(step: str, imported: dict[str, set[str]]) -> None:
    assert step in imported[step]
    assert not imported[step] & STEPS[step]
