"""What a desk posts to us by itself: that a ticket changed there, or what was done with it."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection

from alerts.mirrors import webhook_desk, zammad
from alerts.mirrors.case import ticket_of
from alerts.mirrors.heard import hear
from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records import mirrors
from hearthwatch.records.mirrors import Mirror


def zammad_says(connection: Connection, body: bytes, now: datetime) -> bool:
    """A ticket changed in Zammad: look at it next. What it says is not trusted further. False for a ticket that is none of ours.

    Raises `Invalid` for a body without a ticket.
    """
    try:
        identifier = str(int(json.loads(body)["ticket"]["id"]))
    except (ValueError, KeyError, TypeError):
        raise Invalid("there is no ticket in it", where="ticket.id") from None
    mirror = mirrors.by_outside_id(connection, zammad.NAME, identifier)
    if mirror is None or mirror.state != "standing":
        return False
    mirrors.save(connection, mirror.ticket_id, zammad.NAME, {"looked_at": None}, now)
    return True


def report(connection: Connection, message_id: str, body: bytes, public_url: str, now: datetime) -> Mirror:
    """Do what a desk of the maker's own reports, once for each message. Raises `Invalid`, `Missing` or `Conflict`."""
    said = webhook_desk.read_report(body)
    ticket_id = ticket_of(said.reference, public_url)
    mirror = mirrors.find(connection, ticket_id) if ticket_id is not None else None
    if mirror is None or mirror.desk != webhook_desk.NAME:
        raise Missing("no such ticket is shown in the desk", where="reference")
    if not mirrors.take_report(connection, message_id, now):
        return mirror
    if mirror.state == "ended":
        raise Conflict(f"it is no longer followed: {mirror.why}", where="reference")
    return hear(connection, mirror, said.side(mirror.seen), now)
