"""Writes what happened to a ticket: the entry of its ledger, and the row that follows from it, together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from alerts.tickets import states
from hearthwatch.errors import Conflict, Stale
from hearthwatch.records import tickets
from hearthwatch.values import Ticket


def record(
    connection: Connection,
    ticket: Ticket,
    what: str,
    actor: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
    *,
    also: Mapping[str, Any] | None = None,
) -> Ticket:
    """Let one of `alerts.tickets.states.EVENTS` happen to a ticket, as it was read; returns it as it is then.

    ``detail`` stands in the ledger for ever: ids, codes and times, never what a person wrote. ``also`` changes columns that are none of
    the ledger's (texts, notes, due times). Raises `Conflict`, `Denied` or `Invalid` as the states do, and `Stale`.
    """
    told = dict(detail or {})
    before = states.of(ticket)
    try:
        standing = states.after(before, what, actor=actor, at=now, detail=told)
    except Conflict as error:
        raise Conflict(error.message, where=error.where or f"ticket {ticket.id}") from None
    changes = {
        name: getattr(standing, name) for name in states.FIELDS if getattr(standing, name) != getattr(before, name)
    }
    changes |= also or {}
    changed = tickets.change(connection, ticket.id, ticket.revision, changes)
    tickets.note(connection, ticket.id, now, what, actor, told)
    return changed


def at_revision(connection: Connection, ticket_id: int, revision: int | None) -> Ticket:
    """A ticket as somebody read it. Raises `Missing`, or `Stale` where it changed since then.

    Transactions that write take turns, so that it is the same until this one has written.
    """
    ticket = tickets.get(connection, ticket_id)
    if revision is not None and ticket.revision != revision:
        raise Stale(
            f"it changed since you read it (revision {revision}, now {ticket.revision})", where=f"ticket {ticket_id}"
        )
    return ticket
