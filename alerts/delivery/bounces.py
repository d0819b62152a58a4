"""A letter that came back: the server that took it said later that it has no such receiver."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.channels import letters
from alerts.delivery import marking
from alerts.notices.wording import MASK
from hearthwatch.records import customer_links, notices, outbox
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.records.tables import customer_links as links


def bounced(connection: Connection, item: OutboxItem, reason: str, now: datetime) -> None:
    """Note that a delivered letter came back: its customer's next address is tried, else its notice has failed.

    Nothing happens where the item was not delivered, or its bounce is known.
    """
    if not outbox.came_back(connection, item, f"came back: {reason}", now) or item.notice_id is None:
        return
    told = {"channel": item.channel, "reason": reason}
    notices.note(connection, item.notice_id, now, "bounced", marking.WORKER, told)
    written_anew = _written_anew(connection, item, item.notice_id, now) if item.payload.get("others") else None
    if written_anew is None or not letters.put_next(connection, written_anew, now):
        marking.settle(connection, item, item.notice_id, now)


def _written_anew(connection: Connection, item: OutboxItem, notice_id: int, now: datetime) -> OutboxItem | None:
    """The item with its texts: they were dropped when it was delivered, and its link is not kept. None where all links have run out."""
    notice = notices.get(connection, notice_id)
    until = connection.execute(
        sa.select(sa.func.max(links.c.expires_at)).where(links.c.notice_id == notice_id, links.c.revoked_at.is_(None))
    ).scalar_one()
    if until is None or until <= now:
        return None
    token = customer_links.create(connection, customer_id=notice.customer_id, notice_id=notice_id, expires_at=until)
    mask, link = f"/c/{MASK}", f"/c/{token}"
    texts = {
        "text": notice.body.replace(mask, link),
        "html": notices.html(connection, notice_id).replace(mask, link),
    }
    return replace(item, payload={**item.payload, **texts})
