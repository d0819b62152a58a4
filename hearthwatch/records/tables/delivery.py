"""How delivery goes: every attempt, and how each channel does."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    id_column(),
    Column("outbox_id", BigId, ForeignKey("outbox.id"), nullable=False, index=True),
    Column("channel", String(40), nullable=False),
    Column("number", Integer, nullable=False),  # from 1, anew when a person sends it again
    Column("at", Instant, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(400)),
    Index(None, "at", "channel"),
    CheckConstraint(
        "outcome in ('delivered', 'away', 'busy', 'later', 'timeout', 'partial', 'nomatch', 'refused', 'broken')",
        name="outcome",
    ),
)

delivery_channels = Table(
    "delivery_channels",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("failures", Integer, nullable=False, server_default="0"),  # of the provider, in a row
    Column("openings", Integer, nullable=False, server_default="0"),  # of the breaker, in a row
    Column("failing_since", Instant),
    Column("open_until", Instant),  # nothing but one probe is sent before it closes; the probe is due then
    Column("last_ok_at", Instant),
    Column("last_failed_at", Instant),
    Column("last_error", String(400)),
    Column("paused_at", Instant),
    Column("paused_by", String(120)),
    Column("paused_reason", String(400)),
    revision_column(),
)

event_cursors = Table(
    "event_cursors",
    metadata,
    Column("endpoint", String(40), primary_key=True),
    Column("ledger", String(16), primary_key=True),  # notice, ticket
    Column("last_id", BigId, nullable=False),  # of the ledger's events that this endpoint was told for certain
)
