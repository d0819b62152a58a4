"""What there is: models, releases, homes, customers, devices, parts."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hearthwatch.records.tables.columns import Instant, id_column, metadata, revision_column

models = Table(
    "models",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("device_class", String(40)),
    Column("maker", String(120)),
    Column("safety_class", String(16), nullable=False, server_default="none"),
    Column("warranty_months", Integer),  # null: unknown
    revision_column(),
    CheckConstraint("safety_class in ('none', 'property', 'injury')", name="safety_class"),
    CheckConstraint("warranty_months >= 0", name="warranty_months"),
)

releases = Table(
    "releases",
    metadata,
    id_column(),
    Column("model", String(120), nullable=False),
    Column("version", String(64), nullable=False),
    Column("version_key", String(96), nullable=False),
    Column("replaces", String(64)),
    Column("assignment", String(16), nullable=False, server_default="unknown"),
    Column("fixes", JSON, nullable=False),
    Column("released_at", Instant, nullable=False),
    Column("status", String(16), nullable=False, server_default="rolling"),
    Column("notes", Text),
    Column("image_url", String(1024)),  # where devices fetch it
    Column("image_sha256", String(64)),
    revision_column(),
    UniqueConstraint("model", "version"),
    CheckConstraint("assignment in ('randomised', 'staged', 'unknown')", name="assignment"),
    CheckConstraint("status in ('rolling', 'paused', 'complete', 'withdrawn')", name="status"),
)

homes = Table(
    "homes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("address", String(400)),
    Column("city", String(120)),
    Column("region", String(64)),
    Column("timezone", String(64), nullable=False, server_default="UTC"),
    revision_column(),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("language", String(16), nullable=False, server_default="en"),
    Column("email", String(320)),
    Column("phone", String(40)),
    Column("channels", JSON, nullable=False),  # addresses in order of preference: ["mailbox://c-1", "mailto://..."]
    revision_column(),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", String(120), index=True),
    Column("hardware", String(64)),
    Column("firmware", String(128)),  # verbatim
    Column("version", String(64)),  # normalised
    Column("version_key", String(96)),
    Column("firmware_at", Instant),  # when the device last said so
    Column("serial", String(128)),
    Column("made", Instant),
    Column("installed_at", Instant),
    Column("removed_at", Instant),
    Column("region", String(64)),
    Column("convention", String(40)),
    Column("test", Boolean, nullable=False, server_default="0"),
    Column("online", Boolean),
    Column("presence_at", Instant),
    Column("boot", String(64)),
    Column("boot_at", Instant),
    Column("first_seen", Instant),
    Column("last_seen", Instant),
    revision_column(),
    Index(None, "model", "version"),
)

ownerships = Table(
    "ownerships",
    metadata,
    id_column(),
    Column("device_id", String(64), nullable=False, index=True),
    Column("customer_id", String(64), ForeignKey("customers.id"), nullable=False, index=True),
    Column("home_id", String(64), ForeignKey("homes.id")),
    Column("from_at", Instant, nullable=False),
    Column("to_at", Instant),
    Column("ended", String(24)),  # sold, swapped, decommissioned, returned
    UniqueConstraint("device_id", "from_at"),
)

installed_parts = Table(
    "installed_parts",
    metadata,
    id_column(),
    Column("device_id", String(64), nullable=False, index=True),
    Column("part", String(64), nullable=False),
    Column("detail", String(128)),
    Column("from_at", Instant, nullable=False),
    Column("to_at", Instant),
    UniqueConstraint("device_id", "part", "from_at"),
)

consent_events = Table(
    "consent_events",
    metadata,
    id_column(),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", String(120), nullable=False),
    Column("channel", String(16)),  # null: all
    Column("by", String(120)),
    CheckConstraint("purpose in ('safety', 'service', 'marketing', 'analytics')", name="purpose"),
)

planned_outages = Table(
    "planned_outages",
    metadata,
    id_column(),
    Column("model", String(120)),  # null: all
    Column("region", String(64)),  # null: all
    Column("from_at", Instant, nullable=False),
    Column("to_at", Instant, nullable=False),
    Column("reason", String(400), nullable=False),
)
