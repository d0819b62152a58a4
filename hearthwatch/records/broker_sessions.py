"""The sessions that the broker keeps for ingestors, so that one nobody holds any more can be emptied and ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing, replace_rows
from hearthwatch.records.tables import broker_sessions


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """One session. ``ended_at`` is None while the broker may keep messages for it."""

    client_id: str
    filters: Sequence[str]
    held_by: str | None
    held_at: datetime
    ended_at: datetime | None


def opened(connection: Connection, client_id: str, filters: Sequence[str], holder: str, now: datetime) -> None:
    """An ingestor is about to open it: from here on it has to be emptied before it may be forgotten."""
    row = {"client_id": client_id, "filters": list(filters), "held_by": holder, "held_at": now, "ended_at": None}
    replace_rows(connection, broker_sessions, [row])


def suspected(connection: Connection, client_id: str, filters: Sequence[str], held_at: datetime) -> None:
    """The broker may still keep this session from a time before sessions were written down; nothing happens where it is known."""
    row = {"client_id": client_id, "filters": list(filters), "held_at": held_at}
    insert_missing(connection, broker_sessions, [row])


def held(connection: Connection, client_ids: Iterable[str], holder: str, now: datetime) -> None:
    """These are still held."""
    mine = (broker_sessions.c.client_id.in_(list(client_ids)), broker_sessions.c.held_by == holder)
    connection.execute(sa.update(broker_sessions).where(*mine).values(held_at=now))


def ended(connection: Connection, client_id: str, now: datetime) -> None:
    """The broker has forgotten it, and nothing was left in it."""
    of_id = broker_sessions.c.client_id == client_id
    connection.execute(sa.update(broker_sessions).where(of_id).values(ended_at=now, held_by=None))


def left(connection: Connection, before: datetime) -> list[BrokerSession]:
    """Sessions that were not ended and that nobody has held since ``before``, the longest left first."""
    query = (
        sa.select(broker_sessions)
        .where(broker_sessions.c.ended_at.is_(None), broker_sessions.c.held_at < before)
        .order_by(broker_sessions.c.held_at, broker_sessions.c.client_id)
    )
    return [BrokerSession(**row) for row in connection.execute(query).mappings()]
