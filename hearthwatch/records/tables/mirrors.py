"""Tickets in an outside service desk: where each stands there, and which events of its ledger have been told."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from hearthwatch.records.tables.columns import BigId, Instant, metadata, revision_column

service_desks = Table(
    "service_desks",
    metadata,
    Column("name", String(24), primary_key=True),
    Column("since", Instant, nullable=False),  # tickets that were closed before are not shown
    Column("told_below", BigId, nullable=False, server_default="0"),  # no event up to this one is still to be told
    Column("away_since", Instant),
    Column("next_at", Instant),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("error", String(400)),
    revision_column(),
)

mirrors = Table(
    "mirrors",
    metadata,
    Column("ticket_id", BigId, ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
    Column("desk", String(24), nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", String(400)),  # it is refused or ended
    Column("outside_id", String(64)),
    Column("number", String(64)),
    Column("url", String(400)),
    Column("told", String(16)),  # the state the desk was told last
    Column("outside_state", String(16)),  # the desk's own state when it was looked at last
    Column("seen", BigId, nullable=False, server_default="0"),
    Column("outcome_missing", Boolean, nullable=False, server_default="0"),
    Column("looked_at", Instant),  # null: soon
    Column("created_at", Instant, nullable=False),
    revision_column(),
    Index(None, "desk", "outside_id"),
    Index(None, "state", "looked_at"),
    CheckConstraint("state in ('standing', 'refused', 'ended')", name="state"),
)

mirror_events = Table(
    "mirror_events",
    metadata,
    Column("event_id", BigId, ForeignKey("ticket_events.id"), primary_key=True, autoincrement=False),
    Column("what", String(16), nullable=False),  # told, heard (it came from the desk), unwanted
    Column("at", Instant, nullable=False),
)

mirror_reports = Table(
    "mirror_reports",
    metadata,
    Column("message_id", String(160), primary_key=True),
    Column("at", Instant, nullable=False),
)
