"""A Mosquitto of our own for the demo: on a free port, with our configuration, ended by its process id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from pathlib import Path

from hearthwatch.errors import Unavailable

CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 5000
max_queued_messages 1000000
set_tcp_nodelay true
"""
START_SECONDS = 20.0


def find_mosquitto() -> str | None:
    """Path of the installed broker, if there is one; Debian keeps it outside an ordinary user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


class OwnMosquitto:
    """A running broker."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = _free_port()
        configuration = folder / "mosquitto.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port))
        self._log = (folder / "mosquitto.log").open("wb")
        self._process = subprocess.Popen(  # noqa: S603 - the program was looked up, nothing in it is given from outside
            [program, "-c", str(configuration)], stdout=self._log, stderr=self._log
        )
        self._wait()

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _wait(self) -> None:
        pause = threading.Event()
        for _ in range(int(START_SECONDS / 0.05)):
            if self._process.poll() is not None:
                raise Unavailable(f"mosquitto ended with {self._process.returncode}", where="broker")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            pause.wait(0.05)
        self.stop()
        raise Unavailable("mosquitto did not start", where="broker")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
