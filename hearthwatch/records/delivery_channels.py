"""How each channel does: failures of its provider in a row, whether its breaker is open, and whether a person paused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import delivery_channels
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel. While ``open_until`` is set nothing is sent but, once that time has come, one probe at a time.

    ``failures`` are of the provider, in a row, the first of them at ``failing_since``; ``openings`` of its breaker, in a row.
    """

    name: str
    failures: int = 0
    openings: int = 0
    failing_since: datetime | None = None
    open_until: datetime | None = None
    last_ok_at: datetime | None = None
    last_failed_at: datetime | None = None
    last_error: str | None = None
    paused_at: datetime | None = None
    paused_by: str | None = None
    paused_reason: str | None = None
    revision: int = 0

    @property
    def paused(self) -> bool:
        """Whether a person paused it."""
        return self.paused_at is not None

    @property
    def is_open(self) -> bool:
        """Whether its provider is held for dead."""
        return self.open_until is not None


def get(connection: Connection, name: str) -> ChannelState:
    """One channel; one that nobody has heard of is well."""
    query = sa.select(delivery_channels).where(delivery_channels.c.name == name)
    row = connection.execute(query).mappings().one_or_none()
    return ChannelState(**row) if row is not None else ChannelState(name)


def list_states(connection: Connection) -> dict[str, ChannelState]:
    """Every channel that something is known of, by name."""
    rows = connection.execute(sa.select(delivery_channels).order_by(delivery_channels.c.name)).mappings()
    return {row["name"]: ChannelState(**row) for row in rows}


def keep(connection: Connection, name: str, changes: Mapping[str, Any]) -> ChannelState:
    """Change what is known of a channel."""
    insert_missing(connection, delivery_channels, [{"name": name}])
    texts = {one: fitted(delivery_channels.c[one], changes[one]) for one in _TEXTS if one in changes}
    values = {**changes, **texts, "revision": delivery_channels.c.revision + 1}
    connection.execute(sa.update(delivery_channels).where(delivery_channels.c.name == name).values(**values))
    return get(connection, name)


_TEXTS = ("last_error", "paused_by", "paused_reason")
