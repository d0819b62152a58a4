"""The outbox: whatever leaves the house waits here, written together with its cause.

A worker claims a row for a while, sends, and marks it by the claim's token; a row whose claim ran out is claimed again. Delivery is
at least once: a receiver that honours the idempotency key gets it once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.statements import among
from hearthwatch.records.tables import outbox
from hearthwatch.records.tables.columns import fitted

PASSING = ("text", "html", "short", "unsubscribe")
"""What a payload loses once it is delivered: it may hold a customer's link."""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One thing to send. ``payload``: subject, text, html of a letter; or topic and body of a command.

    ``due_at``: since when it may leave; what is given up for its age has waited from here. ``outcome`` is that of the latest attempt.
    """

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
    due_at: datetime | None = None
    failed_at: datetime | None = None
    outcome: str | None = None
    message_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """Something to be written into the outbox, to leave not before ``next_at``; ``key`` is its idempotency key."""

    kind: str
    channel: str
    address: str
    payload: Mapping[str, Any]
    key: str
    next_at: datetime
    notice_id: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits in one channel: how many things, since when the oldest that is due, and how many were given up."""

    channel: str
    waiting: int
    sending: int
    dead: int
    oldest_due: datetime | None


def message_ref(key: str) -> str:
    """What the Message-ID of a letter is made of: the same for every attempt, and it tells nothing."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


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
    leaving = Leaving(kind, channel, address, payload, key, next_at or now, notice_id)
    return put_all(connection, [leaving], now) == 1


def put_all(connection: Connection, wanted: Iterable[Leaving], now: datetime) -> int:
    """Write down things to send, but those whose key is there already; returns how many were new."""
    rows = [
        {
            "kind": one.kind,
            "notice_id": one.notice_id,
            "channel": one.channel,
            "address": one.address,
            "payload": dict(one.payload),
            "idempotency_key": one.key,
            "state": "pending",
            "created_at": now,
            "next_at": one.next_at,
            "due_at": one.next_at,
            "message_ref": message_ref(one.key),
        }
        for one in wanted
    ]
    return sum(insert_missing(connection, outbox, some) for some in batched(rows))


def due_channels(connection: Connection, now: datetime) -> list[str]:
    """Channels that have something due, by name."""
    query = sa.select(outbox.c.channel).where(_due(now)).distinct().order_by(outbox.c.channel)
    return list(connection.execute(query).scalars())


def claim(
    connection: Connection, worker: str, now: datetime, *, lease: timedelta, limit: int, channel: str | None = None
) -> list[OutboxItem]:
    """Take up to ``limit`` due things (of one channel) for sending, oldest first; until the lease ends no other worker gets them."""
    ids = (
        sa.select(outbox.c.id)
        .where(_due(now), sa.true() if channel is None else outbox.c.channel == channel)
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


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.and_(outbox.c.state == "pending", outbox.c.next_at <= now),
        sa.and_(outbox.c.state == "claimed", outbox.c.claimed_until <= now),
    )


def waited_since(
    connection: Connection, channel: str, before: datetime, now: datetime, *, limit: int
) -> list[OutboxItem]:
    """Things of a channel that are due now and may have left since before a time, oldest first."""
    query = (
        sa.select(outbox)
        .where(outbox.c.channel == channel, outbox.c.state == "pending", outbox.c.next_at <= now)
        .where(outbox.c.due_at <= before)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
    )
    return [OutboxItem(**row) for row in connection.execute(query).mappings()]


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


def complete(connection: Connection, items: Sequence[OutboxItem], now: datetime) -> set[int]:
    """Mark claimed things as delivered and drop their texts, which may hold a customer's link. Returns those whose claim held, by id."""
    held: set[int] = set()
    for token in dict.fromkeys(item.claim_token for item in items):
        claimed = [item.id for item in items if item.claim_token == token]
        held.update(connection.execute(_HOLDS, {"some": claimed, "token": token}).scalars())
    done = [{"one": item.id, "at": now, "kept": _kept(item.payload)} for item in items if item.id in held]
    if done:
        connection.execute(_COMPLETE, done)
    return held


def _kept(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in PASSING}


def retry(
    connection: Connection, item: OutboxItem, next_at: datetime, error: str, *, outcome: str | None = None
) -> bool:
    """Put a claimed thing back, to be tried again at ``next_at``. False where the claim was lost."""
    changes = {"state": "pending", "next_at": next_at, "last_error": _error(error), "outcome": outcome}
    return _mark(connection, item, changes)


def fail(connection: Connection, item: OutboxItem, error: str, now: datetime, *, outcome: str | None = None) -> bool:
    """Give a claimed thing up for good; the reason is kept. False where the claim was lost."""
    changes = {"state": "failed", "failed_at": now, "last_error": _error(error), "outcome": outcome}
    return _mark(connection, item, changes)


