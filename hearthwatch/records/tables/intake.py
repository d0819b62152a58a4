"""Beside the telemetry: quarantine, decoder states, metric names, imports."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Integer, LargeBinary, String, Table, Text

from hearthwatch.records.tables.columns import Instant, id_column, metadata, revision_column

quarantine = Table(
    "quarantine",
    metadata,
    id_column(),
    Column("received_at", Instant, nullable=False, index=True),
    Column("source", String(200), nullable=False),  # "mqtt" or the file a row came from
    Column("topic", String(1024), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("device", String(64), index=True),
    Column("part", String(200), nullable=False, server_default=""),
    Column("reason", String(400), nullable=False),
    Column("samples", Integer, nullable=False, server_default="1"),
    Column("fingerprint", String(64), nullable=False, unique=True),  # the same poison twice is one row
    Column("seen", Integer, nullable=False, server_default="1"),
    Column("state", String(16), nullable=False, server_default="held"),
    revision_column(),
    CheckConstraint("state in ('held', 'replayed', 'discarded')", name="state"),
)

decoder_states = Table(
    "decoder_states",
    metadata,
    Column("convention", String(40), primary_key=True),
    Column("partition", String(256), primary_key=True),
    Column("state", JSON, nullable=False),
    Column("updated_at", Instant, nullable=False, index=True),
)

metric_names = Table(
    "metric_names",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("first_device", String(64)),
    Column("first_seen", Instant, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    id_column(),
    Column("source", String(400), nullable=False),
    Column("mapping", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("result", JSON),
)
