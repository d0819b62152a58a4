"""The metric names the fleet has used: new ones are admitted within a budget, so that no device can flood the stores with names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import metric_names


def load(connection: Connection) -> set[str]:
    """All admitted names."""
    return set(connection.execute(sa.select(metric_names.c.name)).scalars())


def admit(connection: Connection, names: Iterable[str], device: str | None, now: datetime, budget: int) -> set[str]:
    """Admit new names, in the order given, while the fleet has fewer than ``budget``. Returns those of ``names`` that are admitted."""
    known = load(connection)
    wanted = list(dict.fromkeys(names))
    room = max(0, budget - len(known))
    new = [name for name in wanted if name not in known][:room]
    insert_missing(
        connection, metric_names, [{"name": name, "first_device": device, "first_seen": now} for name in new]
    )
    return (known | set(new)) & set(wanted)
