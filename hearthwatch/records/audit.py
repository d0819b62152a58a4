"""Who did what to which thing, and when. Append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import audit
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. ``object`` names the thing as kind:id (``finding:12``)."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    detail: Mapping[str, Any]


def note(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    object: str,  # noqa: A002  # the column's name
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write down an act, in the transaction that does it."""
    row = {
        "at": at,
        "actor": fitted(audit.c.actor, actor),
        "action": fitted(audit.c.action, action),
        "object": fitted(audit.c.object, object),
        "detail": dict(detail or {}),
    }
    connection.execute(sa.insert(audit).values(row))


def list_entries(
    connection: Connection, *, about: str | None = None, after: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Entries, newest first; ``about`` is an object, ``after`` the last id of the page before."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if about is not None:
        query = query.where(audit.c.object == about)
    if after is not None:
        query = query.where(audit.c.id < after)
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]
