"""What customers, agents and technicians wrote on tickets. The ledger names these rows by their ids; the texts can be erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched
from hearthwatch.records.tables import ticket_messages
from hearthwatch.records.tables.columns import fitted

Direction = Literal["in", "out", "internal", "unverified"]
"""From the customer, to the customer, among staff, or from somebody who may be anybody. The last two are never shown to a customer."""
VISIBLE = ("in", "out")


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """One text on a ticket."""

    id: int
    ticket_id: int
    direction: Direction
    author: str
    text: str
    at: datetime
    erased_at: datetime | None
    revision: int

    @property
    def visible(self) -> bool:
        """Whether the customer may see it."""
        return self.direction in VISIBLE


_COLUMNS = tuple(ticket_messages.c[name] for name in TicketMessage.__dataclass_fields__)


def add(connection: Connection, ticket_id: int, direction: Direction, author: str, text: str, now: datetime) -> int:
    """Keep a text; returns its id."""
    row = {
        "ticket_id": ticket_id,
        "direction": direction,
        "author": fitted(ticket_messages.c.author, author),
        "text": fitted(ticket_messages.c.text, text),
        "at": now,
    }
    made: int = connection.execute(sa.insert(ticket_messages).values(row).returning(ticket_messages.c.id)).scalar_one()
    return made


def of_ticket(connection: Connection, ticket_id: int, *, visible: bool = False) -> list[TicketMessage]:
    """What was written on a ticket, oldest first; ``visible``: only what its customer may see."""
    query = sa.select(*_COLUMNS).where(ticket_messages.c.ticket_id == ticket_id)
    if visible:
        query = query.where(ticket_messages.c.direction.in_(VISIBLE))
    return [TicketMessage(**row) for row in connection.execute(query.order_by(ticket_messages.c.id)).mappings()]


def texts(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Some texts by their ids."""
    found: dict[int, str] = {}
    for some in batched(ids):
        query = sa.select(ticket_messages.c.id, ticket_messages.c.text).where(ticket_messages.c.id.in_(some))
        found.update((row.id, row.text) for row in connection.execute(query))
    return found


def move(connection: Connection, from_ticket: int, to_ticket: int) -> int:
    """Let all texts of a ticket stand on another. Returns how many there were."""
    where = ticket_messages.c.ticket_id == from_ticket
    changes = {"ticket_id": to_ticket, "revision": ticket_messages.c.revision + 1}
    return connection.execute(sa.update(ticket_messages).where(where).values(changes)).rowcount


def hide(connection: Connection, ticket_id: int) -> int:
    """Let staff alone read what a customer and service wrote to each other so far. Returns how many texts there were."""
    hidden = sa.case((ticket_messages.c.direction == "out", "internal"), else_="unverified")
    where = (ticket_messages.c.ticket_id == ticket_id, ticket_messages.c.direction.in_(VISIBLE))
    changes = {"direction": hidden, "revision": ticket_messages.c.revision + 1}
    return connection.execute(sa.update(ticket_messages).where(*where).values(changes)).rowcount


def erase(connection: Connection, which: sa.ColumnElement[bool], now: datetime) -> int:
    """Take some texts away for good. Returns how many there were."""
    where = (which, ticket_messages.c.erased_at.is_(None))
    changes = {"text": "", "erased_at": now, "revision": ticket_messages.c.revision + 1}
    return connection.execute(sa.update(ticket_messages).where(*where).values(changes)).rowcount
