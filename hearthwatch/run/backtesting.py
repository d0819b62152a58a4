"""Works the backtests that were asked for on the pages, one at a time, each in a process of its own.

A process of its own gives its memory back, may be ended, and leaves this one free for what somebody waits for. It ends when we do:
it reads from a pipe that only we hold open.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import typer

from hearthwatch.errors import HearthwatchError, Invalid, Missing
from hearthwatch.history.shelf import folder_below
from hearthwatch.ports import Clock
from hearthwatch.records import backtests
from hearthwatch.records.backtests import Backtest
from hearthwatch.records.database import Database
from hearthwatch.run.printing import print_json
from hearthwatch.settings import Settings

LOG = logging.getLogger(__name__)
EVERY = timedelta(seconds=15)
PROGRESS = "progress: "
SAY_EVERY_SECONDS = 1.0
NICENESS = 10
_REFUSED = 2
_KEPT_LINES = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the state, and the report or why there is none."""

    state: str
    report: Mapping[str, Any] | None
    why: str | None


class BacktestWorker:
    """Works what waits. `stop` may be called from another thread: it ends the run, which is then interrupted."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None

    def work(self, settings: Settings, database: Database, clock: Clock, holder: str) -> Mapping[str, int]:
        """Work all that waits, in order; returns how many ended how."""
        counts: dict[str, int] = {}
        while not self._stopping.is_set():
            with database.transaction() as connection:
                taken = backtests.take(connection, clock.now(), holder)
            if taken is None:
                break
            outcome = self._run(settings, taken, partial(_tell, database, taken, holder))
            with database.transaction() as connection:
                backtests.finish(
                    connection,
                    taken.id,
                    holder,
                    clock.now(),
                    state=outcome.state,
                    report=outcome.report,
                    why=outcome.why,
                )
            counts[outcome.state] = counts.get(outcome.state, 0) + 1
        return counts

    def stop(self) -> None:
        """Begin nothing more, and end what runs."""
        self._stopping.set()
        child = self._child
        if child is not None:
            child.terminate()

    def _run(self, settings: Settings, asked: Backtest, say: Callable[[str], None]) -> Outcome:
        try:
            folder = folder_below(settings.history_folder, asked.folder)
        except (Invalid, Missing) as error:
            return Outcome("failed", None, str(error))
        with tempfile.TemporaryDirectory() as made:
            mapping = Path(made) / "mapping.toml"
            mapping.write_text(asked.mapping, encoding="utf-8")
            return self._watch(_command(folder, mapping, asked), say)

    def _watch(self, command: list[str], say: Callable[[str], None]) -> Outcome:
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as answer,
            subprocess.Popen(  # noqa: S603 - our own command; what was given from outside are paths below the shelf
                command, stdin=subprocess.PIPE, stdout=answer, stderr=subprocess.PIPE, text=True
            ) as child,
        ):
            self._child = child
            if self._stopping.is_set():
                child.terminate()
            last = _follow(child, say)
            code = child.wait()
            self._child = None
            answer.seek(0)
            printed = answer.read()
        if self._stopping.is_set() and code != 0:
            return Outcome("interrupted", None, "the platform ended while it ran")
        return _outcome(code, printed, last)


def _command(folder: Path, mapping: Path, asked: Backtest) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "hearthwatch",
        "backtest",
        str(folder),
        "--mapping",
        str(mapping),
        "--json",
        "--attended",
    ]
    command += ["--horizon", f"{asked.horizon_days}d"]
    return [*command, "--cut", asked.cut.isoformat()] if asked.cut is not None else command


def _follow(child: subprocess.Popen[str], say: Callable[[str], None]) -> list[str]:
    """Pass the progress on, not more often than somebody can read; gives the last of the other lines."""
    last: list[str] = []
    said_at = 0.0
    assert child.stderr is not None
    for line in child.stderr:
        words = line.rstrip("\n")
        if not words.startswith(PROGRESS):
            last = [*last, words][-_KEPT_LINES:]
        elif words != PROGRESS and time.monotonic() - said_at >= SAY_EVERY_SECONDS:
            said_at = time.monotonic()
            say(words.removeprefix(PROGRESS))
    return last


def _tell(database: Database, asked: Backtest, holder: str, said: str) -> None:
    try:
        with database.transaction(alone=False) as connection:
            backtests.progress(connection, asked.id, holder, said)
    except HearthwatchError as error:  # the run goes on; its end is what counts
        LOG.info("how far backtest %d is could not be noted: %s", asked.id, error)


def _outcome(code: int, printed: str, last: list[str]) -> Outcome:
    try:
        report = json.loads(printed) if printed.strip() else None
    except ValueError:
        report = None
    words = "\n".join(line for line in last if line.strip()).removeprefix("hearthwatch: ")
    if code == 0 and report is not None:
        return Outcome("done", report, None)
    if code == _REFUSED and report is not None:
        return Outcome("refused", report, words)
    if code < 0:
        return Outcome("failed", None, f"its process was ended by signal {-code}; was there enough memory?")
    return Outcome("failed", None, words or f"it ended with code {code}")


def backtest_command(
    settings: Settings,
    path: Path,
    mapping: Path,
    cut: str | None,
    horizon: str,
    *,
    save: bool,
    attended: bool,
    as_json: bool,
) -> int:
    """``hearthwatch backtest``: prints the report and returns the exit code; 2 where there was too little to judge."""
    from hearthwatch.run.backtest_table import lines
    from hearthwatch.run.history import keeping, run_backtest

    say = attend() if attended else _on_terminal() if sys.stderr.isatty() else lambda _said: None
    with keeping(settings, path, mapping, cut, horizon) if save else nullcontext() as keep:
        told = run_backtest(path, mapping, cut, horizon, say)
        number = keep(told) if keep is not None else None
    if as_json:
        print_json({**told.report, **({"id": number} if number is not None else {})})
    else:
        typer.echo("\n".join(lines(told.report)))
        if number is not None:
            typer.echo(f"\nKept as backtest {number}: /backtests/{number} on the pages.")
    if told.refused is None:
        return 0
    sys.stderr.write(f"hearthwatch: {told.refused}\n")
    return _REFUSED


def _on_terminal() -> Callable[[str], None]:
    def say(words: str) -> None:
        sys.stderr.write(f"\r\x1b[K{words}" if words else "\r\x1b[K")
        sys.stderr.flush()

    return say


def attend() -> Callable[[str], None]:
    """In the process of a run: yield to others, end when whoever started us ends, and tell of progress on standard error."""
    os.nice(NICENESS)

    def wait() -> None:
        while os.read(0, 4096):  # not by sys.stdin, whose lock a thread that waits would hold when the interpreter ends
            pass
        os._exit(143)

    threading.Thread(target=wait, name="attended", daemon=True).start()

    def say(words: str) -> None:
        sys.stderr.write(f"{PROGRESS}{words}\n")
        sys.stderr.flush()

    return say
