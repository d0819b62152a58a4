"""Commands on history: import, backtest, cohorts, train, and the replay of quarantined messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Invalid
from hearthwatch.records import backtests
from hearthwatch.records.backtests import Question
from hearthwatch.run.assembly import open_platform, open_records
from hearthwatch.settings import Settings
from hearthwatch.values import Assignment


def run_import(settings: Settings, path: Path, mapping: Path) -> Mapping[str, Any]:
    """Import history into the configured stores. Raises `Unavailable` while another process holds them."""
    from ingest.history import import_history

    with closing(open_platform(settings, SystemClock())) as platform:
        now = platform.clock.now()
        answer = import_history(platform.store, platform.database, path, mapping, now)
        platform.store.rollup(now)
        return answer


@dataclass(frozen=True, slots=True)
class Backtested:
    """A report, and why nothing could be said of how well failures are foretold, where that is so."""

    report: Mapping[str, Any]
    refused: Invalid | None


def run_backtest(
    path: Path, mapping: Path, cut: str | None, horizon: str, progress: Callable[[str], None] = lambda _said: None
) -> Backtested:
    """How well this history could have been foretold."""
    from analytics.backtest import TooLittle, backtest

    now = SystemClock().now()
    try:
        report = backtest(path, mapping, cut=_date(cut), horizon=_days(horizon), now=now, progress=progress)
    except TooLittle as little:
        return Backtested(little.report or {}, little)
    return Backtested(report, None)


@contextmanager
def keeping(
    settings: Settings, path: Path, mapping: Path, cut: str | None, horizon: str
) -> Iterator[Callable[[Backtested], int]]:
    """Keeps a backtest in the records, where the pages show it, and gives its number. Raises `Unavailable` before the work."""
    text = mapping.read_text(encoding="utf-8", errors="replace")
    question = Question(str(path), str(mapping), text, _date(cut), _days(horizon).days)
    began = SystemClock().now()
    with closing(open_records(settings)) as database:

        def keep(told: Backtested) -> int:
            why = None if told.refused is None else str(told.refused)
            with database.transaction() as connection:
                now = SystemClock().now()
                kept = backtests.keep(connection, question, told.report, why=why, began=began, now=now, actor="command")
            return kept.id

        yield keep


def run_cohorts(path: Path, mapping: Path, by: str, assignment: Assignment | None = None) -> Mapping[str, Any]:
    """Each value of a column against all others at the same time; without ``assignment`` the mapping says it."""
    from analytics.cohorts.history import compare_history

    return compare_history(path, mapping, by, assignment)


def run_training(settings: Settings, only: str | None = None) -> Mapping[str, Any]:
    """Train now, whatever the schedule says; ``only`` one device model or part, whether it is due or not."""
    from analytics.training.job import train

    with closing(open_platform(settings, SystemClock())) as platform:
        return train(
            platform.store,
            platform.database,
            platform.clock.now(),
            min_failures=settings.prognosis_min_failures,
            only=only,
        )


def run_replay(settings: Settings) -> Mapping[str, Any]:
    """Try held messages again, through today's decoders."""
    from hearthwatch.run.replaying import replay_held

    with closing(open_platform(settings, SystemClock())) as platform:
        return replay_held(settings, platform.store, platform.database, platform.clock.now())


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"not an ISO 8601 date: {text!r}", where="--cut") from None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _days(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,4})d?", text)
    if match is None or int(match.group(1)) < 1:
        raise Invalid(f"expected a number of days like 7d, not {text!r}", where="--horizon")
    return timedelta(days=int(match.group(1)))
