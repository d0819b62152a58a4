"""Runs of jobs: one row for each job and each time it was due, so that no window is worked twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import job_runs

_AGAIN = "tried_again_at"


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run. ``state``: running, done, failed; ``result`` is what the job returned; ``attempt`` counts up when it is tried again."""

    id: int
    job: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    state: str
    result: Mapping[str, Any] | None
    error: str | None
    holder: str | None
    attempt: int


def claim(connection: Connection, job: str, due_at: datetime, now: datetime, holder: str) -> int | None:
    """Take a window for working it: the number of the attempt, or None when the window is done, failed, or not yet tried again.

    For whoever holds the scheduler's lease: a run that is still called running belongs to a process that was killed or lost the lease.
    It is taken over at once, and runs of earlier windows are closed as failed.
    """
    _close_left_behind(connection, job, due_at, now)
    row: dict[str, Any] = {"job": job, "due_at": due_at, "started_at": now, "state": "running", "holder": holder}
    if insert_missing(connection, job_runs, [row]):
        return 1
    there = _window(connection, job, due_at)
    if there["state"] != "running":
        again = _tried_again_at(there)
        if again is None or again > now:
            return None
    row |= {"attempt": there["attempt"] + 1, "finished_at": None, "result": sa.null(), "error": None}
    connection.execute(sa.update(job_runs).where(job_runs.c.id == there["id"]).values(row))
    return int(row["attempt"])


def tried_again_at(connection: Connection, job: str, due_at: datetime) -> datetime | None:
    """When a window that failed is tried again; None when it is not, or has not failed."""
    return _tried_again_at(_window(connection, job, due_at))


def _window(connection: Connection, job: str, due_at: datetime) -> sa.RowMapping:
    where = (job_runs.c.job == job, job_runs.c.due_at == due_at)
    return connection.execute(sa.select(job_runs).where(*where).with_for_update()).mappings().one()


def _tried_again_at(row: sa.RowMapping) -> datetime | None:
    again = (row["result"] or {}).get(_AGAIN) if row["state"] == "failed" else None
    return None if again is None else datetime.fromisoformat(again)


def _close_left_behind(connection: Connection, job: str, due_at: datetime, now: datetime) -> None:
    connection.execute(
        sa.update(job_runs)
        .where(job_runs.c.job == job, job_runs.c.due_at < due_at, job_runs.c.state == "running")
        .values(state="failed", finished_at=now, error="its process ended or lost the lease before the job did")
    )


def finish(
    connection: Connection,
    job: str,
    due_at: datetime,
    now: datetime,
    attempt: int,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    again_at: datetime | None = None,
) -> bool:
    """Write down how an attempt ended; one that failed is tried again at ``again_at``, where that is given.

    False, and nothing written, when another has taken the window over since.
    """
    if again_at is not None:
        result = {_AGAIN: again_at.isoformat()}
    done = connection.execute(
        sa.update(job_runs)
        .where(job_runs.c.job == job, job_runs.c.due_at == due_at, job_runs.c.attempt == attempt)
        .values(finished_at=now, state="failed" if error else "done", result=result, error=error)
    )
    return done.rowcount == 1


def latest(connection: Connection) -> list[JobRun]:
    """The newest run of every job, by name."""
    newest = sa.select(sa.func.max(job_runs.c.id)).group_by(job_runs.c.job)
    rows = connection.execute(sa.select(job_runs).where(job_runs.c.id.in_(newest)).order_by(job_runs.c.job))
    return [JobRun(**row) for row in rows.mappings()]


def list_runs(
    connection: Connection, *, job: str | None = None, limit: int = 50, before: int | None = None
) -> list[JobRun]:
    """Runs, newest first; ``before`` is the id to go on from."""
    query = sa.select(job_runs).order_by(job_runs.c.id.desc()).limit(limit)
    if job is not None:
        query = query.where(job_runs.c.job == job)
    if before is not None:
        query = query.where(job_runs.c.id < before)
    return [JobRun(**row) for row in connection.execute(query).mappings()]


def forget(connection: Connection, before: datetime) -> int:
    """Delete runs that ended before a time. Returns how many."""
    return connection.execute(sa.delete(job_runs).where(job_runs.c.finished_at < before)).rowcount
