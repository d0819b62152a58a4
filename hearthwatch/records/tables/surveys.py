"""What customers say about a case that is over."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Integer, String, Table, Text

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

surveys = Table(
    "surveys",
    metadata,
    id_column(),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False, unique=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("solved", Boolean, nullable=False),
    Column("score", Integer, nullable=False),
    Column("comment", Text),  # erasable
    Column("follow_up", String(16)),  # reopened, request; null: nothing was needed
    Column("follow_up_ticket", BigId, ForeignKey("tickets.id")),
    Column("at", Instant, nullable=False, index=True),
    revision_column(),
    CheckConstraint("score between 1 and 5", name="score"),
)
