"""Trained models: one champion per name does the work, challengers wait for their turn, retired ones stay to be looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records import model_decisions
from hearthwatch.records.database import update_at_revision
from hearthwatch.records.model_decisions import ModelDecision, What
from hearthwatch.records.tables import model_versions

TRAINING = "training"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A trained model. ``card`` is its model card with the evaluation; ``artifact`` is what the analysis saved, ``sha256`` its digest."""

    id: int
    name: str
    trained_at: datetime
    role: str
    card: Mapping[str, Any]
    artifact: bytes
    sha256: str
    revision: int


@dataclass(frozen=True, slots=True)
class Because:
    """Who changes a version's role, when, why in one sentence, and the numbers it rests on."""

    at: datetime
    by: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def register(
    connection: Connection,
    name: str,
    *,
    trained_at: datetime,
    card: Mapping[str, Any],
    artifact: bytes,
    role: str = "challenger",
    why: str = "trained",
) -> ModelVersion:
    """Keep a trained model; as ``champion`` it takes the place of the one before. ``why`` it has that role is written down."""
    row = {
        "name": name,
        "trained_at": trained_at,
        "role": "retired" if role == "retired" else "challenger",
        "card": dict(card),
        "artifact": artifact,
        "sha256": hashlib.sha256(artifact).hexdigest(),
    }
    new = connection.execute(sa.insert(model_versions).values(row).returning(model_versions.c.id)).scalar_one()
    because = Because(trained_at, TRAINING, why)
    _decide(connection, get(connection, new), "registered", because)
    return promote(connection, new, because) if role == "champion" else get(connection, new)


def promote(connection: Connection, version_id: int, because: Because, what: What = "promoted") -> ModelVersion:
    """Make a model the champion of its name; the one before retires. Both are written down. Raises `Missing`."""
    chosen = get(connection, version_id)
    before = champion(connection, chosen.name)
    if before is not None and before.id == version_id:
        return before
    if before is not None:
        retire(connection, before.id, replace(because, why=f"version {version_id} took its place"))
    update_at_revision(connection, model_versions, {"id": version_id}, None, {"role": "champion"})
    _decide(connection, chosen, what, because)
    return get(connection, version_id)


def retire(connection: Connection, version_id: int, because: Because, what: What = "retired") -> ModelVersion:
    """Take a model out of work, as ``retired`` or ``demoted``, and write it down. Raises `Missing`."""
    chosen = get(connection, version_id)
    update_at_revision(connection, model_versions, {"id": version_id}, None, {"role": "retired"})
    _decide(connection, chosen, what, because)
    return get(connection, version_id)


def demote(connection: Connection, version_id: int, because: Because) -> ModelVersion | None:
    """Take a champion that went wrong out of work; the last good version works again, or none.

    The last good one is the newest that was champion once, is retired, and was never demoted: one that was does not come back by
    itself. Returns what works now. Raises `Missing`.
    """
    demoted = retire(connection, version_id, because, "demoted")
    ledger = model_decisions.list_decisions(connection, name=demoted.name)
    bad = {one.version_id for one in ledger if one.what == "demoted"}
    roles = {one.id: one.role for one in list_versions(connection, name=demoted.name)}
    for decision in ledger:
        version = decision.version_id
        if decision.what in model_decisions.TO_WORK and version not in bad and roles[version] == "retired":
            told = replace(because, why=f"the last good version, after version {version_id} was demoted")
            return promote(connection, version, told, "restored")
    return None


def _decide(connection: Connection, version: ModelVersion, what: What, because: Because) -> None:
    told = ModelDecision(version.name, version.id, because.at, what, because.by, because.why, because.evidence)
    model_decisions.append(connection, told)


def champion(connection: Connection, name: str) -> ModelVersion | None:
    """The model that works under a name, if there is one."""
    found = _select(connection, model_versions.c.name == name, model_versions.c.role == "champion")
    return found[0] if found else None


def champions(connection: Connection) -> list[ModelVersion]:
    """All models that work, by name."""
    return sorted(_select(connection, model_versions.c.role == "champion"), key=lambda version: version.name)


def challengers(connection: Connection) -> list[ModelVersion]:
    """All models that wait for their turn, the newest of each name first."""
    return _select(connection, model_versions.c.role == "challenger")


def list_versions(connection: Connection, *, name: str | None = None) -> list[ModelVersion]:
    """All models, newest first; what was saved of them, which is large, is left out (``artifact`` is empty)."""
    columns = [column for column in model_versions.c if column.name != "artifact"]
    query = sa.select(*columns).order_by(model_versions.c.id.desc())
    if name is not None:
        query = query.where(model_versions.c.name == name)
    return [ModelVersion(**row, artifact=b"") for row in connection.execute(query).mappings()]


def get(connection: Connection, version_id: int) -> ModelVersion:
    """One model. Raises `Missing`."""
    found = _select(connection, model_versions.c.id == version_id)
    if not found:
        raise Missing("no such model version", where=str(version_id))
    return found[0]


def _select(connection: Connection, *where: sa.ColumnElement[bool]) -> list[ModelVersion]:
    query = sa.select(model_versions).where(*where).order_by(model_versions.c.id.desc())
    return [ModelVersion(**row) for row in connection.execute(query).mappings()]
