"""Whether customers still agree to what is about to leave: between writing and sending lie quiet hours, and what a provider fails."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from alerts.channels.media import medium
from alerts.delivery.attempts import Result
from alerts.policy.decisions import no_consent
from hearthwatch.records import consents
from hearthwatch.records.outbox import OutboxItem


def withdrawn(connection: Connection, items: Sequence[OutboxItem]) -> list[Result]:
    """Those of some items whose customer no longer agrees to their purpose by their way. What needs no consent names no purpose."""
    asked = {item.id: (item.notice_id, str(item.payload["purpose"])) for item in items if item.payload.get("purpose")}
    holding = consents.of_notices(connection, {number for number, _ in asked.values() if number is not None})
    found = []
    for item in items:
        number, purpose = asked.get(item.id, (None, ""))
        if number is not None and not holding[number].allows(purpose, medium(item.address)):
            found.append(Result(item, "unwanted", reason=no_consent(purpose)))
    return found
