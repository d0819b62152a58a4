"""How a ticket ends: with its outcome, which becomes a label, and with what that means for its findings, its parts and its children."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.notices.wording import plain
from alerts.tickets import conversation, recalls
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import devices, findings, outcomes, parts, ticket_approvals, ticket_findings, tickets
from hearthwatch.records.outcomes import Outcome
from hearthwatch.values import CLOSING_CODES, Ticket

FAILURES = frozenset({"confirmed", "different_fault"})
SETTLING = FAILURES | {"fixed_by_update"}
LABELS = {
    "confirmed": "failure",
    "different_fault": "failure",
    "no_fault_found": "no_fault_found",
    "user_error": "user_error",
    "environment": "environment",
    "fixed_by_update": "fixed_by_update",
}
"""The label of each closing code; for the others nobody has looked at the device, and there is none."""
PUT_IN_BY = "ticket "
"""How the detail of a part begins that a ticket put in: it is of no batch or maker that is known."""
PASSED_ON = frozenset({"fixed_by_update", "recovered", "environment"})
"""What may be true of all children at once; what was wrong with a part, each device's ticket says for itself."""
CLEARED = ("closed_at", "closing_note", "closed_by", "failed_at")


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
    failed_at: datetime | None = None,
    children: bool = False,
) -> Ticket:
    """Close a ticket with what was really wrong. That is a label for the prognosis, and a replaced part is a new part.

    ``part`` is what was replaced; without it, ``confirmed`` takes the ticket's own. ``failed_at`` is when the failure really happened; it
    is the label's time then. The findings of a repaired device recover, a recalled one is settled in its campaign. ``children`` closes
    the tickets of the same problem with it, but for those where somebody is on the way. Raises `Missing`, `Stale`, `Conflict` when it is
    closed, `Invalid` for an unknown code, ``different_fault`` without a part, or a time of failure that can not be.
    """
    if code not in CLOSING_CODES:
        raise Invalid(f"a ticket closes as {', '.join(CLOSING_CODES)}, not {code!r}", where="code")
    if note is not None and len(note) > conversation.LONGEST_TEXT:
        raise Invalid(f"a note has at most {conversation.LONGEST_TEXT} characters", where="note")
    if children and code not in PASSED_ON:
        raise Invalid(
            f"its tickets can end together as {', '.join(sorted(PASSED_ON))}, not as {code}", where="children"
        )
    ticket = at_revision(connection, ticket_id, revision)
    if ticket.state == "closed":
        raise Conflict(f"it was closed as {ticket.closing_code}", where=f"ticket {ticket_id}")
    if code == "different_fault" and not part:
        raise Invalid("say which part it was", where="part")
    check_failed_at(connection, ticket, code, failed_at, now)
    detail: dict[str, object] = {"code": code, "part": replaced_part(ticket, code, part)}
    if failed_at is not None:
        detail["failed_at"] = failed_at.isoformat()
    if children:
        detail |= _close_children(connection, ticket, code, note, actor, now)
    settled = recalls.settle(connection, ticket, code, actor, now)
    if settled:
        detail[recalls.SETTLED] = settled
    withdraw(connection, ticket, now)
    also = {"closed_at": now, "closing_note": note, "closed_by": actor[:120], "failed_at": failed_at}
    closed = record(connection, ticket, "closed", actor, now, detail, also=also)
    learn(connection, closed, now)
    if code in SETTLING and closed.kind != "cohort":
        settle_findings(connection, closed, now)
    return closed


