"""What was decided of a roll-out, by the gate or by a person. Append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import rollout_decisions
from hearthwatch.records.tables.columns import fitted

GATE = "gate"
DECISIONS = ("continue", "hold", "stop")


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision: continue, hold or stop, with a ``code`` for programs, ``why`` in one sentence, and the numbers it rests on.

    ``wave`` is the newest wave that was open when it was taken, 0 before the first; ``number`` counts the roll-out's decisions from 1.
    """

    number: int
    at: datetime
    wave: int
    decision: str
    code: str
    why: str
    by: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


_COLUMNS = tuple(rollout_decisions.c[name] for name in Decision.__dataclass_fields__)


def append(connection: Connection, rollout_id: int, decision: Decision) -> None:
    """Append a decision. Raises `Conflict` where another with its number was taken meanwhile."""
    row = {name: getattr(decision, name) for name in Decision.__dataclass_fields__} | {
        "rollout_id": rollout_id,
        "why": fitted(rollout_decisions.c.why, decision.why),
        "by": fitted(rollout_decisions.c.by, decision.by),
        "evidence": dict(decision.evidence),
    }
    connection.execute(sa.insert(rollout_decisions).values(row))


def list_decisions(
    connection: Connection, rollout_id: int, *, after: int | None = None, limit: int | None = None
) -> list[Decision]:
    """Decisions, newest first; ``after`` is the last number of the page before."""
    query = sa.select(*_COLUMNS).where(rollout_decisions.c.rollout_id == rollout_id)
    if after is not None:
        query = query.where(rollout_decisions.c.number < after)
    rows = connection.execute(query.order_by(rollout_decisions.c.number.desc()).limit(limit)).mappings()
    return [Decision(**row) for row in rows]


def newest(connection: Connection, rollout_id: int) -> Decision | None:
    """The last decision, if there was one."""
    found = list_decisions(connection, rollout_id, limit=1)
    return found[0] if found else None


def newest_of_all(connection: Connection) -> dict[int, Decision]:
    """The last decision of every roll-out that has one."""
    rank = sa.func.row_number().over(
        partition_by=rollout_decisions.c.rollout_id, order_by=rollout_decisions.c.number.desc()
    )
    inner = sa.select(rollout_decisions.c.rollout_id, *_COLUMNS, rank.label("rank")).subquery()
    rows = connection.execute(sa.select(inner).where(inner.c.rank == 1)).mappings()
    return {row["rollout_id"]: Decision(**{name: row[name] for name in Decision.__dataclass_fields__}) for row in rows}