def give_back(connection: Connection, item: OutboxItem, next_at: datetime | None = None) -> bool:
    """Put a claimed thing back that was not tried: this was no attempt. False where the claim was lost.

    Where it must wait until ``next_at`` and was never tried, its time counts from there.
    """
    changes: dict[str, Any] = {
        "state": "pending",
        "attempts": outbox.c.attempts - 1,
        "next_at": next_at or item.next_at,
    }
    if next_at is not None and item.attempts <= 1:
        changes["due_at"] = next_at
    return _mark(connection, item, changes)


def call_off(connection: Connection, item: OutboxItem, reason: str) -> bool:
    """Cancel a claimed thing that was not tried: this was no attempt. False where the claim was lost."""
    changes = {"state": "cancelled", "attempts": outbox.c.attempts - 1, "last_error": _error(reason)}
    return _mark(connection, item, changes)


def abandon(connection: Connection, item: OutboxItem, error: str, now: datetime) -> bool:
    """Give up a thing that waits, without another attempt. False where it does not wait any more, or changed since it was read."""
    changes = {"state": "failed", "failed_at": now, "last_error": _error(error), "revision": outbox.c.revision + 1}
    mine = (outbox.c.id == item.id, outbox.c.state == "pending", outbox.c.revision == item.revision)
    return connection.execute(sa.update(outbox).where(*mine).values(**changes)).rowcount == 1


def came_back(connection: Connection, item: OutboxItem, error: str, now: datetime) -> bool:
    """Note that a delivered thing came back. False where it was not delivered."""
    changes = {"state": "failed", "failed_at": now, "outcome": "refused", "last_error": _error(error)}
    mine = (outbox.c.id == item.id, outbox.c.state == "delivered")
    changed = sa.update(outbox).where(*mine).values(**changes, revision=outbox.c.revision + 1)
    return connection.execute(changed).rowcount == 1


def restart_wait(connection: Connection, now: datetime, *, channel: str | None = None) -> int:
    """Count the time of what waits (in one channel) from now on: nobody could send it before. Returns how many."""
    waits = [outbox.c.state == "pending", outbox.c.due_at < now]
    if channel is not None:
        waits.append(outbox.c.channel == channel)
    return connection.execute(sa.update(outbox).where(*waits).values(due_at=now)).rowcount


def send_again(connection: Connection, item_id: int, now: datetime, *, revision: int | None = None) -> OutboxItem:
    """Let a thing that was given up or cancelled leave once more, at once and under the same key.

    Raises `Missing`, or `Conflict` where it waits already, was delivered, or has no text any more.
    """
    item = get(connection, item_id)
    if item.state not in {"failed", "cancelled"}:
        raise Conflict(
            f"it is {item.state}, and only what failed or was cancelled can be sent again", where=_name(item)
        )
    if item.kind in {"notice", "letter", "engineer"} and "text" not in item.payload:
        raise Conflict("its text is gone", where=_name(item))
    freed = {"state": "pending", "attempts": 0, "next_at": now, "due_at": now, "failed_at": None}
    return _change(connection, item, revision, freed)


def dead_letters(
    connection: Connection, *, channel: str | None = None, since: datetime | None = None, limit: int = 10_000
) -> list[OutboxItem]:
    """What was given up (in one channel, at or after a time), oldest first."""
    query = sa.select(outbox).where(outbox.c.state == "failed").order_by(outbox.c.id).limit(limit)
    if channel is not None:
        query = query.where(outbox.c.channel == channel)
    if since is not None:
        query = query.where(outbox.c.failed_at >= since)
    return [OutboxItem(**row) for row in connection.execute(query).mappings()]


def cancel_item(connection: Connection, item_id: int, reason: str, *, revision: int | None = None) -> OutboxItem:
    """Cancel a thing that waits or was given up. Raises `Missing`, or `Conflict` where it is being sent or was sent."""
    item = get(connection, item_id)
    if item.state not in {"pending", "failed"}:
        raise Conflict(f"it is {item.state}, and only what waits or failed can be cancelled", where=_name(item))
    return _change(connection, item, revision, {"state": "cancelled", "last_error": _error(reason)})


def _change(connection: Connection, item: OutboxItem, revision: int | None, changes: Mapping[str, Any]) -> OutboxItem:
    update_at_revision(connection, outbox, {"id": item.id}, revision or item.revision, changes)
    return get(connection, item.id)


def _name(item: OutboxItem) -> str:
    return f"outbox:{item.id}"


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


def get(connection: Connection, item_id: int) -> OutboxItem:
    """One thing. Raises `Missing`."""
    row = connection.execute(sa.select(outbox).where(outbox.c.id == item_id)).mappings().one_or_none()
    if row is None:
        raise Missing("there is no such thing in the outbox", where=f"outbox:{item_id}")
    return OutboxItem(**row)


def by_message_ref(connection: Connection, ref: str) -> OutboxItem | None:
    """The letter whose Message-ID is made of ``ref``; answers and bounces name it."""
    row = connection.execute(sa.select(outbox).where(outbox.c.message_ref == ref).limit(1)).mappings().one_or_none()
    return OutboxItem(**row) if row is not None else None


