"""Servers of the fault runs, each ended by its process id."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hearthwatch.errors import Unavailable
from hearthwatch.run.bench import servers
from tests.conftest import free_port, needed, wait_for_port

PERSISTENT = """\
persistence true
persistence_location {folder}/
autosave_interval 1800
"""
"""As the usual broker keeps things: in a file that it writes when it ends, and every half hour."""
ROOMY = """\
allow_anonymous true
max_inflight_messages 5000
max_queued_messages 1000000
"""


class Broker:
    """A Mosquitto that can be ended and started again on the same port. ``extra`` are lines of its configuration."""

    def __init__(self, folder: Path, extra: str = ROOMY) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.folder = folder
        self._program = needed("mosquitto", "/usr/sbin/mosquitto")
        self._config = folder / "broker.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\n{extra}")
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def with_a_file(cls, folder: Path) -> Broker:
        """One that keeps sessions and messages in a file, as this user, while it is told to end."""
        folder.mkdir(parents=True, exist_ok=True)
        owner = f"user {folder.owner()}\n"  # started by root it would become somebody who may not write here
        return cls(folder, ROOMY + PERSISTENT.format(folder=folder) + owner)

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it listens when this returns."""
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, self._process)

    def freeze(self) -> None:
        """It keeps its connections and does nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """SIGTERM: it ends in good order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def telemetry_store(name: str, folder: Path) -> Iterator[str]:
    """Address of an empty telemetry store: ``duckdb`` in a folder, or ``influxdb`` on a server of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "duckdb":
        yield f"duckdb:///{folder / 'telemetry.duckdb'}"
        return
    program = servers.find_influxd()
    if program is None:
        raise Unavailable("influxd is not installed (make services builds it)", where="influxdb")
    with servers.influxd(program, folder / "influxd") as server:
        yield server.address("faults")
