"""The brief story, told once in one process for all tests that compare another telling with it; and an installation on real servers."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.e2e.aftersales", "tests.e2e.aftersales_paths")

from tests.e2e.telling import Answer, play  # noqa: E402 - what is imported before is not rewritten
from tests.platform_processes import SECRET  # noqa: E402


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """The story as it goes inside one process. Test processes that run side by side tell it once for all of them."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return play("local")
    told = tmp_path_factory.getbasetemp().parent / "story.json"
    with told.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(play("local")))
        answer: Answer = json.loads(told.read_text())
        return answer


@pytest.fixture
def installation(tmp_path: Path, mosquitto: str, influxdb: str, postgresql: str) -> dict[str, str]:
    """Settings of an installation on servers of its own, which keeps all of a story's past."""
    return {
        "broker": mosquitto,
        "telemetry": influxdb,
        "records": postgresql,
        "data_dir": str(tmp_path / "var"),
        "secret_key": SECRET,
        "raw_days": "3650",
        "rollup_days": "3650",
    }
