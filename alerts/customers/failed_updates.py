"""An accepted update that did not work becomes work: a note in the ticket about the device, or a ticket of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets.ledger import record
from hearthwatch.records import devices, notices, tickets
from hearthwatch.records.tickets import NewTicket
from hearthwatch.records.update_installs import UpdateInstall

PRIORITY = 3


def tell_staff(connection: Connection, install: UpdateInstall, now: datetime) -> None:
    """Write down in a ticket that an update failed, and why. Once for each failure."""
    detail = {"update": "failed", "version": install.version, "reason": install.reason, "install": install.id}
    open_now = tickets.list_tickets(connection, device_id=install.device_id, open_only=True, limit=100)
    theirs = [one for one in open_now if one.customer_id in {None, install.customer_id}]
    if theirs:
        record(connection, theirs[0], "note", "policy", now, detail)
        return
    notice = notices.get(connection, install.notice_id)
    device = devices.find(connection, [install.device_id]).get(install.device_id)
    stem = f"update:{install.device_id}:{install.version}/"
    earlier = tickets.with_stem(connection, stem, kind="request", device_id=install.device_id)
    new = NewTicket(
        cause=f"{stem}{len(earlier) + 1}",
        kind="request",
        title=f"{install.device_id}: the update to {install.version} did not work",
        priority=PRIORITY,
        due_at=None,
        finding_id=notice.finding_id,
        device_id=install.device_id,
        customer_id=install.customer_id,
        home_id=notice.home_id,
        model=device.model if device else None,
    )
    tickets.open_once(connection, new, actor="policy", now=now, detail=detail)
