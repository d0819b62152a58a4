"""What becomes of trained models: what was decided, what was seen day by day, and what was said of which devices."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata

model_decisions = Table(
    "model_decisions",
    metadata,
    id_column(),
    Column("name", String(120), nullable=False, index=True),
    Column("version_id", BigId, ForeignKey("model_versions.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("what", String(16), nullable=False),
    Column("by", String(120), nullable=False),  # training, race, watch, or a person
    Column("why", String(800), nullable=False),
    Column("evidence", JSON, nullable=False),
    CheckConstraint(
        "what in ('registered', 'promoted', 'restored', 'retired', 'demoted', 'alarm')",
        name="what",
    ),
)

model_looks = Table(
    "model_looks",
    metadata,
    id_column(),
    Column("name", String(120), nullable=False),
    Column("version_id", BigId, ForeignKey("model_versions.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", Instant, nullable=False),  # the day, at its beginning
    Column("e", Float),  # the larger of both sides, where it is a test
    Column("detail", JSON, nullable=False),
    UniqueConstraint("version_id", "kind", "at"),
    CheckConstraint("kind in ('race', 'calibration', 'scores', 'no_fault', 'features')", name="kind"),
)

said_days = Table(
    "said_days",
    metadata,
    id_column(),
    Column("name", String(120), nullable=False),
    Column("at", Instant, nullable=False),  # the day, at its beginning
    Column("versions", JSON, nullable=False),  # their ids, the champion's first
    Column("rows", Integer, nullable=False),
    Column("block", LargeBinary, nullable=False),
    UniqueConstraint("name", "at"),
    Index(None, "at"),
)
