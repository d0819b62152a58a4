"""Finds the ticket that a report goes into, or opens one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.intake import matching, snapshot
from alerts.intake.classification import Classified
from alerts.intake.complaints import BY_ID
from alerts.intake.report import Report
from alerts.policy import decisions
from alerts.policy.file import parse
from alerts.tickets import conversation
from alerts.tickets.ledger import record
from hearthwatch.records import customers, devices, policies, tickets
from hearthwatch.records.customers import Owner
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Device, Finding, Ticket

PRIORITY = 3
PRIORITY_OF_HEAT = 2
PRIORITY_OF_DANGER = 1


@dataclass(frozen=True, slots=True)
class About:
    """What a report is about, as far as it is known."""

    device: Device | None
    owner: Owner | None
    customer_id: str | None
    findings: Sequence[Finding]


def about_of(connection: Connection, report: Report, now: datetime) -> About:
    """What a report is about. Raises `Missing` for a device or customer that is not there."""
    if report.customer_id is not None:
        customers.get_customer(connection, report.customer_id)
    if report.device_id is None:
        return About(None, None, report.customer_id, ())
    device = devices.get(connection, report.device_id)
    owner = customers.owner_of(connection, device.id, now)
    whose = report.customer_id or (owner.customer.id if owner else None)
    return About(device, owner, whose, snapshot.standing(connection, device.id))


def ticket_for(
    connection: Connection,
    report: Report,
    about: About,
    classified: Classified,
    signs: Sequence[str],
    now: datetime,
) -> tuple[Ticket, bool]:
    """The ticket a report goes into, and whether it was opened for it."""
    if report.ticket_id is not None:
        ticket = conversation.surviving(connection, report.ticket_id)
        if ticket.state != "closed" or (
            report.verified and now - (ticket.closed_at or now) <= conversation.REOPENED_WITHIN
        ):
            return ticket, False
    known = matching.open_ticket(
        connection,
        device_id=report.device_id,
        customer_id=about.customer_id,
        email=report.contact.email,
        mode=classified.mode,
        part=classified.part,
        now=now,
    )
    if known is not None:
        return known, False
    return _open(connection, report, about, classified, signs, now)


def owners_from_now_on(connection: Connection, ticket: Ticket, report: Report, about: About, now: datetime) -> Ticket:
    """A device's case that went on without a person becomes that of the owner who certainly reported into it; others stay as they are.

    What was said in it before stays hidden from them.
    """
    if not (report.verified and _is_owner(about) and about.device is not None and about.owner is not None):
        return ticket
    if ticket.customer_id is not None or ticket.device_id != about.device.id or ticket.state == "closed":
        return ticket
    home = about.owner.home.id if about.owner.home else None
    detail = {"customer_id": about.customer_id, "source": report.source}
    return record(
        connection,
        ticket,
        "owner_known",
        "intake",
        now,
        detail,
        also={"customer_id": about.customer_id, "home_id": home},
    )


def _open(
    connection: Connection,
    report: Report,
    about: About,
    classified: Classified,
    signs: Sequence[str],
    now: datetime,
) -> tuple[Ticket, bool]:
    rank = PRIORITY_OF_DANGER if signs else PRIORITY_OF_HEAT if report.complaint == "hot" else PRIORITY
    stem = f"request:{_whose(report, about)}/{classified.mode or report.complaint}/"
    parent = matching.parent_of(connection, about.findings, classified.mode)
    new = NewTicket(
        cause=f"{stem}{len(tickets.with_stem(connection, stem, kind='request')) + 1}",
        kind="request",
        title=_title(report, about),
        priority=rank,
        due_at=due(connection, rank, now),
        parent_id=parent.id if parent else None,
        device_id=report.device_id,
        customer_id=about.customer_id,
        home_id=about.owner.home.id if about.owner and about.owner.home and _is_owner(about) else None,
        model=about.device.model if about.device else None,
        part=classified.part,
        mode=classified.mode,
        source="api" if report.source == "staff" else report.source,
    )
    actor = report.actor or (f"customer:{report.customer_id}" if report.verified else "reporter")
    firmware = about.device.firmware if about.device else None
    return tickets.open_once(
        connection, new, actor=actor, now=now, detail={"firmware": firmware, "complaint": report.complaint}
    )


def _is_owner(about: About) -> bool:
    return about.owner is not None and about.owner.customer.id == about.customer_id


def _whose(report: Report, about: About) -> str:
    """What makes two reports of one kind the same cause: the device and whose it is; of strangers without a device nothing does."""
    if report.device_id is not None:
        return f"{report.device_id}:{about.customer_id}" if about.customer_id else report.device_id
    return f"-:{about.customer_id}" if about.customer_id else f"-:~{secrets.token_hex(8)}"


def _title(report: Report, about: About) -> str:
    """A ticket's title, for staff; nothing of the person is in it."""
    what = BY_ID[report.complaint].name("en")
    if about.device is None:
        return f"A report without a device: {what}"
    model = f" ({about.device.model})" if about.device.model else ""
    return f"{about.device.id}{model}: {what}"


def due(connection: Connection, rank: int, now: datetime) -> datetime | None:
    """When a ticket of a priority is due by the policy; None while there is none."""
    version = policies.current(connection)
    return decisions.due(parse(version.text), rank, now) if version is not None else None
