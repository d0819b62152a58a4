"""The platform as processes of their own: ``python -m hearthwatch up --role ...``, as an installation runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import free_port

ROOT = Path(__file__).parents[1]
START_SECONDS = 90.0
END_SECONDS = 10.0
SECRET = "0123456789abcdef0123456789abcdef"


@dataclass
class Role:
    """One process of the platform; ``start`` again after it ended keeps its port, as a container keeps its name."""

    name: str
    role: str
    options: Mapping[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    started: int = 0

    def command(self) -> Sequence[str]:
        """The command line."""
        return [sys.executable, "-m", "hearthwatch", "up", "--role", self.role, "--port", str(self.port)]

    def start(self) -> None:
        """Start it; it is not ready yet."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")}
        environment |= {f"HEARTHWATCH_{name.upper()}": value for name, value in self.options.items()}
        with self.log.open("ab") as log:
            log.write(f"--- start {self.started}\n".encode())
            log.flush()
            self.process = subprocess.Popen(self.command(), env=environment, cwd=ROOT, stderr=log, stdout=log)
        self.started += 1

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> tuple[int, float]:
        """SIGTERM. Returns the exit code and the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=3 * END_SECONDS)
        return code, time.monotonic() - began

    def result(self, seconds: float = START_SECONDS) -> tuple[int, str]:
        """Exit code and what it said, of one that ends by itself."""
        assert self.process is not None
        code = self.process.wait(timeout=seconds)
        return code, self.said()

    def said(self) -> str:
        """Its log."""
        return self.log.read_text()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def up(self) -> bool:
        """Whether it has come up since it was started last."""
        return self.said().rpartition("--- start")[2].find(": running: role") > 0

    def get(self, path: str) -> httpx.Response | None:
        """What it answers, or None while it does not."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)
        except httpx.HTTPError:
            return None

    def ready(self) -> bool:
        """Whether it says that it can do its work."""
        answer = self.get("/readyz")
        return answer is not None and answer.status_code == 200

    def part(self, name: str) -> Mapping[str, Any]:
        """What it says of one of its parts; empty while it does not answer."""
        answer = self.get("/readyz")
        parts: Mapping[str, Any] = answer.json().get("parts", {}) if answer is not None else {}
        found = parts.get(name, {})
        return found if isinstance(found, Mapping) else {}


class Installation:
    """Servers' addresses, and the processes that were started on them."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        self.options = {"secret_key": SECRET, "data_dir": str(folder / "var"), **options}
        self.roles: list[Role] = []

    def role(self, role: str, **options: str) -> Role:
        """Start one more process."""
        name = f"{role}-{sum(one.role == role for one in self.roles)}"
        made = Role(name, role, {**self.options, **options}, self.folder / f"{name}.log")
        self.roles.append(made)
        made.start()
        return made

    def two_of_each(self) -> list[Role]:
        """Two ingestors, two workers of jobs and two APIs, all ready."""
        made = [self.role(role) for role in ("ingest", "ingest", "jobs", "jobs", "api", "api")]
        for one in made:
            wait(one.ready, one)
        return made

    def close(self) -> None:
        """End what still runs."""
        running = [one for one in self.roles if one.alive]
        for one in running:
            assert one.process is not None
            one.process.send_signal(signal.SIGTERM)
        for one in running:
            assert one.process is not None
            try:
                one.process.wait(timeout=3 * END_SECONDS)
            except subprocess.TimeoutExpired:
                one.kill()


def wait(condition: Callable[[], bool], role: Role | None = None, seconds: float = START_SECONDS) -> float:
    """Wait for a condition; returns the seconds it took. Fails with what the process said."""
    began = time.monotonic()
    while not condition():
        said = "" if role is None else role.said()[-3000:]
        assert role is None or role.alive, f"{role.name} ended\n{said}"
        assert time.monotonic() - began < seconds, f"it did not come about in {seconds:.0f} s\n{said}"
        time.sleep(0.1)
    return time.monotonic() - began