def list_items(
    connection: Connection,
    *,
    state: str | None = None,
    channel: str | None = None,
    kind: str | None = None,
    after: int | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[OutboxItem]:
    """Things to send and sent, newest first; ``after`` is the id to go on from."""
    query = sa.select(outbox).where(*_which(state, channel, kind)).order_by(outbox.c.id.desc())
    if after is not None:
        query = query.where(outbox.c.id < after)
    return [OutboxItem(**row) for row in connection.execute(query.offset(offset).limit(limit)).mappings()]


def count_items(
    connection: Connection, *, state: str | None = None, channel: str | None = None, kind: str | None = None
) -> int:
    """How many `list_items` would give in all."""
    query = sa.select(sa.func.count()).select_from(outbox).where(*_which(state, channel, kind))
    return int(connection.execute(query).scalar_one())


def _which(state: str | None, channel: str | None, kind: str | None) -> list[sa.ColumnElement[bool]]:
    asked = ((outbox.c.state, state), (outbox.c.channel, channel), (outbox.c.kind, kind))
    return [column == value for column, value in asked if value is not None]


def queues(connection: Connection, now: datetime) -> dict[str, Queue]:
    """What stands in each channel that has something waiting, being sent or given up."""
    waiting = sa.func.count(1).filter(outbox.c.state == "pending")
    sending = sa.func.count(1).filter(outbox.c.state == "claimed")
    dead = sa.func.count(1).filter(outbox.c.state == "failed")
    due = sa.func.min(outbox.c.due_at).filter(outbox.c.state.in_(("pending", "claimed")), outbox.c.next_at <= now)
    query = (
        sa.select(outbox.c.channel, waiting, sending, dead, sa.type_coerce(due, outbox.c.due_at.type))
        .where(outbox.c.state.in_(("pending", "claimed", "failed")))
        .group_by(outbox.c.channel)
        .order_by(outbox.c.channel)
    )
    return {row[0]: Queue(*row) for row in connection.execute(query)}


def forget_people(connection: Connection, notice_ids: Iterable[int]) -> int:
    """Take addresses and texts out of what was written for some notices; how it was sent stays. Returns how many rows."""
    changed = 0
    for some in batched(notice_ids):
        theirs = outbox.c.notice_id.in_(some)
        waits = (theirs, outbox.c.state.in_(("pending", "claimed", "failed")))
        stopped = {"state": "cancelled", "last_error": "the person was erased", "claim_token": None}
        connection.execute(sa.update(outbox).where(*waits).values(**stopped, revision=outbox.c.revision + 1))
        erased = sa.update(outbox).where(theirs).values(address="erased:", payload={})
        changed += connection.execute(erased).rowcount
    return changed


def of_notice(connection: Connection, notice_id: int) -> list[OutboxItem]:
    """What was written for one notice, oldest first."""
    return of_notices(connection, [notice_id]).get(notice_id, [])


def of_notices(connection: Connection, notice_ids: Iterable[int]) -> dict[int, list[OutboxItem]]:
    """What was written for some notices, oldest first."""
    found: dict[int, list[OutboxItem]] = {}
    for some in batched(notice_ids):
        for row in connection.execute(_OF_NOTICES, {"some": some}).all():
            found.setdefault(row.notice_id, []).append(OutboxItem(*row))
    return found


_OF_NOTICES = (
    sa.select(*(outbox.c[name] for name in OutboxItem.__dataclass_fields__))
    .where(among(outbox.c.notice_id))
    .order_by(outbox.c.id)
)


def channels_of_notices(connection: Connection) -> list[str]:
    """Channels by which some notice left or was to leave."""
    query = sa.select(outbox.c.channel).where(outbox.c.notice_id.is_not(None)).distinct().order_by(outbox.c.channel)
    return list(connection.execute(query).scalars())


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
    mine = (outbox.c.id == item.id, outbox.c.state == "claimed", outbox.c.claim_token == item.claim_token)
    return connection.execute(sa.update(outbox).where(*mine).values({**changes, **_FREED})).rowcount == 1


_FREED: Mapping[str, Any] = {
    "claimed_by": None,
    "claim_token": None,
    "claimed_until": None,
    "revision": outbox.c.revision + 1,
}
_HOLDS = (
    sa.select(outbox.c.id)
    .where(among(outbox.c.id), outbox.c.state == "claimed", outbox.c.claim_token == sa.bindparam("token"))
    .with_for_update()
)
_COMPLETE = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("one"))
    .values(
        {
            "state": "delivered",
            "delivered_at": sa.bindparam("at"),
            "last_error": None,
            "outcome": "delivered",
            "payload": sa.bindparam("kept"),
            **_FREED,
        }
    )
)


def _error(text: str) -> str:
    return fitted(outbox.c.last_error, text) or ""
