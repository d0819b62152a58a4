"""Who may do what, and who did."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Integer, String, Table

from hearthwatch.records.tables.columns import Instant, id_column, metadata, revision_column

users = Table(
    "users",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("password_hash", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False, server_default="1"),
    Column("created_at", Instant, nullable=False),
    revision_column(),
    CheckConstraint("role in ('viewer', 'engineer', 'agent', 'technician', 'admin')", name="role"),
)

tokens = Table(
    "tokens",
    metadata,
    id_column(),
    Column("name", String(120), nullable=False),
    Column("role", String(16), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("hint", String(12), nullable=False),  # the last four characters, to recognise it by
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    revision_column(),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("caller", String(120), primary_key=True),
    Column("request_digest", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("response", JSON),
    Column("at", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    id_column(),
    Column("at", Instant, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(200), nullable=False, index=True),
    Column("detail", JSON, nullable=False),
)
