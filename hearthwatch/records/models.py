"""Device models: what the maker sells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import models

SafetyClass = Literal["none", "property", "injury"]
"""What the failure of a device may do: nothing beyond itself, damage to property, harm to people."""


@dataclass(frozen=True, slots=True)
class Model:
    """A device model. ``device_class`` is what it is to its user: thermostat, lock, plug, camera, ...

    ``warranty_months`` count from purchase, else from installation; None where the maker said nothing.
    """

    id: str
    name: str
    device_class: str | None
    maker: str | None
    safety_class: SafetyClass
    warranty_months: int | None
    revision: int


def put(
    connection: Connection,
    model_id: str,
    name: str | None = None,
    device_class: str | None = None,
    maker: str | None = None,
    safety_class: SafetyClass | None = None,
    warranty_months: int | None = None,
) -> None:
    """Create a model, or change what is given of one that exists."""
    told = {
        "name": name,
        "device_class": device_class,
        "maker": maker,
        "safety_class": safety_class,
        "warranty_months": warranty_months,
    }
    changes = {column: value for column, value in told.items() if value is not None}
    if insert_missing(connection, models, [{"id": model_id, "name": model_id, **changes}]):
        return
    if changes:
        update = sa.update(models).where(models.c.id == model_id)
        connection.execute(update.values({**changes, "revision": models.c.revision + 1}))


def change(connection: Connection, model_id: str, revision: int | None, changes: Mapping[str, Any]) -> Model:
    """Change a model, at ``revision`` if given; None takes a value back. Raises `Missing` or `Stale`."""
    update_at_revision(connection, models, {"id": model_id}, revision, changes)
    return get(connection, model_id)


def add_missing(connection: Connection, ids: Iterable[str]) -> int:
    """Create the models that are not there yet, named by their id; returns how many were new."""
    return insert_missing(connection, models, [{"id": one, "name": one} for one in sorted(set(ids))])


_BY_ID = sa.select(models).where(models.c.id == sa.bindparam("one"))


def get(connection: Connection, model_id: str) -> Model:
    """One model. Raises `Missing`."""
    row = connection.execute(_BY_ID, {"one": model_id}).mappings().one_or_none()
    if row is None:
        raise Missing("no such model", where=model_id)
    return Model(**row)


def find(connection: Connection, ids: Iterable[str]) -> dict[str, Model]:
    """Those of some models that are registered, by id."""
    found: dict[str, Model] = {}
    for some in batched(ids):
        rows = connection.execute(sa.select(models).where(models.c.id.in_(some))).mappings()
        found.update({row["id"]: Model(**row) for row in rows})
    return found


def list_models(connection: Connection) -> list[Model]:
    """All models, by id."""
    return [Model(**row) for row in connection.execute(sa.select(models).order_by(models.c.id)).mappings()]
