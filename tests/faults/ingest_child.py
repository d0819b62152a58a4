"""Starts, watches, kills and ends the ingestor of `tests.faults.ingest_process`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


class Child:
    """The ingestor's process, and the last it said of itself."""

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        every_s: float = 0.1,
        log: Path | None = None,
        hear: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        command = [sys.executable, "-m", "tests.faults.ingest_process", str(every_s), json.dumps(dict(options))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")}
        self._log = None if log is None else log.open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, cwd=ROOT, env=environment)
        self._hear = hear
        self.said: dict[str, Any] = {}
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard, _ignoring_half_a_line():
                self.said = json.loads(line)
                if self._hear is not None:
                    self._hear(self.said)
                self._heard.notify_all()

    def wait_for(self, what: str, told: Callable[[Mapping[str, Any]], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until it says so."""
        with self._heard:
            done = self._heard.wait_for(lambda: bool(self.said) and told(self.said), seconds)
        assert done, f"{what}: {json.dumps(self.said)}"

    def wait_until_handled(self, messages: int, seconds: float = PATIENCE_S) -> None:
        """It has handled so many messages in this life, at least."""
        self.wait_for(f"{messages} handled", lambda said: int(said["handled_messages"]) >= messages, seconds)

    def wait_until_quiet(self, seconds: float = PATIENCE_S) -> None:
        """Nothing waits, nothing is in the spool, and nothing came for a while."""

        def is_quiet(said: Mapping[str, Any]) -> bool:
            counts = said["samples"]
            waits = said["waiting_messages"] + counts["in_flight"] + counts["spooled"]
            return bool(said["connected"] and not waits and (said["last_message_age_s"] or 0) > 2.0)

        self.wait_for("it comes to rest", is_quiet, seconds)

    def memory_mb(self) -> float:
        """What it holds of the memory now (RSS)."""
        return self._of_status("VmRSS")

    def most_memory_mb(self) -> float:
        """The most it ever held."""
        return self._of_status("VmHWM")

    def _of_status(self, name: str) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024

    def open_files(self) -> int:
        """Its file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - their targets may be gone

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        self.process.kill()
        self._end()

    def end(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self._end()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def _end(self) -> int:
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        if self._log is not None:
            self._log.close()
        return code


@contextmanager
def _ignoring_half_a_line() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError:
        """The process was killed while it wrote."""


def ledger_closes(said: Mapping[str, Any]) -> bool:
    """Whether every sample is accounted for, with nothing on its way."""
    counts = said["samples"]
    settled = sum(counts[name] for name in ("stored", "duplicate", "quarantined", "ignored"))
    return bool(counts["in_flight"] == counts["spooled"] == 0 and counts["received"] == settled)
