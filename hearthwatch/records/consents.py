"""What customers agreed to, by purpose. The newest word counts; without any there is no consent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid
from hearthwatch.records.database import batched
from hearthwatch.records.tables import consent_events
from hearthwatch.records.tables.columns import fitted

PURPOSES = ("safety", "service", "marketing", "analytics")


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """A customer granted or withdrew a purpose; ``source`` says how we know (import, agent, customer page)."""

    id: int
    customer_id: str
    purpose: str
    granted: bool
    at: datetime
    source: str


def record(connection: Connection, customer_id: str, purpose: str, granted: bool, at: datetime, source: str) -> None:
    """Write down a grant or a withdrawal; what already holds is not written again. Raises `Invalid` for another purpose."""
    if purpose not in PURPOSES:
        raise Invalid(f"purpose is one of {', '.join(PURPOSES)}", where=purpose)
    if current(connection, customer_id).get(purpose) == granted:
        return
    row = {"customer_id": customer_id, "purpose": purpose, "granted": granted, "at": at}
    connection.execute(sa.insert(consent_events).values(**row, source=fitted(consent_events.c.source, source)))


def grant_many(connection: Connection, grants: Iterable[tuple[str, str]], at: datetime, source: str) -> None:
    """Write down that customers granted purposes, as (customer, purpose); what already holds is not written again."""
    wanted = dict.fromkeys(grants)
    holding: dict[tuple[str, str], bool] = {}
    for some in batched(dict.fromkeys(customer for customer, _ in wanted)):
        query = sa.select(consent_events).where(consent_events.c.customer_id.in_(some))
        for row in connection.execute(query.order_by(consent_events.c.at, consent_events.c.id)):
            holding[row.customer_id, row.purpose] = row.granted
    rows = [
        {"customer_id": customer, "purpose": purpose, "granted": True, "at": at, "source": source}
        for customer, purpose in wanted
        if not holding.get((customer, purpose), False)
    ]
    if rows:
        connection.execute(sa.insert(consent_events), rows)


def current(connection: Connection, customer_id: str) -> dict[str, bool]:
    """What holds now, by purpose; a purpose that is absent was never granted."""
    return {event.purpose: event.granted for event in history(connection, customer_id)}


def history(connection: Connection, customer_id: str) -> list[ConsentEvent]:
    """Every grant and withdrawal, oldest first."""
    query = sa.select(consent_events).where(consent_events.c.customer_id == customer_id)
    rows = connection.execute(query.order_by(consent_events.c.at, consent_events.c.id)).mappings()
    return [ConsentEvent(**row) for row in rows]
