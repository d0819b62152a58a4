"""Replays of policies: asked for, worked one at a time, kept with their report. One whose process ends waits again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records.tables import policy_replays
from hearthwatch.records.tables.columns import fitted

OPEN = ("waiting", "running")
MOST_WAITING = 20
MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class PolicyReplay:
    """One replay. ``state``: waiting, running, done or failed; ``report`` is what ``hearthwatch replay --json`` prints.

    ``policy_version`` is None for a text that is no version. ``attempts`` counts how often it was begun.
    """

    id: int
    digest: str
    policy_version: int | None
    text: str
    since: datetime
    until: datetime
    state: str
    progress: str
    why: str | None
    report: Mapping[str, Any] | None
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    holder: str | None
    attempts: int
    revision: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: which policy, and over which time. ``open_end``: up to now, whenever that is."""

    text: str
    policy_version: int | None
    since: datetime
    until: datetime
    open_end: bool

    @property
    def digest(self) -> str:
        """What tells questions apart; one with an open end stays the same while it waits."""
        end = "now" if self.open_end else self.until.isoformat()
        asked = "\0".join((self.text, str(self.policy_version), self.since.isoformat(), end))
        return hashlib.sha256(asked.encode()).hexdigest()


def ask(connection: Connection, question: Question, now: datetime, actor: str) -> PolicyReplay:
    """Ask for a replay; the same one that waits or runs already, or has ended with the same end, is the answer.

    Raises `Conflict` where too many wait.
    """
    columns = policy_replays.c
    same = sa.select(columns.id).where(columns.digest == question.digest, columns.state != "failed")
    if question.open_end:
        same = same.where(columns.state.in_(OPEN))
    known = connection.execute(same.order_by(columns.id.desc()).limit(1)).scalar_one_or_none()
    if known is not None:
        return get(connection, known)
    waiting = sa.select(sa.func.count()).select_from(policy_replays).where(columns.state.in_(OPEN))
    if connection.execute(waiting).scalar_one() >= MOST_WAITING:
        raise Conflict(f"{MOST_WAITING} replays wait already", where="replays")
    row = {
        "digest": question.digest,
        "policy_version": question.policy_version,
        "text": question.text,
        "since": question.since,
        "until": question.until,
        "state": "waiting",
        "asked_by": fitted(columns.asked_by, actor),
        "asked_at": now,
    }
    number = connection.execute(sa.insert(policy_replays).values(row).returning(columns.id)).scalar_one()
    return get(connection, int(number))


def take(connection: Connection, now: datetime, holder: str) -> PolicyReplay | None:
    """The oldest that waits, as running from now on; None when none waits.

    For whoever alone works them: one that is still called running belongs to a process that ended. It waits again, and after
    `MOST_ATTEMPTS` it has failed.
    """
    columns = policy_replays.c
    left = sa.update(policy_replays).where(columns.state == "running")
    over = {"state": "failed", "why": f"its process ended {MOST_ATTEMPTS} times", "finished_at": now, "progress": ""}
    connection.execute(left.where(columns.attempts >= MOST_ATTEMPTS).values(_changed(over)))
    connection.execute(left.values(_changed({"state": "waiting", "progress": ""})))
    oldest = sa.select(columns.id).where(columns.state == "waiting").order_by(columns.asked_at, columns.id).limit(1)
    number = connection.execute(oldest).scalar_one_or_none()
    if number is None:
        return None
    began = {
        "state": "running",
        "started_at": now,
        "holder": holder,
        "progress": "begins",
        "attempts": columns.attempts + 1,
    }
    connection.execute(sa.update(policy_replays).where(columns.id == number).values(_changed(began)))
    return get(connection, int(number))


def any_waiting(connection: Connection) -> bool:
    """Whether there is anything to work."""
    query = sa.select(sa.literal(1)).select_from(policy_replays).where(policy_replays.c.state.in_(OPEN)).limit(1)
    return connection.execute(query).first() is not None


def progress(connection: Connection, replay_id: int, holder: str, said: str) -> None:
    """Note how far it is, where it is still this process's."""
    update = sa.update(policy_replays).where(*_held(replay_id, holder))
    connection.execute(update.values(progress=fitted(policy_replays.c.progress, said)))


def finish(
    connection: Connection,
    replay_id: int,
    holder: str,
    now: datetime,
    *,
    report: Mapping[str, Any] | None = None,
    why: str | None = None,
) -> bool:
    """Note how it ended: done with a report, or failed. False where it is no longer this process's, whose answer then does not count."""
    ended = {
        "state": "failed" if report is None else "done",
        "report": None if report is None else dict(report),
        "why": fitted(policy_replays.c.why, why),
        "finished_at": now,
        "progress": "",
    }
    changed = connection.execute(sa.update(policy_replays).where(*_held(replay_id, holder)).values(_changed(ended)))
    return changed.rowcount == 1


def give_back(connection: Connection, replay_id: int, holder: str) -> None:
    """Let one wait again that could not be worked to its end because this process ends; that is no attempt of its own."""
    columns = policy_replays.c
    again = {"state": "waiting", "progress": "", "attempts": columns.attempts - 1}
    connection.execute(sa.update(policy_replays).where(*_held(replay_id, holder)).values(_changed(again)))


def get(connection: Connection, replay_id: int) -> PolicyReplay:
    """One replay. Raises `Missing`."""
    row = connection.execute(sa.select(policy_replays).where(policy_replays.c.id == replay_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such replay", where=str(replay_id))
    return PolicyReplay(**row)


def list_replays(connection: Connection, *, after: int | None = None, limit: int = 100) -> list[PolicyReplay]:
    """Replays, newest first; of the reports only the ``answer`` and the policy's name. ``after`` is the last id of the page before."""
    columns = policy_replays.c
    plain = [column for column in columns if column.name != "report"]
    answer, policy = columns.report["answer"].label("answer"), columns.report["policy"].label("policy")
    query = sa.select(*plain, answer, policy).order_by(columns.id.desc()).limit(limit)
    if after is not None:
        query = query.where(columns.id < after)
    found = []
    for row in connection.execute(query).mappings():
        values = dict(row)
        told = {"answer": values.pop("answer"), "policy": values.pop("policy")}
        found.append(PolicyReplay(**values, report=None if told["answer"] is None else told))
    return found


def _held(replay_id: int, holder: str) -> tuple[sa.ColumnElement[bool], ...]:
    columns = policy_replays.c
    return columns.id == replay_id, columns.state == "running", columns.holder == holder


def _changed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "revision": policy_replays.c.revision + 1}
