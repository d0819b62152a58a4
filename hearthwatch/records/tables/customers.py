"""What became of accepted updates, and who was forgotten."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, String, Table, UniqueConstraint

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

update_installs = Table(
    "update_installs",
    metadata,
    id_column(),
    Column("notice_id", BigId, ForeignKey("notices.id"), nullable=False),
    Column("device_id", String(64), nullable=False, index=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("release_id", BigId, ForeignKey("releases.id"), nullable=False, index=True),
    Column("version", String(64), nullable=False),
    Column("command_id", BigId),  # of the newest try; commands are deleted after a while, this row is not
    Column("state", String(16), nullable=False, index=True),
    Column("reason", String(400)),
    Column("tries", BigId, nullable=False, server_default="0"),
    Column("accepted_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("reported_at", Instant),  # when the device first said that it runs the version
    Column("settled_at", Instant),
    revision_column(),
    UniqueConstraint("notice_id", "device_id", "version"),
    CheckConstraint("state in ('waiting', 'sent', 'running', 'healthy', 'failed', 'cancelled')", name="state"),
)

erasures = Table(
    "erasures",
    metadata,
    id_column(),
    Column("customer_id", String(64), nullable=False, index=True),  # a pseudonym: who it was is not kept
    Column("at", Instant, nullable=False),
    Column("by", String(120), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("counts", JSON, nullable=False),  # rows touched, by table
)
