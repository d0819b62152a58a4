"""Which devices share a household: letters and budgets are theirs together."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched
from hearthwatch.records.tables import ownerships


def around(connection: Connection, device_ids: Iterable[str]) -> set[str]:
    """Some devices, and all others that are or were with the same customers or in the same homes."""
    columns = ownerships.c
    found = set(device_ids)
    for some in batched(sorted(found)):
        theirs = sa.select(columns.customer_id, columns.home_id).where(columns.device_id.in_(some)).subquery()
        shared = sa.or_(
            columns.customer_id.in_(sa.select(theirs.c.customer_id)), columns.home_id.in_(sa.select(theirs.c.home_id))
        )
        found.update(connection.execute(sa.select(columns.device_id).where(shared)).scalars())
    return found
