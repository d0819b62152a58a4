"""Tickets that a customer asks for from their page."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets.ledger import record
from hearthwatch.errors import Missing
from hearthwatch.records import devices, ticket_findings, tickets
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Ticket

PRIORITY = 3


def request_visit(
    connection: Connection,
    *,
    device_id: str,
    customer_id: str,
    home_id: str | None,
    finding_id: int | None,
    actor: str,
    now: datetime,
    due_at: datetime | None = None,
) -> Ticket:
    """A customer wants somebody to come: noted in the open ticket about their device, else a ticket of its own."""
    about = ticket_findings.of_findings(connection, [finding_id]).get(finding_id) if finding_id is not None else None
    standing = [
        one
        for one in tickets.list_tickets(connection, device_id=device_id, open_only=True, limit=1000)
        if one.customer_id in {None, customer_id}
    ]
    known = next(
        (one for one in standing if about is not None and one.id == about.id), standing[0] if standing else None
    )
    if known is not None:
        return record(connection, known, "customer", actor, now, {"wish": "visit"})
    return _open_request(connection, device_id, customer_id, home_id, finding_id, actor, now, due_at, about)


def _open_request(
    connection: Connection,
    device_id: str,
    customer_id: str,
    home_id: str | None,
    finding_id: int | None,
    actor: str,
    now: datetime,
    due_at: datetime | None,
    about: Ticket | None,
) -> Ticket:
    stem = f"request:{device_id}:{customer_id}/"
    earlier = tickets.with_stem(connection, stem, kind="request", device_id=device_id)
    new = NewTicket(
        cause=f"{stem}{len(earlier) + 1}",
        kind="request",
        title=f"{device_id}: the customer asks for a visit",
        priority=PRIORITY,
        due_at=due_at,
        finding_id=finding_id,
        parent_id=about.id if about is not None and about.kind == "cohort" else None,
        device_id=device_id,
        customer_id=customer_id,
        home_id=home_id,
        model=_model(connection, device_id),
        source="page",
    )
    ticket, opened = tickets.open_once(connection, new, actor=actor, now=now, detail={"finding_id": finding_id})
    return record(connection, ticket, "customer", actor, now, {"wish": "visit"}) if opened else ticket


def _model(connection: Connection, device_id: str) -> str | None:
    try:
        return devices.get(connection, device_id).model
    except Missing:
        return None
