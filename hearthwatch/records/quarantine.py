"""What could not be taken in: kept with the reason, so that it can be looked at, and tried again after a fix."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_for
from hearthwatch.records.tables import quarantine
from hearthwatch.records.tables.columns import fitted

LOG = logging.getLogger(__name__)

MAX_ITEMS = 50_000
"""Items kept at most: the oldest leave first, those that were replayed before all others."""
SLACK = MAX_ITEMS // 50
"""Items that are deleted beyond that, so that it does not happen with every message."""


@dataclass(frozen=True, slots=True)
class QuarantineItem:
    """One thing to hold. ``source`` is "mqtt" or a file; ``part`` names the bad part of a message, empty for all of it."""

    received_at: datetime
    source: str
    topic: str
    payload: bytes
    device: str | None
    part: str
    reason: str
    samples: int = 1


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A thing held. ``seen`` counts how often the same came; ``state``: held, replayed, discarded."""

    id: int
    received_at: datetime
    source: str
    topic: str
    payload: bytes
    device: str | None
    part: str
    reason: str
    samples: int
    seen: int
    state: str
    revision: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A thing held, without what it holds."""

    id: int
    topic: str
    received_at: datetime


_COLUMNS = tuple(quarantine.c[name] for name in HeldItem.__dataclass_fields__)


def hold(connection: Connection, items: Sequence[QuarantineItem]) -> int:
    """Hold items; the same once more (source, topic, payload, part) only counts up. Returns how many were new.

    What was replayed and comes again is held again; what a person discarded stays discarded.
    """
    if not items:
        return 0
    times = Counter(_fingerprint(item) for item in items)
    rows = {_fingerprint(item): item for item in items}
    known = _known(connection, list(rows))
    insert = insert_for(connection, quarantine)
    new = insert.excluded
    upsert = insert.on_conflict_do_update(
        index_elements=["fingerprint"],
        set_={
            "seen": quarantine.c.seen + new.seen,
            "received_at": new.received_at,
            "reason": new.reason,
            "state": sa.case((quarantine.c.state == "discarded", "discarded"), else_="held"),
            "revision": quarantine.c.revision + 1,
        },
    )
    connection.execute(upsert, [_row(rows[mark], mark, times[mark]) for mark in sorted(rows)])
    if len(rows) > known:
        _make_room(connection)
    return len(rows) - known


def _make_room(connection: Connection) -> None:
    """Delete the oldest items beyond the bound. The span of ids says cheaply when it is worth counting."""
    first, last = connection.execute(sa.select(sa.func.min(quarantine.c.id), sa.func.max(quarantine.c.id))).one()
    if last - first < MAX_ITEMS:
        return
    count = connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar_one()
    if count <= MAX_ITEMS:
        return
    settled = sa.case((quarantine.c.state == "replayed", 0), else_=1)
    oldest = sa.select(quarantine.c.id).order_by(settled, quarantine.c.id).limit(count - MAX_ITEMS + SLACK)
    gone = list(connection.execute(oldest).scalars())
    for some in batched(gone):
        connection.execute(sa.delete(quarantine).where(quarantine.c.id.in_(some)))
    LOG.warning("quarantine holds %d items at most: the %d oldest were deleted", MAX_ITEMS, len(gone))


def _known(connection: Connection, fingerprints: Sequence[str]) -> int:
    count = sa.select(sa.func.count()).select_from(quarantine)
    return sum(
        connection.execute(count.where(quarantine.c.fingerprint.in_(some))).scalar_one()
        for some in batched(fingerprints)
    )


def _fingerprint(item: QuarantineItem) -> str:
    digest = hashlib.sha256()
    for part in (item.source.encode(), item.topic.encode("utf-8", "replace"), item.part.encode(), item.payload):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _row(item: QuarantineItem, fingerprint: str, seen: int) -> dict[str, Any]:
    return {
        "received_at": item.received_at,
        "source": fitted(quarantine.c.source, item.source),
        "topic": fitted(quarantine.c.topic, item.topic),
        "payload": item.payload,
        "device": fitted(quarantine.c.device, item.device),
        "part": fitted(quarantine.c.part, item.part),
        "reason": fitted(quarantine.c.reason, item.reason),
        "samples": item.samples,
        "fingerprint": fingerprint,
        "seen": seen,
    }


def list_items(
    connection: Connection, *, state: str | None = None, after: int | None = None, limit: int = 50
) -> list[HeldItem]:
    """Held items, newest first; ``after`` is the last id of the page before."""
    query = sa.select(*_COLUMNS).order_by(quarantine.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(quarantine.c.state == state)
    if after is not None:
        query = query.where(quarantine.c.id < after)
    return [HeldItem(**row) for row in connection.execute(query).mappings()]


def held_marks(connection: Connection, source: str) -> list[Mark]:
    """All that is held of a source, oldest first, without payloads."""
    query = sa.select(quarantine.c.id, quarantine.c.topic, quarantine.c.received_at).order_by(quarantine.c.id)
    held = query.where(quarantine.c.state == "held", quarantine.c.source == source)
    return [Mark(**row) for row in connection.execute(held).mappings()]


def load(connection: Connection, ids: Sequence[int]) -> list[HeldItem]:
    """Items by their ids, oldest first; those that are gone meanwhile are left out."""
    items: list[HeldItem] = []
    for some in batched(ids):
        query = sa.select(*_COLUMNS).where(quarantine.c.id.in_(some)).order_by(quarantine.c.id)
        items += (HeldItem(**row) for row in connection.execute(query).mappings())
    return items


def get(connection: Connection, item_id: int) -> HeldItem:
    """One item. Raises `Missing`."""
    row = connection.execute(sa.select(*_COLUMNS).where(quarantine.c.id == item_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such item in quarantine", where=str(item_id))
    return HeldItem(**row)


def counts(connection: Connection) -> dict[str, int]:
    """How many items there are, by state."""
    query = sa.select(quarantine.c.state, sa.func.count().label("items")).group_by(quarantine.c.state)
    return {row.state: row.items for row in connection.execute(query)}


def mark(connection: Connection, ids: Sequence[int], state: str) -> int:
    """Set the state of items: held, replayed or discarded. Returns how many there were."""
    changed = 0
    for some in batched(ids):
        update = sa.update(quarantine).where(quarantine.c.id.in_(some))
        changed += connection.execute(update.values(state=state, revision=quarantine.c.revision + 1)).rowcount
    return changed
