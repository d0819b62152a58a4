"""The built wheel as a stranger gets it: `pipx install` into an empty environment, then the demo and `up` from another folder.

`make wheel-test` runs it by name; it is not part of `make test`, because it downloads the runtime's packages and plays the whole demo.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
STAGES = ("ingest", "analytics", "alerts", "api", "device_sim")
OURS = {"hearthwatch"}
STOPS_WITHIN_S = 10.0

pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True, slots=True)
class Installed:
    """Where pipx put it: the command, its environment's packages, and an empty folder to work in."""

    command: Path
    packages: Path
    elsewhere: Path

    def environment(self, **more: str) -> Mapping[str, str]:
        """An environment in which nothing leads back to the checkout or to a real installation."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEARTHWATCH_", "PYTHON"))}
        return {**kept, "HOME": str(self.elsewhere), **more}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    tool, home, elsewhere = place / "tool", place / "pipx", place / "elsewhere"
    elsewhere.mkdir()
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    run(sys.executable, *pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(CHECKOUT))
    (wheel,) = place.glob("hearthwatch-*.whl")
    run(sys.executable, "-m", "venv", str(tool))
    locked = str(CHECKOUT / "requirements" / "pipx.txt")
    run(str(tool / "bin" / "python"), *pip, "install", "--require-hashes", "--requirement", locked)
    places = {"PIPX_HOME": str(home), "PIPX_BIN_DIR": str(place / "bin"), "PIPX_MAN_DIR": str(place / "man")}
    pinned = constraints(place)
    run(
        *(str(tool / "bin" / "pipx"), "install", "--backend", "pip", "--python", sys.executable),
        *(f"--pip-args=--constraint {pinned}", str(wheel)),
        environment={**os.environ, **places, "PIPX_SHARED_LIBS": str(home / "shared")},
    )
    (packages,) = (home / "venvs" / "hearthwatch" / "lib").glob("python3*/site-packages")
    return Installed(place / "bin" / "hearthwatch", packages, elsewhere)


def constraints(place: Path) -> Path:
    """The locked versions without their hashes, which pip does not take as constraints beside a file of ours."""
    lines = (CHECKOUT / "requirements" / "runtime.txt").read_text().splitlines()
    kept = [line.rstrip(" \\") for line in lines if line and not line.startswith((" ", "#"))]
    path = place / "constraints.txt"
    path.write_text("\n".join(kept) + "\n")
    return path


def run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"


def test_nothing_generic_lands_at_the_top_of_site_packages(installed: Installed) -> None:
    ours = next(installed.packages.glob("hearthwatch-*.dist-info")) / "RECORD"
    tops = {line.split("/", 1)[0] for line in ours.read_text().splitlines() if not line.startswith("..")}
    assert {top for top in tops if not top.endswith(".dist-info")} == OURS
    assert not [stage for stage in STAGES if (installed.packages / stage).exists()]
    assert not list(installed.packages.glob("hearthwatch*.pth")), "it must not need the checkout"


def test_the_command_says_its_version(installed: Installed) -> None:
    said = subprocess.run(
        [installed.command, "--version"],
        cwd=installed.elsewhere,
        env=installed.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == next(installed.packages.glob("hearthwatch-*.dist-info")).name.split("-")[
        1
    ].removesuffix(".dist")


@pytest.fixture
def port(installed: Installed, mosquitto: str) -> Iterator[int]:
    """`hearthwatch up` in the empty folder, on a broker of its own; ended by SIGTERM, cleanly and soon."""
    port = free_port()
    log = (installed.elsewhere / "up.log").open("w+")
    process = subprocess.Popen(
        [installed.command, "up", "--port", str(port)],
        cwd=installed.elsewhere,
        env=installed.environment(HEARTHWATCH_BROKER=mosquitto),
        stderr=log,
    )
    try:
        wait_until_healthy(port, process)
        yield port
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(timeout=STOPS_WITHIN_S) == 0, "SIGTERM is a clean end"
        assert time.monotonic() - began < STOPS_WITHIN_S
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


def wait_until_healthy(port: int, process: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    for _ in range(600):
        assert process.poll() is None, f"up ended with {process.returncode}"
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.1)
    pytest.fail("up was not healthy within a minute")


def test_up_answers_in_an_empty_folder_and_ends_cleanly(installed: Installed, port: int) -> None:
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"http://127.0.0.1:{port}/health").json()["status"] == "ok"
    page = httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True)
    assert page.status_code == 200
    assert "Fleet" in page.text
    assert httpx.get(f"http://127.0.0.1:{port}/api/v1/openapi.json", follow_redirects=True).status_code == 200
    assert {"telemetry.duckdb", "records.sqlite3"} <= {path.name for path in (installed.elsewhere / "var").iterdir()}


def test_the_demo_comes_out_as_planted(installed: Installed) -> None:
    told = subprocess.run(
        [installed.command, "demo", "--once", "--json"],
        cwd=installed.elsewhere,
        env=installed.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, f"{told.stdout[-3000:]}\n{told.stderr[-3000:]}"
    answer = json.loads(told.stdout)
    assert answer["passed"]
    assert answer["ledger"]["lost"] == 0
