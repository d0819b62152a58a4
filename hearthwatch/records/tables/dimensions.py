"""What splits a model beside its firmware, and the standing comparisons by it."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Index, String, Table, UniqueConstraint

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column
from hearthwatch.records.tables.looks import look_columns

device_attributes = Table(
    "device_attributes",
    metadata,
    id_column(),
    Column("device_id", String(64), nullable=False),
    Column("name", String(64), nullable=False),  # batch, supplier, ...; hardware and region once they have changed
    Column("value", String(128), nullable=False),
    Column("from_at", Instant, nullable=False),  # 1970 for what was never known to be otherwise
    Column("to_at", Instant),  # null: still
    UniqueConstraint("device_id", "name", "from_at"),
    Index(None, "name", "value"),
)

comparisons = Table(
    "comparisons",
    metadata,
    id_column(),
    Column("model", String(120), nullable=False),
    Column("by", String(80), nullable=False),  # hardware, region, made, part:<part>, or an attribute's name
    Column("treatment", String(128), nullable=False),
    Column("control", JSON, nullable=False),  # values; empty: all others
    Column("metric", String(64)),  # null: every metric that is watched
    Column("since", Instant, nullable=False),  # what came before is each device's own past
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("ended_at", Instant),
    revision_column(),
    Index(None, "model", "by"),
)

comparison_looks = Table(
    "comparison_looks",
    metadata,
    id_column(),
    Column("comparison_id", BigId, ForeignKey("comparisons.id"), nullable=False),
    *look_columns(longest_why=800),
    UniqueConstraint("comparison_id", "metric", "at"),
    CheckConstraint("verdict in ('worse', 'better', 'same', 'too_early', 'confounded')", name="verdict"),
)