def reopen(connection: Connection, ticket_id: int, revision: int | None, why: str, actor: str, now: datetime) -> Ticket:
    """Go on with a ticket that a person closed too early; the reason is an internal note, and who had it has it again.

    Its label holds until it is closed again (`learn`). Raises `Conflict` when it is open, was merged, or another one about this is open.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if ticket.state != "closed":
        raise Conflict("it is open", where=f"ticket {ticket_id}")
    other = tickets.open_of_stem(connection, ticket.stem)
    if other is not None:
        raise Conflict(f"ticket {other.id} is open about this", where=f"ticket {ticket_id}")
    noted = conversation.keep(connection, ticket, "internal", why, actor, now)
    detail = {"message_id": noted, "closed_as": ticket.closing_code, "technician_id": ticket.technician_id}
    recalls.undo(connection, ticket, actor, now)
    return record(connection, ticket, "reopened", actor, now, detail, also=dict.fromkeys(CLEARED))


def withdraw(connection: Connection, ticket: Ticket, now: datetime) -> bool:
    """Take back a question about a price that nobody has to answer any more. Returns whether there was one."""
    asked = ticket_approvals.asked(connection, ticket.id)
    if asked is not None:
        ticket_approvals.change(connection, asked.id, None, {"state": "withdrawn", "decided_at": now})
    return asked is not None


def check_failed_at(
    connection: Connection, ticket: Ticket, code: str, failed_at: datetime | None, now: datetime
) -> None:
    """Raise `Invalid` for a time of failure that can not be; ``now`` is when the ticket closes."""
    if failed_at is None:
        return
    if code not in FAILURES:
        raise Invalid("only a failure has a time at which it happened", where="failed_at")
    if failed_at > now:
        raise Invalid("it can not have failed after the ticket is closed", where="failed_at")
    device = devices.find(connection, [ticket.device_id]).get(ticket.device_id) if ticket.device_id else None
    since = (device.installed_at or device.made) if device is not None else None
    if since is not None and failed_at < since:
        raise Invalid(f"it was installed on {since:%Y-%m-%d}; it can not have failed before", where="failed_at")


def _close_children(
    connection: Connection, parent: Ticket, code: str, note: str | None, actor: str, now: datetime
) -> dict[str, object]:
    closed, left = [], []
    for child in tickets.list_tickets(connection, parent_id=parent.id, open_only=True, limit=1_000_000):
        if child.state in {"scheduled", "in_progress"} or child.approved_until is not None:
            left.append(child.id)
            continue
        close(connection, child.id, child.revision, code=code, part=None, note=note, actor=actor, now=now)
        closed.append(child.id)
    return {"children": sorted(closed), "left": sorted(left)}


def replaced_part(ticket: Ticket, code: str, part: str | None) -> str | None:
    """What was replaced, as it is kept: what somebody says, else the ticket's own part where that was at fault."""
    replaced = part or (ticket.part if code == "confirmed" else None)
    return plain(replaced, 64) if replaced else None


def label_of(ticket: Ticket) -> Outcome | None:
    """The label of a closed ticket; None where nobody looked at a device, or a recall was carried out on one that had not failed."""
    label = LABELS.get(ticket.closing_code or "")
    at = ticket.failed_at or ticket.closed_at
    if ticket.device_id is None or label is None or at is None or _is_recall_carried_out(ticket):
        return None
    part = ticket.closing_part or ("" if label == "failure" else ticket.part or "")
    return Outcome(ticket.device_id, part, at, label, source_of_label(ticket))


def _is_recall_carried_out(ticket: Ticket) -> bool:
    """A recalled device is repaired, exchanged or paid back whether or not it failed; that it did, its time of failure says."""
    return (
        ticket.closing_code == "confirmed" and ticket.failed_at is None and ticket.stem.startswith(f"{recalls.STEM}:")
    )


def source_of_label(ticket: Ticket) -> str:
    """Who says so in the labels of a ticket."""
    return f"ticket:{ticket.id}"


def source_of_part(ticket: Ticket) -> str:
    """What is noted beside a part that a ticket put in."""
    return f"{PUT_IN_BY}{ticket.id}"


def learn(connection: Connection, ticket: Ticket, closed_at: datetime) -> None:
    """Write the label of a closed ticket, and the new part into its device.

    A case has one label, the last: one that was opened again and is closed as before keeps its own (unless somebody says when it failed
    anew), any other outcome takes its place. Where nobody looked the second time, what was found the first time holds.
    """
    if ticket.device_id and ticket.closing_part and ticket.closing_code in FAILURES:
        parts.install(connection, ticket.device_id, ticket.closing_part, closed_at, source_of_part(ticket))
    label = label_of(ticket)
    if label is None:
        return
    known = outcomes.of_source(connection, source_of_label(ticket))
    same = [
        one for one in known if (one.device_id, one.outcome, one.part) == (label.device_id, label.outcome, label.part)
    ]
    for one in known:
        if one not in same:
            outcomes.supersede(connection, one, closed_at)
    if not same or ticket.failed_at is not None:
        outcomes.add(connection, [label])


def settle_findings(connection: Connection, ticket: Ticket, now: datetime) -> None:
    """Let the findings of a ticket recover: what they told of was put right."""
    for finding in ticket_findings.standing(connection, [ticket.id]).get(ticket.id, ()):
        if finding.state != "recovered":
            findings.recover_one(connection, finding.id, now, f"ticket {ticket.id} was closed as {ticket.closing_code}")
