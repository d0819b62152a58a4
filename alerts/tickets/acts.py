"""What people do with tickets: assign, schedule, note, close, and ask for a visit. Each act is in the ticket's ledger with its actor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.notices.wording import plain
from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records import devices, findings, outcomes, parts, technicians, tickets
from hearthwatch.records.outcomes import Outcome
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import CLOSING_CODES, Ticket

FAILURES = frozenset({"confirmed", "different_fault"})
SETTLING = FAILURES | {"fixed_by_update"}
LONGEST_NOTE = 4000
REQUEST_PRIORITY = 3


def assign(
    connection: Connection, ticket_id: int, revision: int | None, technician_id: str, actor: str, now: datetime
) -> Ticket:
    """Give a ticket to a technician. Raises `Missing`, `Stale`, or `Conflict` when it is closed or the technician is not active."""
    ticket = _open(connection, ticket_id)
    technician = technicians.get(connection, technician_id)
    if not technician.active:
        raise Conflict(f"{technician.name} is not active", where=technician_id)
    state = "assigned" if ticket.state == "open" else ticket.state
    changed = tickets.change(connection, ticket_id, revision, {"technician_id": technician_id, "state": state})
    detail = {"technician_id": technician_id, "before": ticket.technician_id}
    tickets.note(connection, ticket_id, now, "assigned", actor, detail)
    return changed


def schedule(
    connection: Connection, ticket_id: int, revision: int | None, at: datetime, actor: str, now: datetime
) -> Ticket:
    """Agree on a visit. Raises `Missing`, `Stale`, `Invalid` for a time that has passed, `Conflict` when it is closed or nobody's."""
    ticket = _open(connection, ticket_id)
    if at <= now:
        raise Invalid("a visit is in the future", where="at")
    if ticket.technician_id is None:
        raise Conflict("assign it first: nobody would come", where=f"ticket {ticket_id}")
    changed = tickets.change(connection, ticket_id, revision, {"state": "scheduled"})
    detail = {"at": at.isoformat(), "technician_id": ticket.technician_id}
    tickets.note(connection, ticket_id, now, "scheduled", actor, detail)
    return changed


def note(connection: Connection, ticket_id: int, revision: int | None, text: str, actor: str, now: datetime) -> Ticket:
    """Write something down. Raises `Missing`, `Stale`, or `Invalid` for an empty or endless text."""
    if not text.strip() or len(text) > LONGEST_NOTE:
        raise Invalid(f"a note has 1 to {LONGEST_NOTE} characters", where="text")
    changed = tickets.change(connection, ticket_id, revision, {})
    tickets.note(connection, ticket_id, now, "note", actor, {"text": text})
    return changed


def close(
    connection: Connection,
    ticket_id: int,
    revision: int | None,
    *,
    code: str,
    part: str | None,
    note: str | None,
    actor: str,
    now: datetime,
) -> Ticket:
    """Close a ticket with what was really wrong. That is a label for the prognosis, and a replaced part is a new part.

    ``part`` is what was replaced; without it, ``confirmed`` takes the ticket's own. The findings of a repaired device recover.
    Raises `Missing`, `Stale`, `Conflict` when it is closed, `Invalid` for an unknown code or ``different_fault`` without a part.
    """
    if code not in CLOSING_CODES:
        raise Invalid(f"a ticket closes as {', '.join(CLOSING_CODES)}, not {code!r}", where="code")
    if note is not None and len(note) > LONGEST_NOTE:
        raise Invalid(f"a note has at most {LONGEST_NOTE} characters", where="note")
    ticket = _open(connection, ticket_id)
    if code == "different_fault" and not part:
        raise Invalid("say which part it was", where="part")
    replaced = part or (ticket.part if code == "confirmed" else None)
    changes = {
        "state": "closed",
        "closed_at": now,
        "closing_code": code,
        "closing_part": plain(replaced, 64) if replaced else None,
        "closing_note": note,
        "closed_by": actor,
    }
    closed = tickets.change(connection, ticket_id, revision, changes)
    detail = {"code": code, "part": closed.closing_part, "note": note}
    tickets.note(connection, ticket_id, now, "closed", actor, detail)
    _learn(connection, closed, now)
    if code in SETTLING and closed.kind != "cohort":
        _settle(connection, closed, now)
    return closed


def _learn(connection: Connection, ticket: Ticket, now: datetime) -> None:
    """Write the label, and the new part into the device."""
    if ticket.device_id is None:
        return
    source = f"ticket:{ticket.id}"
    if ticket.closing_code in FAILURES:
        part = ticket.closing_part or ""
        outcomes.add(connection, [Outcome(ticket.device_id, part, now, "failure", source)])
        if part:
            parts.install(connection, ticket.device_id, part, now, f"ticket {ticket.id}")
    elif ticket.closing_code == "no_fault_found":
        part = ticket.closing_part or ticket.part or ""
        outcomes.add(connection, [Outcome(ticket.device_id, part, now, "no_fault_found", source)])


def _settle(connection: Connection, ticket: Ticket, now: datetime) -> None:
    for finding in tickets.standing(connection, [ticket.id]).get(ticket.id, ()):
        if finding.state != "recovered":
            findings.recover_one(connection, finding.id, now, f"ticket {ticket.id} was closed as {ticket.closing_code}")


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
    about = tickets.of_findings(connection, [finding_id]).get(finding_id) if finding_id is not None else None
    standing = [
        one
        for one in tickets.list_tickets(connection, device_id=device_id, open_only=True, limit=1000)
        if one.customer_id in {None, customer_id}
    ]
    known = next(
        (one for one in standing if about is not None and one.id == about.id), standing[0] if standing else None
    )
    if known is not None:
        tickets.note(connection, known.id, now, "customer", actor, {"wish": "visit"})
        return known
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
    stem = f"request:{device_id}/"
    earlier = tickets.with_stem(connection, stem, kind="request", device_id=device_id)
    new = NewTicket(
        cause=f"{stem}{len(earlier) + 1}",
        kind="request",
        title=f"{device_id}: the customer asks for a visit",
        priority=REQUEST_PRIORITY,
        due_at=due_at,
        finding_id=finding_id,
        parent_id=about.id if about is not None and about.kind == "cohort" else None,
        device_id=device_id,
        customer_id=customer_id,
        home_id=home_id,
        model=_model(connection, device_id),
    )
    ticket, opened = tickets.open_once(connection, new, actor=actor, now=now, detail={"finding_id": finding_id})
    if opened:
        tickets.note(connection, ticket.id, now, "customer", actor, {"wish": "visit"})
    return ticket


def _model(connection: Connection, device_id: str) -> str | None:
    try:
        return devices.get(connection, device_id).model
    except Missing:
        return None


def _open(connection: Connection, ticket_id: int) -> Ticket:
    ticket = tickets.get(connection, ticket_id)
    if ticket.state == "closed":
        raise Conflict(f"it was closed as {ticket.closing_code}", where=f"ticket {ticket_id}")
    return ticket
