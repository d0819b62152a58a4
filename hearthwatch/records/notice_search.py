"""Notices as people look for them: by state, kind, customer, device, channel; page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import notices, outbox
from hearthwatch.values import Notice


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for; None: whatever. ``channel``: those for which something was written to leave by it."""

    state: str | None = None
    kind: str | None = None
    customer_id: str | None = None
    device_id: str | None = None
    finding_id: int | None = None
    channel: str | None = None


_COLUMNS = tuple(notices.c[name] for name in Notice.__dataclass_fields__)


def search(
    connection: Connection, sought: Sought, *, after: int | None = None, offset: int = 0, limit: int = 100
) -> list[Notice]:
    """Notices, newest first; ``after`` is the id to go on from."""
    query = sa.select(*_COLUMNS).where(*_which(sought)).order_by(notices.c.id.desc()).offset(offset).limit(limit)
    if after is not None:
        query = query.where(notices.c.id < after)
    return [Notice(**row) for row in connection.execute(query).mappings()]


def count(connection: Connection, sought: Sought) -> int:
    """How many there are in all."""
    query = sa.select(sa.func.count()).select_from(notices).where(*_which(sought))
    return int(connection.execute(query).scalar_one())


def _which(sought: Sought) -> list[Any]:
    named = ("state", "kind", "customer_id", "device_id", "finding_id")
    which: list[Any] = [notices.c[name] == value for name in named if (value := getattr(sought, name)) is not None]
    if sought.channel is not None:
        written = sa.select(outbox.c.notice_id).where(outbox.c.channel == sought.channel)
        which.append(notices.c.id.in_(written.where(outbox.c.notice_id.is_not(None))))
    return which
