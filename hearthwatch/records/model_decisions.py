"""What was decided of trained models, by a test or by a person, with the numbers it rests on. Append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import model_decisions
from hearthwatch.records.tables.columns import fitted

What = Literal["registered", "promoted", "restored", "retired", "demoted", "alarm"]
TO_WORK: frozenset[str] = frozenset({"promoted", "restored"})
"""Decisions by which a version becomes champion."""


@dataclass(frozen=True, slots=True)
class ModelDecision:
    """``what`` became of a version: it was registered, promoted to champion, restored as such after another was demoted, retired, demoted,
    or an alarm was raised about it. ``by`` is training, race, watch, or a person's name."""

    name: str
    version_id: int
    at: datetime
    what: str
    by: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


_COLUMNS = tuple(model_decisions.c[name] for name in ModelDecision.__dataclass_fields__)


def append(connection: Connection, decision: ModelDecision) -> None:
    """Write a decision down; its ``id`` is given by the database."""
    row = {name: getattr(decision, name) for name in ModelDecision.__dataclass_fields__ if name != "id"} | {
        "why": fitted(model_decisions.c.why, decision.why),
        "by": fitted(model_decisions.c.by, decision.by),
        "evidence": dict(decision.evidence),
    }
    connection.execute(sa.insert(model_decisions).values(row))


def list_decisions(
    connection: Connection, *, name: str | None = None, version_id: int | None = None, limit: int | None = None
) -> list[ModelDecision]:
    """Decisions, newest first."""
    query = sa.select(*_COLUMNS).order_by(model_decisions.c.id.desc()).limit(limit)
    if name is not None:
        query = query.where(model_decisions.c.name == name)
    if version_id is not None:
        query = query.where(model_decisions.c.version_id == version_id)
    return [ModelDecision(**row) for row in connection.execute(query).mappings()]
