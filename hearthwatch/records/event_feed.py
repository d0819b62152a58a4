"""What happened to notices and tickets, read off their ledgers for systems that want to be told: each endpoint has its place in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import replace_rows
from hearthwatch.records.tables import event_cursors, notice_events, notices, ticket_events, tickets

Ledger = Literal["notice", "ticket"]
_TABLES: dict[Ledger, tuple[sa.Table, sa.Table, str]] = {
    "notice": (notice_events, notices, "notice_id"),
    "ticket": (ticket_events, tickets, "ticket_id"),
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a ledger, and the row it is about as it is now."""

    id: int
    at: datetime
    what: str
    detail: dict[str, Any]
    about: dict[str, Any]


def place(connection: Connection, endpoint: str, ledger: Ledger) -> int:
    """The event up to which an endpoint was told for certain. One that is new is told nothing of what was before."""
    mine = (event_cursors.c.endpoint == endpoint, event_cursors.c.ledger == ledger)
    known = connection.execute(sa.select(event_cursors.c.last_id).where(*mine)).scalar_one_or_none()
    if known is None:
        events = _TABLES[ledger][0]
        known = connection.execute(sa.select(sa.func.max(events.c.id))).scalar_one() or 0
        keep_place(connection, endpoint, ledger, known)
    return int(known)


def keep_place(connection: Connection, endpoint: str, ledger: Ledger, last_id: int) -> None:
    """Remember how far an endpoint was told."""
    replace_rows(connection, event_cursors, [{"endpoint": endpoint, "ledger": ledger, "last_id": last_id}])


def since(connection: Connection, ledger: Ledger, after: int, columns: Sequence[str], *, limit: int) -> list[Happened]:
    """Events after one, oldest first, each with some columns of the row it is about."""
    events, about, key = _TABLES[ledger]
    query = (
        sa.select(events, *(about.c[name].label(f"about_{name}") for name in columns))
        .join(about, about.c.id == events.c[key])
        .where(events.c.id > after)
        .order_by(events.c.id)
        .limit(limit)
    )
    return [
        Happened(
            row["id"],
            row["at"],
            row["what"],
            dict(row["detail"] or {}),
            {name: row[f"about_{name}"] for name in columns},
        )
        for row in connection.execute(query).mappings()
    ]
