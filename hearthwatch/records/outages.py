"""Planned outages: our own works, which are no fault of any device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid
from hearthwatch.records.tables import planned_outages
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class PlannedOutage:
    """During [from_at, to_at), devices of a model and region may be away; None is all of them."""

    id: int
    model: str | None
    region: str | None
    from_at: datetime
    to_at: datetime
    reason: str


def plan(
    connection: Connection, *, model: str | None, region: str | None, from_at: datetime, to_at: datetime, reason: str
) -> PlannedOutage:
    """Announce an outage. Raises `Invalid` when it ends before it begins."""
    if to_at <= from_at:
        raise Invalid("an outage ends after it begins", where=to_at.isoformat())
    row = {"model": model, "region": region, "from_at": from_at, "to_at": to_at}
    insert = sa.insert(planned_outages).values(**row, reason=fitted(planned_outages.c.reason, reason))
    return PlannedOutage(**connection.execute(insert.returning(planned_outages)).mappings().one())


def at(connection: Connection, now: datetime) -> list[PlannedOutage]:
    """The outages that are on at a time."""
    return _select(connection, planned_outages.c.from_at <= now, planned_outages.c.to_at > now)


def between(connection: Connection, since: datetime, until: datetime) -> list[PlannedOutage]:
    """The outages that touch [since, until)."""
    return _select(connection, planned_outages.c.from_at < until, planned_outages.c.to_at > since)


def list_outages(connection: Connection, *, limit: int = 100) -> list[PlannedOutage]:
    """Outages, the latest first."""
    return _select(connection)[:limit]


def _select(connection: Connection, *where: sa.ColumnElement[bool]) -> list[PlannedOutage]:
    order = (planned_outages.c.from_at.desc(), planned_outages.c.id.desc())
    rows = connection.execute(sa.select(planned_outages).where(*where).order_by(*order)).mappings()
    return [PlannedOutage(**row) for row in rows]
