"""Device models: what the maker sells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import models


@dataclass(frozen=True, slots=True)
class Model:
    """A device model. ``device_class`` is what it is to its user: thermostat, lock, plug, camera, ..."""

    id: str
    name: str
    device_class: str | None
    maker: str | None
    revision: int


def put(
    connection: Connection,
    model_id: str,
    name: str | None = None,
    device_class: str | None = None,
    maker: str | None = None,
) -> None:
    """Create a model, or change what is given of one that exists."""
    if insert_missing(
        connection, models, [{"id": model_id, "name": name or model_id, "device_class": device_class, "maker": maker}]
    ):
        return
    given = {"name": name, "device_class": device_class, "maker": maker}
    changes = {column: value for column, value in given.items() if value is not None}
    if changes:
        update = sa.update(models).where(models.c.id == model_id)
        connection.execute(update.values({**changes, "revision": models.c.revision + 1}))


def add_missing(connection: Connection, ids: Iterable[str]) -> int:
    """Create the models that are not there yet, named by their id; returns how many were new."""
    return insert_missing(connection, models, [{"id": one, "name": one} for one in sorted(set(ids))])


def get(connection: Connection, model_id: str) -> Model:
    """One model. Raises `Missing`."""
    row = connection.execute(sa.select(models).where(models.c.id == model_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such model", where=model_id)
    return Model(**row)


def list_models(connection: Connection) -> list[Model]:
    """All models, by id."""
    return [Model(**row) for row in connection.execute(sa.select(models).order_by(models.c.id)).mappings()]
