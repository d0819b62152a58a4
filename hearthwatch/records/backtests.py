"""Backtests of a maker's own history: asked for, worked one at a time, kept with their report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records.database import update_at_revision
from hearthwatch.records.tables import backtests
from hearthwatch.records.tables.columns import fitted

OPEN = ("waiting", "running")
ENDED = ("done", "refused", "failed", "interrupted")
MOST_WAITING = 20


@dataclass(frozen=True, slots=True)
class Backtest:
    """One backtest. ``state``: waiting, running, done, refused (too little to judge), failed, or interrupted (its process ended).

    ``report`` is what ``hearthwatch backtest --json`` prints; of a refused one it holds the data quality.
    """

    id: int
    folder: str
    mapping_file: str
    mapping: str
    cut: datetime | None
    horizon_days: int
    state: str
    progress: str
    why: str | None
    report: Mapping[str, Any] | None
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    holder: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: of which files, by which mapping, and how."""

    folder: str
    mapping_file: str
    mapping: str
    cut: datetime | None
    horizon_days: int


def ask(connection: Connection, question: Question, now: datetime, actor: str) -> Backtest:
    """Ask for a backtest. Raises `Conflict` where too many wait already."""
    waiting = connection.execute(
        sa.select(sa.func.count()).select_from(backtests).where(backtests.c.state.in_(OPEN))
    ).scalar_one()
    if waiting >= MOST_WAITING:
        raise Conflict(f"{waiting} backtests wait already", where="backtests")
    return _insert(connection, question, {"state": "waiting", "asked_by": actor, "asked_at": now})


def keep(
    connection: Connection,
    question: Question,
    report: Mapping[str, Any],
    *,
    why: str | None,
    began: datetime,
    now: datetime,
    actor: str,
) -> Backtest:
    """Keep one that was worked elsewhere; ``why`` it was refused, if it was."""
    state = {"state": "done" if why is None else "refused", "why": fitted(backtests.c.why, why), "report": dict(report)}
    times = {"asked_by": actor, "asked_at": began, "started_at": began, "finished_at": now}
    return _insert(connection, question, state | times)


def _insert(connection: Connection, question: Question, more: Mapping[str, Any]) -> Backtest:
    row = {
        "folder": fitted(backtests.c.folder, question.folder),
        "mapping_file": fitted(backtests.c.mapping_file, question.mapping_file),
        "mapping": question.mapping,
        "cut": question.cut,
        "horizon_days": question.horizon_days,
        **more,
    }
    number = connection.execute(sa.insert(backtests).values(row).returning(backtests.c.id)).scalar_one()
    return get(connection, int(number))


def take(connection: Connection, now: datetime, holder: str) -> Backtest | None:
    """The oldest that waits, as running from now on; None when none waits.

    For whoever alone works them: one that is still called running belongs to a process that ended, and becomes interrupted.
    """
    left = {"state": "interrupted", "why": "the process that worked it ended", "finished_at": now, "progress": ""}
    connection.execute(sa.update(backtests).where(backtests.c.state == "running").values(_changed(left)))
    oldest = connection.execute(
        sa.select(backtests.c.id)
        .where(backtests.c.state == "waiting")
        .order_by(backtests.c.asked_at, backtests.c.id)
        .limit(1)
    ).scalar_one_or_none()
    if oldest is None:
        return None
    began = {"state": "running", "started_at": now, "holder": holder, "progress": "begins"}
    connection.execute(sa.update(backtests).where(backtests.c.id == oldest).values(_changed(began)))
    return get(connection, int(oldest))


def progress(connection: Connection, backtest_id: int, holder: str, said: str) -> bool:
    """Note how far it is; False where it is no longer this process's."""
    changed = connection.execute(
        sa.update(backtests).where(*_held(backtest_id, holder)).values(progress=fitted(backtests.c.progress, said))
    )
    return changed.rowcount == 1


def finish(
    connection: Connection,
    backtest_id: int,
    holder: str,
    now: datetime,
    *,
    state: str,
    report: Mapping[str, Any] | None = None,
    why: str | None = None,
) -> bool:
    """Note how it ended; False where it is no longer this process's, whose answer then does not count."""
    ended = {
        "state": state,
        "report": None if report is None else dict(report),
        "why": fitted(backtests.c.why, why),
        "finished_at": now,
        "progress": "",
    }
    changed = connection.execute(sa.update(backtests).where(*_held(backtest_id, holder)).values(_changed(ended)))
    return changed.rowcount == 1


def again(connection: Connection, backtest_id: int, revision: int | None, now: datetime) -> Backtest:
    """Let one that has ended wait once more. Raises `Missing`, `Stale`, or `Conflict` while it waits or runs."""
    if get(connection, backtest_id).state in OPEN:
        raise Conflict("it has not ended", where=f"backtest {backtest_id}")
    anew = dict.fromkeys(("report", "why", "started_at", "finished_at", "holder"))
    update_at_revision(
        connection,
        backtests,
        {"id": backtest_id},
        revision,
        {**anew, "state": "waiting", "progress": "", "asked_at": now},
    )
    return get(connection, backtest_id)


def get(connection: Connection, backtest_id: int) -> Backtest:
    """One backtest. Raises `Missing`."""
    row = connection.execute(sa.select(backtests).where(backtests.c.id == backtest_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such backtest", where=str(backtest_id))
    return Backtest(**row)


def list_backtests(connection: Connection, *, after: int | None = None, limit: int = 200) -> list[Backtest]:
    """Backtests, newest first; of the reports only the ``answer``. ``after`` is the last id of the page before."""
    plain = [column for column in backtests.c if column.name != "report"]
    query = sa.select(*plain, backtests.c.report["answer"].label("answer")).order_by(backtests.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(backtests.c.id < after)
    found = []
    for row in connection.execute(query).mappings():
        values = dict(row)
        answer = values.pop("answer")
        found.append(Backtest(**values, report=None if answer is None else {"answer": answer}))
    return found


def _held(backtest_id: int, holder: str) -> tuple[sa.ColumnElement[bool], ...]:
    return backtests.c.id == backtest_id, backtests.c.state == "running", backtests.c.holder == holder


def _changed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "revision": backtests.c.revision + 1}
