"""The outbox: whatever leaves the house waits here, written together with its cause.

A worker claims a row for a while, sends, and marks it by the claim's token; a row whose claim ran out is claimed again. Delivery is
at least once: a receiver that honours the idempotency key gets it once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.tables import outbox
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One thing to send. ``payload``: subject, text, html of a letter; or topic and body of a command."""

    id: int
    kind: str
    notice_id: int | None
    channel: str
    address: str
    payload: Mapping[str, Any]
    idempotency_key: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime
    claimed_by: str | None
    claim_token: str | None
    claimed_until: datetime | None
    delivered_at: datetime | None
    last_error: str | None
    revision: int


def put(
    connection: Connection,
    *,
    kind: str,
    channel: str,
    address: str,
    payload: Mapping[str, Any],
    key: str,
    now: datetime,
    next_at: datetime | None = None,
    notice_id: int | None = None,
) -> bool:
    """Write down a thing to send, not before ``next_at``; False where one with this key is there already."""
    row = {
        "kind": kind,
        "notice_id": notice_id,
        "channel": channel,
        "address": address,
        "payload": dict(payload),
        "idempotency_key": key,
        "state": "pending",
        "created_at": now,
        "next_at": next_at or now,
    }
    return insert_missing(connection, outbox, [row]) == 1


def claim(connection: Connection, worker: str, now: datetime, *, lease: timedelta, limit: int) -> list[OutboxItem]:
    """Take up to ``limit`` due things for sending, oldest first; until the lease ends no other worker gets them."""
    due = sa.or_(
        sa.and_(outbox.c.state == "pending", outbox.c.next_at <= now),
        sa.and_(outbox.c.state == "claimed", outbox.c.claimed_until <= now),
    )
    ids = (
        sa.select(outbox.c.id)
        .where(due)
        .order_by(outbox.c.next_at, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    chosen = list(connection.execute(ids).scalars())
    if not chosen:
        return []
    token = secrets.token_urlsafe(16)
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.id.in_(chosen))
        .values(
            state="claimed",
            claimed_by=worker,
            claim_token=token,
            claimed_until=now + lease,
            attempts=outbox.c.attempts + 1,
            revision=outbox.c.revision + 1,
        )
    )
    rows = connection.execute(
        sa.select(outbox).where(outbox.c.claim_token == token).order_by(outbox.c.next_at, outbox.c.id)
    )
    return [OutboxItem(**row) for row in rows.mappings()]


def take_over(connection: Connection, worker: str, now: datetime) -> int:
    """End the claims of other workers, so that what they were sending is sent again at once, under the same keys. Returns how many.

    For whoever alone may send now, because the one before is gone.
    """
    theirs = (outbox.c.state == "claimed", outbox.c.claimed_by != worker, outbox.c.claimed_until > now)
    return connection.execute(
        sa.update(outbox).where(*theirs).values(claimed_until=now, revision=outbox.c.revision + 1)
    ).rowcount


def still_claimed(connection: Connection, items: Sequence[OutboxItem]) -> set[int]:
    """Ids of those whose claim nobody has ended or taken over since."""
    rows = connection.execute(
        sa.select(outbox.c.id, outbox.c.revision).where(outbox.c.id.in_([item.id for item in items]))
    )
    revisions = {row.id: row.revision for row in rows}
    return {item.id for item in items if revisions.get(item.id) == item.revision}


def complete(connection: Connection, item: OutboxItem, now: datetime) -> bool:
    """Mark a claimed thing as delivered and drop its text, which may hold a customer's link. False where the claim was lost."""
    kept = {name: value for name, value in item.payload.items() if name not in {"text", "html"}}
    return _mark(connection, item, {"state": "delivered", "delivered_at": now, "last_error": None, "payload": kept})


def retry(connection: Connection, item: OutboxItem, next_at: datetime, error: str) -> bool:
    """Put a claimed thing back, to be tried again at ``next_at``. False where the claim was lost."""
    return _mark(connection, item, {"state": "pending", "next_at": next_at, "last_error": _error(error)})


def fail(connection: Connection, item: OutboxItem, error: str) -> bool:
    """Give a claimed thing up for good; the reason is kept. False where the claim was lost."""
    return _mark(connection, item, {"state": "failed", "last_error": _error(error)})


def give_back(connection: Connection, item: OutboxItem, next_at: datetime | None = None) -> bool:
    """Put a claimed thing back that was not tried: this was no attempt. False where the claim was lost."""
    attempts = {"attempts": outbox.c.attempts - 1}
    return _mark(connection, item, {"state": "pending", "next_at": next_at or item.next_at, **attempts})


def cancel(connection: Connection, notice_id: int, reason: str) -> int:
    """Cancel what waits for a notice; what is being sent right now is not stopped. Returns how many."""
    return connection.execute(
        sa.update(outbox)
        .where(outbox.c.notice_id == notice_id, outbox.c.state == "pending")
        .values(state="cancelled", last_error=_error(reason), revision=outbox.c.revision + 1)
    ).rowcount


def cancel_key(connection: Connection, key: str, reason: str) -> bool:
    """Cancel what waits under an idempotency key. False where it is being sent, or was sent."""
    return (
        connection.execute(
            sa.update(outbox)
            .where(outbox.c.idempotency_key == key, outbox.c.state == "pending")
            .values(state="cancelled", last_error=_error(reason), revision=outbox.c.revision + 1)
        ).rowcount
        == 1
    )


def list_items(
    connection: Connection, *, state: str | None = None, after: int | None = None, limit: int = 50
) -> list[OutboxItem]:
    """Things to send and sent, newest first; ``after`` is the id to go on from."""
    query = sa.select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(outbox.c.state == state)
    if after is not None:
        query = query.where(outbox.c.id < after)
    return [OutboxItem(**row) for row in connection.execute(query).mappings()]


def of_notice(connection: Connection, notice_id: int) -> list[OutboxItem]:
    """What was written for one notice, oldest first."""
    rows = connection.execute(sa.select(outbox).where(outbox.c.notice_id == notice_id).order_by(outbox.c.id))
    return [OutboxItem(**row) for row in rows.mappings()]


def known(connection: Connection, keys: Iterable[str]) -> set[str]:
    """Which of some idempotency keys are there already."""
    found: set[str] = set()
    for some in batched(keys):
        query = sa.select(outbox.c.idempotency_key).where(outbox.c.idempotency_key.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def count_delivered(connection: Connection, channel: str) -> int:
    """How many things a channel has delivered."""
    query = sa.select(sa.func.count()).where(outbox.c.channel == channel, outbox.c.state == "delivered")
    return int(connection.execute(query).scalar_one())


def counts(connection: Connection) -> dict[str, int]:
    """How many things are in each state."""
    query = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
    return {state: count for state, count in connection.execute(query)}  # noqa: C416


def _mark(connection: Connection, item: OutboxItem, changes: Mapping[str, Any]) -> bool:
    freed = {"claimed_by": None, "claim_token": None, "claimed_until": None, "revision": outbox.c.revision + 1}
    mine = (outbox.c.id == item.id, outbox.c.state == "claimed", outbox.c.claim_token == item.claim_token)
    return connection.execute(sa.update(outbox).where(*mine).values({**changes, **freed})).rowcount == 1


def _error(text: str) -> str:
    return fitted(outbox.c.last_error, text) or ""
