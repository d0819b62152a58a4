"""``hearthwatch replay``, and the replays that are asked for on the pages: one at a time, each in a process of its own.

A process of its own gives its memory back and leaves this one free for what somebody waits for. It reads a copy of the records (SQLite) or
one view of them (PostgreSQL), and ends when we do: it reads from a pipe that only we hold open.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from alerts.replay.rhythm import Rhythm
from alerts.replay.trial import Candidate, span_of, try_policy
from hearthwatch.clock import SystemClock
from hearthwatch.errors import HearthwatchError, Invalid
from hearthwatch.ports import Clock
from hearthwatch.records import policy_replays, portable
from hearthwatch.records.database import Database
from hearthwatch.records.policy_replays import PolicyReplay
from hearthwatch.run.backtesting import PROGRESS, SAY_EVERY_SECONDS, attend
from hearthwatch.run.printing import print_json
from hearthwatch.settings import Settings

LOG = logging.getLogger(__name__)
EVERY = timedelta(seconds=15)
RHYTHM = Rhythm()
"""That of the table of jobs."""
MOST_ROWS = 5000
"""Of each list of a report that is kept in the records; the command prints all."""
_KEPT_LINES = 20
_RECORDS = "HEARTHWATCH_RECORDS"


def replay_command(
    settings: Settings,
    policy: Path,
    since: str,
    until: str | None,
    *,
    version: int | None = None,
    most: int | None = None,
    attended: bool = False,
    as_json: bool = False,
) -> None:
    """Try the policy of a file on the stored history and print what it would have done. Raises `Invalid` or `Unavailable`."""
    from hearthwatch.run.assembly import open_records
    from hearthwatch.run.policy_replay_table import print_report

    logging.getLogger("alerts").setLevel(logging.WARNING)  # what it would have noted of each ticket is no news of today
    say = attend() if attended else _on_terminal() if sys.stderr.isatty() else lambda _said: None
    text = _text(policy)
    span = span_of(_instant(since, "--since"), _instant(until, "--until") if until else None, SystemClock().now())
    database = open_records(settings)
    try:
        with tempfile.TemporaryDirectory() as made, portable.consistent(database, Path(made)) as source:
            report = try_policy(source, Candidate(text, version), span, rhythm=RHYTHM, most=most, say=say)
    finally:
        database.close()
    if as_json:
        print_json(report)
    else:
        print_report(report)


def _text(policy: Path) -> str:
    try:
        return policy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read the policy: {error}", where=str(policy)) from None


def _instant(text: str, option: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"not an ISO 8601 date: {text!r}", where=option) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _on_terminal() -> Callable[[str], None]:
    def say(words: str) -> None:
        sys.stderr.write(f"\r\x1b[K{words}" if words else "\r\x1b[K")
        sys.stderr.flush()

    return say


class ReplayWorker:
    """Works what waits. `stop` may be called from another thread: it ends the run, which then waits for the next process."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None

    def work(self, database: Database, clock: Clock, holder: str) -> Mapping[str, int]:
        """Work all that waits, in order; returns how many were done and how many failed."""
        counts: dict[str, int] = {}
        with database.reading() as connection:
            if not policy_replays.any_waiting(connection):
                return counts
        while not self._stopping.is_set():
            with database.transaction() as connection:
                taken = policy_replays.take(connection, clock.now(), holder)
            if taken is None:
                break
            report, why = self._run(database, taken, partial(_tell, database, taken.id, holder))
            with database.transaction() as connection:
                if report is None and self._stopping.is_set():
                    policy_replays.give_back(connection, taken.id, holder)
                    break
                policy_replays.finish(connection, taken.id, holder, clock.now(), report=report, why=why)
            ended = "failed" if report is None else "done"
            counts[ended] = counts.get(ended, 0) + 1
        return counts

    def stop(self) -> None:
        """Begin nothing more, and end what runs."""
        self._stopping.set()
        child = self._child
        if child is not None:
            child.terminate()

    def _run(
        self, database: Database, asked: PolicyReplay, say: Callable[[str], None]
    ) -> tuple[Mapping[str, Any] | None, str | None]:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            policy = folder / "policy.toml"
            policy.write_text(asked.text, encoding="utf-8")
            try:
                with _records_for_the_child(database, folder) as environment:
                    return self._watch(_command(policy, asked), environment, say)
            except HearthwatchError as error:
                return None, str(error)

    def _watch(
        self, command: list[str], environment: Mapping[str, str], say: Callable[[str], None]
    ) -> tuple[Mapping[str, Any] | None, str | None]:
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as answer,
            subprocess.Popen(  # noqa: S603 - our own command; what was given from outside lies in a file
                command, stdin=subprocess.PIPE, stdout=answer, stderr=subprocess.PIPE, text=True, env=dict(environment)
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
        if code == 0:
            return json.loads(printed), None
        if code < 0:
            return None, f"its process was ended by signal {-code}; was there enough memory?"
        return None, "\n".join(last).removeprefix("hearthwatch: ") or f"it ended with code {code}"


@contextmanager
def _records_for_the_child(database: Database, folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which another process reads the records: a copy of SQLite's, PostgreSQL's own address."""
    if database.engine.dialect.name != "sqlite":
        yield {**os.environ, _RECORDS: database.engine.url.render_as_string(hide_password=False)}
        return
    path = folder / "copy.sqlite3"
    portable.copy_sqlite(database, path)
    yield {**os.environ, _RECORDS: f"sqlite:///{path}"}


def _command(policy: Path, asked: PolicyReplay) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "hearthwatch",
        "replay",
        "--policy",
        str(policy),
        "--since",
        asked.since.isoformat(),
    ]
    command += ["--until", asked.until.isoformat(), "--json", "--attended", "--most", str(MOST_ROWS)]
    return command if asked.policy_version is None else [*command, "--policy-version", str(asked.policy_version)]


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


def _tell(database: Database, replay_id: int, holder: str, said: str) -> None:
    try:
        with database.transaction(alone=False) as connection:
            policy_replays.progress(connection, replay_id, holder, said)
    except HearthwatchError as error:  # the run goes on; its end is what counts
        LOG.info("how far replay %d is could not be noted: %s", replay_id, error)
