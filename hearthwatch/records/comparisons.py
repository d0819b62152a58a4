"""Standing comparisons: whether devices of one batch, region or supplier do worse than others of their model, looked at every hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records.attributes import check_name
from hearthwatch.records.database import update_at_revision
from hearthwatch.records.tables import comparisons

PART = "part:"
BUILT_IN = ("hardware", "region", "made")
LONGEST_BACK = timedelta(days=180)
"""A comparison may count telemetry that was there before it was asked for; all of it is read anew every day."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A question that is asked every hour until it is ended.

    ``by`` is ``hardware``, ``region``, ``made`` (the month), ``part:<part>`` (who supplied it, by the part's detail) or the name of an
    attribute. ``control`` holds values, empty for all others; ``metric`` None stands for all. Evidence counts from ``since`` on.
    """

    id: int
    model: str
    by: str
    treatment: str
    control: tuple[str, ...]
    metric: str | None
    since: datetime
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    revision: int


_COLUMNS = tuple(comparisons.c[name] for name in Comparison.__dataclass_fields__)


def create(
    connection: Connection,
    *,
    model: str,
    by: str,
    treatment: str,
    control: Sequence[str] = (),
    metric: str | None = None,
    since: datetime,
    now: datetime,
    actor: str,
) -> Comparison:
    """Ask a question from now on. Raises `Invalid` for one that has no answer, `Conflict` when it is being asked already."""
    _check(by, treatment, control)
    if not now - LONGEST_BACK <= since <= now:
        raise Invalid(f"lies in the future, or more than {LONGEST_BACK.days} days back", where="since")
    asked = list_comparisons(connection, model=model, ended=False)
    wanted = tuple(sorted(set(control)))
    if any((one.by, one.treatment, one.control, one.metric) == (by, treatment, wanted, metric) for one in asked):
        raise Conflict("this comparison is being watched already", where=f"{model} {by} {treatment}")
    row = {
        "model": model,
        "by": by,
        "treatment": treatment,
        "control": list(wanted),
        "metric": metric,
        "since": since,
        "created_at": now,
        "created_by": actor,
    }
    number = connection.execute(sa.insert(comparisons).values(row).returning(comparisons.c.id)).scalar_one()
    return get(connection, int(number))


def _check(by: str, treatment: str, control: Sequence[str]) -> None:
    if by == "firmware":
        raise Invalid("firmware is compared by its releases: announce one", where="by")
    if by.startswith(PART):
        if not by.removeprefix(PART):
            raise Invalid("which part? part:battery, for example", where="by")
    elif by not in BUILT_IN:
        check_name(by)
    if treatment in control:
        raise Invalid("a value can not be compared with itself", where=f"control: {treatment}")


def get(connection: Connection, comparison_id: int) -> Comparison:
    """One comparison. Raises `Missing`."""
    found = _select(connection, comparisons.c.id == comparison_id)
    if not found:
        raise Missing("no such comparison", where=str(comparison_id))
    return found[0]


def list_comparisons(
    connection: Connection, *, model: str | None = None, ended: bool | None = None, after: int | None = None,
    limit: int = 10_000,
) -> list[Comparison]:  # fmt: skip
    """Comparisons, newest first; ``after`` is the last id of the page before."""
    where = []
    if model is not None:
        where.append(comparisons.c.model == model)
    if ended is not None:
        where.append(comparisons.c.ended_at.is_not(None) if ended else comparisons.c.ended_at.is_(None))
    if after is not None:
        where.append(comparisons.c.id < after)
    return _select(connection, *where, limit=limit)


def end(connection: Connection, comparison_id: int, revision: int | None, now: datetime) -> Comparison:
    """Ask no more; what was seen stays. Raises `Missing`, `Stale`, or `Conflict` when it has ended."""
    if get(connection, comparison_id).ended_at is not None:
        raise Conflict("it has ended already", where=f"comparison {comparison_id}")
    update_at_revision(connection, comparisons, {"id": comparison_id}, revision, {"ended_at": now})
    return get(connection, comparison_id)


def _select(connection: Connection, *where: sa.ColumnElement[bool], limit: int = 1) -> list[Comparison]:
    query = sa.select(*_COLUMNS).where(*where).order_by(comparisons.c.id.desc()).limit(limit)
    rows = connection.execute(query).mappings()
    return [Comparison(**{**row, "control": tuple(row["control"])}) for row in rows]
