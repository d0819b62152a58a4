"""Trained models: one champion per name does the work, challengers wait for their turn, retired ones stay to be looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import update_at_revision
from hearthwatch.records.tables import model_versions


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


def register(
    connection: Connection,
    name: str,
    *,
    trained_at: datetime,
    card: Mapping[str, Any],
    artifact: bytes,
    role: str = "challenger",
) -> ModelVersion:
    """Keep a trained model; as ``champion`` it takes the place of the one before."""
    row = {
        "name": name,
        "trained_at": trained_at,
        "role": "challenger",
        "card": dict(card),
        "artifact": artifact,
        "sha256": hashlib.sha256(artifact).hexdigest(),
    }
    new = connection.execute(sa.insert(model_versions).values(row).returning(model_versions.c.id)).scalar_one()
    if role == "champion":
        return promote(connection, new)
    if role == "retired":
        update_at_revision(connection, model_versions, {"id": new}, None, {"role": role})
    return get(connection, new)


def promote(connection: Connection, version_id: int) -> ModelVersion:
    """Make a model the champion of its name; the one before retires. Raises `Missing`."""
    chosen = get(connection, version_id)
    before = champion(connection, chosen.name)
    if before is not None and before.id != version_id:
        update_at_revision(connection, model_versions, {"id": before.id}, None, {"role": "retired"})
    update_at_revision(connection, model_versions, {"id": version_id}, None, {"role": "champion"})
    return get(connection, version_id)


def retire(connection: Connection, version_id: int) -> ModelVersion:
    """Take a model out of work. Raises `Missing`."""
    update_at_revision(connection, model_versions, {"id": version_id}, None, {"role": "retired"})
    return get(connection, version_id)


def champion(connection: Connection, name: str) -> ModelVersion | None:
    """The model that works under a name, if there is one."""
    found = _select(connection, model_versions.c.name == name, model_versions.c.role == "champion")
    return found[0] if found else None


def champions(connection: Connection) -> list[ModelVersion]:
    """All models that work, by name."""
    return sorted(_select(connection, model_versions.c.role == "champion"), key=lambda version: version.name)


def list_versions(connection: Connection) -> list[ModelVersion]:
    """All models, newest first; what was saved of them, which is large, is left out (``artifact`` is empty)."""
    columns = [column for column in model_versions.c if column.name != "artifact"]
    rows = connection.execute(sa.select(*columns).order_by(model_versions.c.id.desc())).mappings()
    return [ModelVersion(**row, artifact=b"") for row in rows]


def get(connection: Connection, version_id: int) -> ModelVersion:
    """One model. Raises `Missing`."""
    found = _select(connection, model_versions.c.id == version_id)
    if not found:
        raise Missing("no such model version", where=str(version_id))
    return found[0]


def _select(connection: Connection, *where: sa.ColumnElement[bool]) -> list[ModelVersion]:
    query = sa.select(model_versions).where(*where).order_by(model_versions.c.id.desc())
    return [ModelVersion(**row) for row in connection.execute(query).mappings()]
