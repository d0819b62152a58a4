"""The ledger of deliveries: every attempt to send something, and how it went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched
from hearthwatch.records.tables import delivery_attempts
from hearthwatch.records.tables.columns import fitted

OUTCOMES = ("delivered", "away", "busy", "later", "timeout", "partial", "nomatch", "refused", "broken")
"""Arrived; the provider did not answer or failed; it asked to wait; this receiver asked to wait; no answer in time, so that it may have
arrived; some of several receivers got it; no channel serves it; no for good; a bug of the channel."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. ``number`` counts from 1, anew when a person sends the item again; ``reason`` never holds an address."""

    outbox_id: int
    channel: str
    number: int
    at: datetime
    outcome: str
    reason: str | None


def note(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Append to the ledger."""
    rows = [
        {
            "outbox_id": one.outbox_id,
            "channel": one.channel,
            "number": one.number,
            "at": one.at,
            "outcome": one.outcome,
            "reason": fitted(delivery_attempts.c.reason, one.reason),
        }
        for one in attempts
    ]
    if rows:
        connection.execute(sa.insert(delivery_attempts), rows)


def of_items(connection: Connection, ids: Iterable[int]) -> dict[int, list[Attempt]]:
    """The attempts at some things of the outbox, oldest first."""
    found: dict[int, list[Attempt]] = {}
    names = Attempt.__dataclass_fields__
    for some in batched(ids):
        query = (
            sa.select(*(delivery_attempts.c[name] for name in names))
            .where(delivery_attempts.c.outbox_id.in_(some))
            .order_by(delivery_attempts.c.id)
        )
        for row in connection.execute(query).mappings():
            found.setdefault(row["outbox_id"], []).append(Attempt(**row))
    return found


def counts(connection: Connection, since: datetime) -> dict[tuple[str, str], int]:
    """How many attempts of each (channel, outcome) there were since a time."""
    columns = (delivery_attempts.c.channel, delivery_attempts.c.outcome)
    query = sa.select(*columns, sa.func.count()).where(delivery_attempts.c.at > since).group_by(*columns)
    return {(channel, outcome): count for channel, outcome, count in connection.execute(query)}
