"""The one way into the queue for what people report: into the open ticket of the same device and cause, else into a ticket of its own.

What we know of the device is attached by itself, the report is classified, and what means danger comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.intake import alarm, danger, snapshot
from alerts.intake.classification import Classified, classify, is_mode, part_of
from alerts.intake.complaints import BY_ID, OTHER, WISHES
from alerts.intake.opening import PRIORITY_OF_DANGER, about_of, due, owners_from_now_on, ticket_for
from alerts.intake.report import Report, check
from alerts.tickets import conversation
from alerts.tickets.ledger import record
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.reasons import CHINESE, spoken
from hearthwatch.records import report_photos, reports, ticket_messages, tickets
from hearthwatch.records.reports import NewReport, TicketReport
from hearthwatch.values import Event, Ticket


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report: its ticket, and whether it was opened for it. ``again``: the form was sent before, nothing was done."""

    ticket: Ticket
    report: TicketReport
    opened: bool
    again: bool = False


def report(connection: Connection, report: Report, now: datetime, events: Sequence[Event] = ()) -> Reported:
    """Take a report in. ``events`` are what the telemetry store has of the device's last days.

    Raises `Invalid` for one that says nothing or names what is not there, `Missing` for an unknown device or customer.
    """
    check(report, now)
    if report.once is not None and (before := reports.sent_by(connection, report.once)) is not None:
        return Reported(tickets.get(connection, before.ticket_id), before, opened=False, again=True)
    about = about_of(connection, report, now)
    classified = classify(report.complaint, report.text, about.findings)
    signs = danger.signs(report.text)
    ticket, opened = ticket_for(connection, report, about, classified, signs, now)
    ticket = owners_from_now_on(connection, ticket, report, about, now)
    kept = reports.add(connection, _row(connection, report, classified, signs, ticket, events, now), now)
    _keep_photos(connection, kept, report, now)
    ticket, kept = _say(connection, ticket, kept, report, now)
    if signs:
        ticket = _raise(connection, ticket, kept, now)
        alarm.tell_engineers(connection, ticket, kept, now)
    return Reported(ticket, kept, opened)


def _row(
    connection: Connection,
    report: Report,
    classified: Classified,
    signs: Sequence[str],
    ticket: Ticket,
    events: Sequence[Event],
    now: datetime,
) -> NewReport:
    device_id = report.device_id or ticket.device_id
    return NewReport(
        ticket_id=ticket.id,
        source=report.source,
        device_id=device_id,
        customer_id=report.customer_id,
        verified=report.verified,
        contact_name=report.contact.name,
        contact_email=report.contact.email.lower() if report.contact.email else None,
        contact_phone=report.contact.phone,
        language=report.language,
        complaint=report.complaint,
        text=report.text.strip(),
        since=report.since.isoformat() if report.since else None,
        wish=report.wish,
        mode=classified.mode,
        actor=report.actor or (f"customer:{report.customer_id}" if report.verified else "reporter"),
        explained=classified.why,
        danger=signs,
        snapshot=snapshot.of_device(connection, device_id, now, events) if device_id else {},
        once=report.once,
    )


def _keep_photos(connection: Connection, kept: TicketReport, report: Report, now: datetime) -> None:
    for photo in report.photos:
        report_photos.add_photo(
            connection,
            kept.id,
            mime=photo.mime,
            width=photo.width,
            height=photo.height,
            picture=photo.picture,
            thumbnail=photo.thumbnail,
            now=now,
        )


def _say(
    connection: Connection, ticket: Ticket, kept: TicketReport, report: Report, now: datetime
) -> tuple[Ticket, TicketReport]:
    """Put the report into the ticket's conversation; the ticket may be open again by it."""
    author = kept.actor if report.verified or report.actor else f"reporter:{kept.id}"
    message_id = conversation.message(
        connection,
        ticket.id,
        text=worded(kept, len(report.photos))[: conversation.LONGEST_TEXT],
        author=author,
        now=now,
        verified=report.verified,
        detail={"report_id": kept.id, "source": kept.source},
    )
    changed = reports.change(connection, kept.id, None, {"message_id": message_id})
    return tickets.get(connection, ticket.id), changed


def worded(kept: TicketReport, photos: int) -> str:
    """A report as a message of its ticket, in the language of whoever wrote it."""
    chinese = spoken(kept.language) == CHINESE
    colon = "：" if chinese else ": "
    facts = [
        (("自何时起" if chinese else "Since"), kept.since),
        (("希望" if chinese else "Wish"), WISHES[kept.wish][spoken(kept.language)] if kept.wish else None),
        (("照片" if chinese else "Photos"), str(photos) if photos else None),
    ]
    said = [BY_ID[kept.complaint].name(kept.language)] if kept.complaint != OTHER or not kept.text else []
    lines = [f"{name}{colon}{value}" for name, value in facts if value]
    return "\n\n".join(filter(None, ["\n".join(said), kept.text, "\n".join(lines)]))


def _raise(connection: Connection, ticket: Ticket, kept: TicketReport, now: datetime) -> Ticket:
    if ticket.priority <= PRIORITY_OF_DANGER or ticket.state == "closed":
        return ticket
    detail = {"from": ticket.priority, "to": PRIORITY_OF_DANGER, "why": "danger", "report_id": kept.id}
    dates = (ticket.due_at, due(connection, PRIORITY_OF_DANGER, now))
    sooner = min((at for at in dates if at is not None), default=None)
    return record(connection, ticket, "raised", "intake", now, detail, also={"due_at": sooner})


def add_words(connection: Connection, kept: TicketReport, text: str, now: datetime) -> Ticket:
    """Let a reporter add to their report. The same words twice are said once.

    Raises `Invalid` for an empty or endless text, `Conflict` where the ticket was closed.
    """
    ticket = conversation.surviving(connection, kept.ticket_id)
    if ticket.state == "closed":
        raise Conflict("this is settled; report anew", where=f"ticket {ticket.id}")
    author = f"reporter:{kept.id}"
    before = [one for one in ticket_messages.of_ticket(connection, ticket.id) if one.author == author]
    if before and before[-1].text == text.strip():
        return ticket
    detail = {"report_id": kept.id, "source": kept.source}
    conversation.message(connection, ticket.id, text=text, author=author, now=now, verified=False, detail=detail)
    ticket = tickets.get(connection, ticket.id)
    signs = danger.signs(text)
    if not signs:
        return ticket
    alarmed = reports.change(connection, kept.id, None, {"danger": [*dict.fromkeys([*kept.danger, *signs])]})
    ticket = _raise(connection, ticket, alarmed, now)
    alarm.tell_engineers(connection, ticket, alarmed, now)
    return ticket


def reclassify(connection: Connection, report_id: int, mode: str, actor: str, now: datetime) -> TicketReport:
    """Say that a report is about another failure mode; so is its ticket, where the report opened it. Raises `Missing` or `Invalid`."""
    if not is_mode(mode):
        raise Invalid("no such failure mode", where="mode")
    kept = reports.get(connection, report_id)
    why = [*kept.explained, {"by": "person", "what": actor, "mode": mode, "weight": None}]
    changed = reports.change(connection, kept.id, None, {"mode": mode, "explained": why})
    ticket = tickets.get(connection, kept.ticket_id)
    if ticket.kind == "request" and ticket.state != "closed":
        record(connection, ticket, "diagnosed", actor, now, {"mode": mode, "part": part_of(mode), "report_id": kept.id})
    return changed
