"""Commands to devices: who asked for what and why, and what the device answered."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Index, String, Table, text

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

_PENDING = text("state in ('queued', 'sent')")

commands = Table(
    "commands",
    metadata,
    id_column(),
    Column("device_id", String(64), nullable=False),
    Column("kind", String(24), nullable=False),  # diagnostics, check_update, update, device_info, rebirth
    Column("convention", String(40), nullable=False),
    Column("request_id", String(64), nullable=False, unique=True),  # what tells its answer apart on the wire
    Column("answered_by", JSON, nullable=False),  # ids of the devices that may answer: its own, its bridge's
    Column("parameters", JSON, nullable=False),
    Column("asked_by", String(120), nullable=False),
    Column("why", String(400), nullable=False),
    Column("finding_id", BigId, ForeignKey("findings.id")),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), index=True),
    Column("notice_id", BigId, ForeignKey("notices.id")),
    Column(
        "consent", String(120), nullable=False
    ),  # what it rests on: service:<customer>, acceptance:<notice>, owner:maker, protocol
    Column("state", String(16), nullable=False),
    Column("reason", String(400)),
    Column("created_at", Instant, nullable=False),
    Column("send_after", Instant, nullable=False),
    Column("outbox_at", Instant),  # when it was put into the outbox; null while it waits for its device
    Column("sent_at", Instant),
    Column("answered_at", Instant),
    Column("expires_at", Instant, nullable=False),
    Column("late", Boolean, nullable=False, server_default="0"),
    Column("answer", JSON),
    revision_column(),
    Index(None, "device_id", "id"),
    Index(None, "state", "expires_at"),
    Index("uq_commands_pending", "device_id", "kind", unique=True, sqlite_where=_PENDING, postgresql_where=_PENDING),
    CheckConstraint(
        "state in ('queued', 'sent', 'answered', 'failed', 'timed_out', 'cancelled', 'refused')", name="state"
    ),
)
