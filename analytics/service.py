"""When parts were renewed: a device with a new part is a new device, as far as that part goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from analytics.panel import day_number
from hearthwatch.records.tables import installed_parts


def renewals(
    connection: Connection, *, since: datetime | None = None, part: str | None = None
) -> dict[tuple[str, str], Sequence[int]]:
    """Days on which a part came into a device, by (device, part), oldest first. The first one of each came with the device."""
    columns = (installed_parts.c.device_id, installed_parts.c.part, installed_parts.c.from_at)
    query = sa.select(*columns).order_by(installed_parts.c.from_at, installed_parts.c.id)
    if since is not None:
        query = query.where(installed_parts.c.from_at >= since)
    if part is not None:
        query = query.where(installed_parts.c.part == part)
    found: dict[tuple[str, str], list[int]] = {}
    for device, name, at in connection.execute(query):
        found.setdefault((device, name), []).append(day_number(at))
    return dict(found)
