"""Customers' agreement to paid remedies: what was asked, what was shown, how and when it was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import update_at_revision
from hearthwatch.records.tables import ticket_approvals

Via = Literal["link", "phone", "letter"]


@dataclass(frozen=True, slots=True)
class Approval:
    """One question to a customer. ``price`` is in minor units of ``currency``; ``wording`` is what they read when they answered,
    ``wording_digest`` its SHA-256. ``state``: asked, approved, declined, expired, withdrawn."""

    id: int
    ticket_id: int
    remedy: str
    price: int
    currency: str
    state: str
    asked_at: datetime
    asked_by: str
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    via: str | None
    link_id: int | None
    language: str | None
    wording: str | None
    wording_digest: str | None
    revision: int


_COLUMNS = tuple(ticket_approvals.c[name] for name in Approval.__dataclass_fields__)


def ask(
    connection: Connection,
    ticket_id: int,
    *,
    remedy: str,
    price: int,
    currency: str,
    actor: str,
    now: datetime,
    expires_at: datetime,
) -> Approval:
    """Keep a question. Raises `Conflict` while another one is open about the ticket."""
    row = {
        "ticket_id": ticket_id,
        "remedy": remedy,
        "price": price,
        "currency": currency,
        "state": "asked",
        "asked_at": now,
        "asked_by": actor[:120],
        "expires_at": expires_at,
    }
    made = connection.execute(sa.insert(ticket_approvals).values(row).returning(*_COLUMNS))
    return Approval(**made.mappings().one())


def change(connection: Connection, approval_id: int, revision: int | None, changes: Mapping[str, Any]) -> Approval:
    """Change one, at ``revision`` if given. Raises `Missing` or `Stale`."""
    update_at_revision(connection, ticket_approvals, {"id": approval_id}, revision, changes)
    return get(connection, approval_id)


def get(connection: Connection, approval_id: int) -> Approval:
    """One question. Raises `Missing`."""
    query = sa.select(*_COLUMNS).where(ticket_approvals.c.id == approval_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("no such approval", where=f"approval {approval_id}")
    return Approval(**row)


def of_ticket(connection: Connection, ticket_id: int) -> list[Approval]:
    """The questions about a ticket, newest first."""
    return [Approval(*row) for row in connection.execute(_OF_TICKET, {"one": ticket_id}).all()]


_OF_TICKET = (
    sa.select(*_COLUMNS)
    .where(ticket_approvals.c.ticket_id == sa.bindparam("one"))
    .order_by(ticket_approvals.c.id.desc())
)


def asked(connection: Connection, ticket_id: int) -> Approval | None:
    """The question that waits for an answer, if there is one."""
    return next((one for one in of_ticket(connection, ticket_id) if one.state == "asked"), None)


def overdue(connection: Connection, now: datetime) -> list[Approval]:
    """The questions that nobody answered in time, oldest first."""
    query = sa.select(*_COLUMNS).where(ticket_approvals.c.state == "asked", ticket_approvals.c.expires_at <= now)
    return [Approval(**row) for row in connection.execute(query.order_by(ticket_approvals.c.id)).mappings()]
