"""What customers agreed to, by purpose and channel: an append-only ledger. Without any word there is no consent.

A word is about one channel, or about all (no channel). For a channel its own newest word counts before the word about all; a withdrawal of
all ends every grant before it, also those of one channel. Safety notices need no consent, and can not be opted out of: makers have to
warn directly everybody they can reach (Regulation (EU) 2023/988, Art. 35).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records.database import batched
from hearthwatch.records.statements import among
from hearthwatch.records.tables import consent_events, notices
from hearthwatch.records.tables.columns import fitted

SAFETY = "safety"
PURPOSES = (SAFETY, "service", "marketing", "analytics")
CHANNELS = ("mail", "sms", "push", "chat", "post", "phone", "app")
"""How a person may be reached; ``app`` is the maker's own app or portal."""


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """A customer granted or withdrew a purpose, for one channel or for all (None).

    ``source`` says how we know (import, agent, page, unsubscribe, transfer), ``by`` who wrote it down.
    """

    id: int
    customer_id: str
    purpose: str
    granted: bool
    at: datetime
    source: str
    channel: str | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer's words come to: the word about all channels by purpose, and those about one by (purpose, channel)."""

    wide: Mapping[str, bool] = field(default_factory=dict)
    narrow: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    def allows(self, purpose: str, channel: str | None = None) -> bool:
        """Whether a purpose holds for a channel; without a channel, for whatever is no message (diagnostics)."""
        if purpose == SAFETY:
            return True
        everywhere = self.wide.get(purpose, False)
        return everywhere if channel is None else self.narrow.get((purpose, channel), everywhere)

    def after(self, purpose: str, granted: bool, channel: str | None) -> Standing:
        """What holds after one more word."""
        if channel is not None:
            return Standing(self.wide, {**self.narrow, (purpose, channel): granted})
        kept = {key: word for key, word in self.narrow.items() if granted or key[0] != purpose}
        return Standing({**self.wide, purpose: granted}, kept)


def record(
    connection: Connection,
    customer_id: str,
    purpose: str,
    granted: bool,
    at: datetime,
    source: str,
    *,
    channel: str | None = None,
    by: str | None = None,
) -> bool:
    """Write down a grant or a withdrawal; what already holds is not written again. Returns whether it was written.

    Raises `Invalid` for another purpose or channel, `Conflict` for a withdrawal of safety.
    """
    check(purpose, channel)
    if purpose == SAFETY and not granted:
        raise Conflict("safety notices can not be withdrawn: makers have to warn of dangers directly", where="purpose")
    holds = standing(connection, customer_id)
    if holds.after(purpose, granted, channel) == holds:
        return False
    row = {"customer_id": customer_id, "purpose": purpose, "granted": granted, "at": at, "channel": channel}
    told = {"source": fitted(consent_events.c.source, source), "by": fitted(consent_events.c.by, by or source)}
    connection.execute(sa.insert(consent_events).values(**row, **told))
    return True


def check(purpose: str, channel: str | None) -> None:
    """Raises `Invalid` for a purpose or a channel that does not exist."""
    if purpose not in PURPOSES:
        raise Invalid(f"purpose is one of {', '.join(PURPOSES)}", where=purpose)
    if channel is not None and channel not in CHANNELS:
        raise Invalid(f"channel is one of {', '.join(CHANNELS)}, or none for all", where=channel)


Grant = tuple[str, str, str | None]
"""(customer, purpose, channel or None for all)"""


def grant_many(connection: Connection, grants: Iterable[Grant], at: datetime, source: str) -> int:
    """Write down what customers granted according to a list. Returns how many were left because the customer had withdrawn them.

    A list does not know when a customer agreed, so it never overrules a withdrawal; a person (`record`) can.
    """
    wanted = list(dict.fromkeys(grants))
    holding = standings(connection, dict.fromkeys(customer for customer, _, _ in wanted))
    rows, withdrawn = [], 0
    for customer, purpose, channel in wanted:
        holds = holding[customer]
        said = holds.wide.get(purpose) if channel is None else holds.narrow.get((purpose, channel))
        withdrawn += said is False
        if said is None:
            row = {"customer_id": customer, "purpose": purpose, "channel": channel, "granted": True}
            rows.append({**row, "at": at, "source": source, "by": source})
    if rows:
        connection.execute(sa.insert(consent_events), rows)
    return withdrawn


_STANDING = (
    sa.select(*(consent_events.c[name] for name in ("customer_id", "purpose", "granted", "channel")))
    .where(among(consent_events.c.customer_id))
    .order_by(consent_events.c.at, consent_events.c.id)
)


def standing(connection: Connection, customer_id: str) -> Standing:
    """What holds for a customer now."""
    return standings(connection, [customer_id])[customer_id]


def standings(connection: Connection, customer_ids: Iterable[str]) -> dict[str, Standing]:
    """What holds for some customers now; of each that is asked."""
    found = dict.fromkeys(customer_ids, Standing())
    for some in batched(sorted(found)):
        for customer, purpose, granted, channel in connection.execute(_STANDING, {"some": some}).all():
            found[customer] = found[customer].after(purpose, granted, channel)
    return found


def of_notices(connection: Connection, notice_ids: Iterable[int]) -> dict[int, Standing]:
    """What holds now for the customers of some notices, by notice; of each that is asked."""
    found = dict.fromkeys(notice_ids, Standing())
    for some in batched(sorted(found)):
        query = (
            sa.select(notices.c.id, consent_events.c.purpose, consent_events.c.granted, consent_events.c.channel)
            .join(consent_events, consent_events.c.customer_id == notices.c.customer_id)
            .where(notices.c.id.in_(some))
            .order_by(consent_events.c.at, consent_events.c.id)
        )
        for notice_id, *word in connection.execute(query):
            found[notice_id] = found[notice_id].after(*word)
    return found


def current(connection: Connection, customer_id: str) -> dict[str, bool]:
    """The words about all channels that hold now, by purpose; a purpose that is absent was never granted so."""
    return dict(standing(connection, customer_id).wide)


def history(connection: Connection, customer_id: str) -> Sequence[ConsentEvent]:
    """Every grant and withdrawal, oldest first."""
    query = sa.select(consent_events).where(consent_events.c.customer_id == customer_id)
    rows = connection.execute(query.order_by(consent_events.c.at, consent_events.c.id)).mappings()
    return [ConsentEvent(**row) for row in rows]
