"""Tables of the platform's own running: its processes and what the broker keeps for them."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from hearthwatch.records.tables.columns import Instant, metadata

processes = Table(
    "processes",
    metadata,
    Column("id", String(120), primary_key=True),  # the holder's name, new with every start
    Column("role", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("health", JSON, nullable=False),
)

broker_sessions = Table(
    "broker_sessions",
    metadata,
    Column("client_id", String(200), primary_key=True),
    Column("filters", JSON, nullable=False),  # what it subscribed to last
    Column("held_by", String(120)),
    Column("held_at", Instant, nullable=False),
    Column("ended_at", Instant),  # null while the broker may keep messages for it
)
