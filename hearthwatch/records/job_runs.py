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


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run. ``state``: running, done, failed; ``result`` is what the job returned."""

    id: int
    job: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    state: str
    result: Mapping[str, Any] | None
    error: str | None


def claim(connection: Connection, job: str, due_at: datetime, now: datetime, stale_before: datetime) -> bool:
    """Take a window for working it. False when it is taken: done, failed, or running since less than the stale limit."""
    row = {"job": job, "due_at": due_at, "started_at": now, "state": "running"}
    if insert_missing(connection, job_runs, [row]):
        return True
    # A run that a killed process left behind is taken over.
    taken = connection.execute(
        sa.update(job_runs)
        .where(
            job_runs.c.job == job,
            job_runs.c.due_at == due_at,
            job_runs.c.state == "running",
            job_runs.c.started_at < stale_before,
        )
        .values(started_at=now)
    )
    return taken.rowcount == 1


def finish(
    connection: Connection,
    job: str,
    due_at: datetime,
    now: datetime,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Write down how a run ended."""
    connection.execute(
        sa.update(job_runs)
        .where(job_runs.c.job == job, job_runs.c.due_at == due_at)
        .values(finished_at=now, state="failed" if error else "done", result=result, error=error)
    )


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
