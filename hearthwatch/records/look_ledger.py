"""A ledger of looks, whatever is looked at: append-only, one row for each subject, metric and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLook:
    """What was seen of a metric at a time, whatever was looked at. ``e`` is the evidence that the treatment is worse, ``ratio`` with
    [low, high] the effect where it can be estimated."""

    metric: str
    at: datetime
    verdict: str
    why: str
    e: float
    devices_treatment: int
    devices_control: int
    hours_treatment: float
    hours_control: float
    events_treatment: float
    events_control: float
    e_rate: float | None = None
    e_first: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """All of it by name, for a look of a subject."""
        return {name: getattr(self, name) for name in FIGURES}


FIGURES: tuple[str, ...] = tuple(one.name for one in fields(RecordedLook))

L = TypeVar("L", bound=RecordedLook)

Place = tuple[datetime, str]
"""Where a look stands among those at its subject: its time and metric."""


class LookLedger(Generic[L]):
    """The looks of one ``table``, as values of the dataclass ``kind``, whose fields are its columns; ``subject`` names the subject's."""

    def __init__(self, table: Table, subject: str, kind: type[L]) -> None:
        self._table = table
        self._subject = table.c[subject]
        self._kind = kind
        self._fields: tuple[str, ...] = tuple(one.name for one in fields(kind))
        self._columns = tuple(table.c[name] for name in self._fields)

    def append(self, connection: Connection, looks: Sequence[L]) -> int:
        """Append looks; one of the same subject, metric and time that is there already is left. Returns how many were new."""
        rows = [self._row(look) for look in looks]
        return insert_missing(connection, self._table, rows)

    def list_looks(
        self,
        connection: Connection,
        subject: int,
        *,
        metric: str | None = None,
        since: datetime | None = None,
        after: Place | None = None,
        limit: int | None = None,
    ) -> list[L]:
        """Looks at a subject, oldest first, by metric where they are of the same time; only those later than ``since`` and ``after``."""
        at, name = self._table.c.at, self._table.c.metric
        query = sa.select(*self._columns).where(self._subject == subject)
        if metric is not None:
            query = query.where(name == metric)
        if since is not None:
            query = query.where(at > since)
        if after is not None:
            query = query.where((at > after[0]) | ((at == after[0]) & (name > after[1])))
        rows = connection.execute(query.order_by(at, name).limit(limit)).mappings()
        return [self._kind(**row) for row in rows]

    def latest(self, connection: Connection, subjects: Sequence[int] | None = None) -> list[L]:
        """The newest look of each subject and metric, by subject and metric."""
        newest = sa.func.row_number().over(
            partition_by=(self._subject, self._table.c.metric),
            order_by=(self._table.c.at.desc(), self._table.c.id.desc()),
        )
        ranked = sa.select(*self._columns, newest.label("rank"))
        if subjects is not None:
            ranked = ranked.where(self._subject.in_(subjects))
        inner = ranked.subquery()
        query = sa.select(*(inner.c[name] for name in self._fields)).where(inner.c.rank == 1)
        rows = connection.execute(query.order_by(inner.c[self._subject.name], inner.c.metric)).mappings()
        return [self._kind(**row) for row in rows]

    def _row(self, look: L) -> dict[str, Any]:
        told = {name: getattr(look, name) for name in self._fields}
        return told | {"why": fitted(self._table.c.why, told["why"])}
