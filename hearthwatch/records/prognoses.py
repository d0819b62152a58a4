"""The newest prognosis of each device and part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import replace_rows
from hearthwatch.records.tables import prognoses
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class Prognosis:
    """Probabilities of failure within 7, 30 and 90 days, or why there are none (``abstained``); how long the part will last, or why not.

    ``method`` is what the probabilities come from: ``hazard`` looks at the device's own signs, ``survival`` at its age or use alone;
    then ``clock`` is ``age`` or the counter of use. A longer horizon may be null where nothing is known so far ahead.

    ``rul_p10``, ``rul_p50``, ``rul_p90``: days within which one in ten, half and nine in ten parts like this fail; a value equal to
    ``rul_cap`` means that or longer. ``rul_method``: ``wear`` (learned from worn parts), or the method of the probabilities. All are null
    for parts that do not wear out; ``rul_abstained`` says why a part that does has none.

    ``against`` is what speaks against the risk, in the form of a reason. ``decision`` tells where the probability is above the line from
    which on it is worth a finding: ``state`` (``flagged``, ``unconfirmed`` on the first day, ``waiting`` for the week's budget) and what it
    was weighed by. It is null below the line.
    """

    device_id: str
    part: str
    at: datetime
    model_version_id: int | None
    p7: float | None
    p30: float | None
    p90: float | None
    abstained: str | None
    reasons: Sequence[Mapping[str, Any]]
    method: str | None = None
    clock: str | None = None
    rul_method: str | None = None
    rul_abstained: str | None = None
    rul_p10: float | None = None
    rul_p50: float | None = None
    rul_p90: float | None = None
    rul_cap: float | None = None
    against: Mapping[str, Any] | None = None
    decision: Mapping[str, Any] | None = None


RECENT = timedelta(days=7)
"""For so long after a device was last told of it is shown among the riskiest."""

_FIELDS = tuple(Prognosis.__dataclass_fields__)


def put(connection: Connection, rows: Sequence[Prognosis]) -> None:
    """Write prognoses, over the earlier ones of the same device and part."""
    values = [
        {name: getattr(row, name) for name in _FIELDS}
        | {name: fitted(prognoses.c[name], getattr(row, name)) for name in ("abstained", "rul_abstained")}
        | {"reasons": list(row.reasons)}
        for row in rows
    ]
    replace_rows(connection, prognoses, values)


def of_device(connection: Connection, device_id: str) -> list[Prognosis]:
    """The prognoses that were last made of one device, by part; parts that were told of earlier, and not since, are left out."""
    query = sa.select(prognoses).where(prognoses.c.device_id == device_id).order_by(prognoses.c.part)
    rows = [Prognosis(**row) for row in connection.execute(query).mappings()]
    newest = max((row.at for row in rows), default=None)
    return [row for row in rows if row.at == newest]


def riskiest(
    connection: Connection, *, since: datetime | None = None, state: str | None = None, limit: int = 100
) -> list[Prognosis]:
    """Prognoses with the highest probability within 30 days first; abstentions are left out, and what was told before ``since``: a
    device that has gone keeps its last one. ``state``: only those with this state of their decision."""
    query = sa.select(prognoses).where(prognoses.c.p30.is_not(None))
    if since is not None:
        query = query.where(prognoses.c.at >= since)
    if state is not None:
        query = query.where(prognoses.c.decision["state"].as_string() == state)
    rows = connection.execute(
        query.order_by(prognoses.c.p30.desc(), prognoses.c.device_id, prognoses.c.part).limit(limit)
    )
    return [Prognosis(**row) for row in rows.mappings()]
