"""Letters into the outbox: one row for each channel by which a notice leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of, usable
from hearthwatch.records import outbox
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.values import Notice

Reach = Literal["first", "all"]
ALL_AT_ONCE = frozenset({"recall"})
"""Kinds of notices that leave by every channel at once: whoever must hear of a danger may read only one of them."""


def put(
    connection: Connection,
    notice: Notice,
    addresses: Sequence[str],
    payload: Mapping[str, Any],
    *,
    now: datetime,
    next_at: datetime,
    reach: Reach | None = None,
) -> None:
    """Write a notice's letter into the outbox, to be sent not before ``next_at``.

    ``first``: to the first address, and to the next one where that is refused or given up. ``all``: to all at once. None: as its kind says.
    ``payload`` has subject, text and html, and may have quiet, language, short, unsubscribe, reply_to and headers, and the ``purpose``
    that its customer has to agree to when it leaves.
    """
    reach = reach or ("all" if notice.kind in ALL_AT_ONCE else "first")
    there = usable(addresses)
    stem = f"notice:{notice.id}:{notice.revision}"
    for address in there if reach == "all" else there[:1]:
        others = [] if reach == "all" else list(there[1:])
        kept = {**payload, "others": others, "reach": reach}
        _put(connection, notice.id, stem, address, kept, now, next_at)


def put_next(connection: Connection, item: OutboxItem, now: datetime) -> bool:
    """Write the letter of an item to the next address of its customer; False where there is none left."""
    others = usable(item.payload.get("others", ()))
    if not others:
        return False
    kept = {**item.payload, "others": list(others[1:])}
    _put(connection, item.notice_id, stem_of(item), others[0], kept, now, now)
    return True


def siblings(connection: Connection, item: OutboxItem) -> list[OutboxItem]:
    """What was written for the same sending of the same notice, by whichever channel; the item itself is among them."""
    if item.notice_id is None:
        return [item]
    return [one for one in outbox.of_notice(connection, item.notice_id) if stem_of(one) == stem_of(item)]


def stem_of(item: OutboxItem) -> str:
    """What the keys of one sending have in common."""
    return item.idempotency_key.rpartition(":")[0]


def _put(
    connection: Connection,
    notice_id: int | None,
    stem: str,
    address: str,
    payload: Mapping[str, Any],
    now: datetime,
    next_at: datetime,
) -> None:
    outbox.put(
        connection,
        kind="notice",
        channel=channel_of(address) or "",
        address=address,
        payload=payload,
        key=f"{stem}:{hashlib.sha256(address.encode()).hexdigest()[:16]}",
        now=now,
        next_at=next_at,
        notice_id=notice_id,
    )
