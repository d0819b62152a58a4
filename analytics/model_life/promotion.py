"""A person makes a version the champion: only one that can be used."""

from __future__ import annotations

from sqlalchemy import Connection

from analytics.artifacts import load
from analytics.training.names import FAMILY
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import model_versions
from hearthwatch.records.model_versions import Because, ModelVersion


def why_unusable(version: ModelVersion) -> str | None:
    """Why a stored hazard cannot be used, or None. Models of other kinds are not looked into."""
    if not version.name.startswith(FAMILY):
        return None
    try:
        load(version)
    except Invalid as error:
        return error.message
    return None


def promote_by_hand(connection: Connection, version_id: int, because: Because) -> ModelVersion:
    """Make a version the champion of its name, whatever the tests say. Raises `Missing`, or `Conflict` for one that cannot be used."""
    why_not = why_unusable(model_versions.get(connection, version_id))
    if why_not is not None:
        raise Conflict(f"it cannot be used: {why_not}", where=f"model version {version_id}")
    return model_versions.promote(connection, version_id, because)
