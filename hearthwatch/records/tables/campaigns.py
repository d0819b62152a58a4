"""Recalls and advisories: what is wrong with which devices, what was approved by whom, and what became of each device."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Index, String, Table

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

campaigns = Table(
    "campaigns",
    metadata,
    id_column(),
    Column("reference", String(64), nullable=False, unique=True),  # the maker's own, shown to customers and in CSAF
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("title", String(200), nullable=False),
    Column("content", JSON, nullable=False),  # selection, product, texts per language: alerts.campaigns.content
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("submitted_at", Instant),
    Column("submitted_by", String(120)),
    Column("approved_at", Instant),
    Column("approved_by", String(120)),
    Column("closed_at", Instant),
    Column("closed_by", String(120)),
    revision_column(),
    CheckConstraint("kind in ('recall', 'advisory')", name="kind"),
    CheckConstraint("state in ('draft', 'submitted', 'running', 'closed', 'dropped')", name="state"),
    CheckConstraint("approved_by is null or approved_by <> submitted_by", name="second_person"),
)

campaign_devices = Table(
    "campaign_devices",
    metadata,
    Column("campaign_id", BigId, ForeignKey("campaigns.id"), primary_key=True, autoincrement=False),
    Column("device_id", String(64), primary_key=True),
    Column("joined_at", Instant, nullable=False),
    Column("remedied_at", Instant),
    Column("remedy", String(24)),  # update, repair, replacement, refund, disposed, not_affected
    Column("remedied_by", String(120)),
    Index(None, "device_id"),
)

campaign_events = Table(
    "campaign_events",
    metadata,
    id_column(),
    Column("campaign_id", BigId, ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column(
        "what", String(32), nullable=False
    ),  # drafted, changed, submitted, returned, approved, reached, remedied, ...
    Column("actor", String(120), nullable=False),
    Column("detail", JSON, nullable=False),
)
