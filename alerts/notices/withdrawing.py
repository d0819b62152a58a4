"""Takes a notice back that has not left the house: what it says is not so any more, or something newer says it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from hearthwatch.records import notices, outbox
from hearthwatch.values import Notice

UNSENT = frozenset({"waiting", "held", "queued"})


def take_back(connection: Connection, notice: Notice, reason: str, actor: str, now: datetime) -> bool:
    """Cancel a notice; the reason stands in its row, its ledger and the outbox. False where it is being sent, was sent or is over."""
    if notice.state not in UNSENT:
        return False
    if any(item.state in {"claimed", "delivered"} for item in outbox.of_notice(connection, notice.id)):
        return False
    outbox.cancel(connection, notice.id, reason)
    notices.change(connection, notice.id, None, {"state": "cancelled", "reason": reason})
    notices.note(connection, notice.id, now, "cancelled", actor, {"reason": reason})
    return True
