"""Who is who: ids that are one device, the hardware addresses they told, who may log in at the broker, how many devices came new."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    text,
)

from hearthwatch.records.tables.columns import Instant, metadata, revision_column

device_aliases = Table(
    "device_aliases",
    metadata,
    Column("alias", String(64), nullable=False),
    Column("device", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False, server_default="joined"),
    Column("convention", String(40)),  # the one that uses the alias
    Column("evidence", JSON, nullable=False),
    Column("since", Instant, nullable=False),
    Column("actor", String(120), nullable=False),
    revision_column(),
    PrimaryKeyConstraint("alias", "device"),
    CheckConstraint("state in ('joined', 'proposed', 'separate')", name="state"),
    Index(
        "uq_device_aliases_joined",
        "alias",
        unique=True,
        sqlite_where=text("state = 'joined'"),
        postgresql_where=text("state = 'joined'"),
    ),
)

device_addresses = Table(
    "device_addresses",
    metadata,
    Column("kind", String(16), nullable=False),
    Column("address", String(128), nullable=False),
    Column(
        "device", String(64), nullable=False, index=True
    ),  # the id under which it was told, whatever that is an alias of
    Column("convention", String(40)),
    Column("told_by", String(64)),  # the broker's user, where the broker names it
    Column("since", Instant, nullable=False),
    PrimaryKeyConstraint("kind", "address", "device"),
    CheckConstraint("kind in ('mac', 'ieee', 'serial')", name="kind"),
)

broker_users = Table(
    "broker_users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("conventions", JSON, nullable=False),  # those it was set up for
    Column("password", Boolean, nullable=False),  # that it has one; never which
    Column("certificate", String(64)),  # SHA-256 of the client certificate, as hexadecimal digits
    Column("enrolled_at", Instant, nullable=False),
    Column("enrolled_by", String(120), nullable=False),
    Column("revoked_at", Instant),
    revision_column(),
    CheckConstraint("role in ('device', 'bridge')", name="role"),
)

device_admissions = Table(
    "device_admissions",
    metadata,
    Column("day", String(10), primary_key=True),  # of UTC, as 2026-05-01
    Column("admitted", Integer, nullable=False, server_default="0"),  # devices nobody had registered
    Column("turned_away", Integer, nullable=False, server_default="0"),  # samples of devices that were not admitted
)
