"""Leases: of several processes that could do a thing, one does it."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import leases


def hold(connection: Connection, name: str, holder: str, now: datetime, duration: timedelta) -> bool:
    """Take or keep a lease. False while another holder's is still good."""
    until = now + duration
    if insert_missing(connection, leases, [{"name": name, "holder": holder, "token": 1, "expires_at": until}]):
        return True
    free = sa.or_(leases.c.holder == holder, leases.c.expires_at < now)
    changed = connection.execute(
        sa.update(leases)
        .where(leases.c.name == name, free)
        .values(
            holder=holder,
            expires_at=until,
            token=sa.case((leases.c.holder == holder, leases.c.token), else_=leases.c.token + 1),
        )
    )
    return changed.rowcount == 1


def give_up(connection: Connection, name: str, holder: str) -> None:
    """Let go of a lease at once, so that another need not wait for it to run out."""
    connection.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))
