"""Engineers hear at once of a report that means danger, whatever the policy says of findings; what the person wrote stays here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.policy.file import parse
from hearthwatch.records import outbox, policies
from hearthwatch.records.reports import TicketReport
from hearthwatch.values import Ticket


def tell_engineers(connection: Connection, ticket: Ticket, report: TicketReport, now: datetime) -> int:
    """Write an alert for every address of the policy's engineers. Returns how many there are."""
    version = policies.current(connection)
    addresses = parse(version.text).engineers.addresses if version is not None else ()
    lines = [
        f"Danger reported: ticket {ticket.id}, {report.device_id or 'no device'}",
        f"words: {', '.join(report.danger)}",
        f"model: {ticket.model or 'not known'}",
        f"reported {report.at:%Y-%m-%d %H:%M} UTC by {report.source}{'' if report.verified else ', not verified'}",
    ]
    for number, address in enumerate(addresses):
        outbox.put(
            connection,
            kind="engineer",
            channel=channel_of(address) or "",
            address=address,
            payload={"subject": lines[0], "text": "\n".join(lines), "html": ""},
            key=f"engineer:report:{report.id}:{number}",
            now=now,
        )
    return len(addresses)
