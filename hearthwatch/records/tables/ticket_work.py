"""What is said on tickets and what customers agreed to pay: rows that can be erased, unlike the ledger that names them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table, Text, text

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

ticket_messages = Table(
    "ticket_messages",
    metadata,
    id_column(),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("direction", String(16), nullable=False),  # see records.ticket_messages
    Column("author", String(120), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("erased_at", Instant),
    revision_column(),
    CheckConstraint("direction in ('in', 'out', 'internal', 'unverified')", name="direction"),
)

ticket_approvals = Table(
    "ticket_approvals",
    metadata,
    id_column(),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("remedy", String(24), nullable=False),
    Column("price", BigInteger, nullable=False),  # minor units of the currency
    Column("currency", String(3), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("asked_by", String(120), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("decided_at", Instant),
    Column("decided_by", String(120)),
    Column("via", String(16)),  # link, phone, letter
    Column("link_id", BigId),
    Column("language", String(16)),  # of the words that were agreed to
    Column("wording", Text),
    Column("wording_digest", String(64)),
    revision_column(),
    Index(
        "ix_ticket_approvals_asked",
        "ticket_id",
        unique=True,
        sqlite_where=text("state = 'asked'"),
        postgresql_where=text("state = 'asked'"),
    ),
    CheckConstraint("state in ('asked', 'approved', 'declined', 'expired', 'withdrawn')", name="state"),
)
