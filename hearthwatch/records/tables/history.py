"""What a maker's own history was asked."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Index, Integer, String, Table, Text

from hearthwatch.records.tables.columns import Instant, id_column, metadata, revision_column

backtests = Table(
    "backtests",
    metadata,
    id_column(),
    Column(
        "folder", String(400), nullable=False
    ),  # below history_dir; where it came from a command, the path given there
    Column("mapping_file", String(400), nullable=False),
    Column("mapping", Text, nullable=False),
    Column("cut", Instant),  # null: three fifths of the span
    Column("horizon_days", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress", String(200), nullable=False, server_default=""),
    Column("why", String(2000)),  # of a run that was refused, failed or interrupted
    Column("report", JSON(none_as_null=True)),
    Column("asked_by", String(120), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("holder", String(120)),  # the process that works it
    revision_column(),
    CheckConstraint("state in ('waiting', 'running', 'done', 'refused', 'failed', 'interrupted')", name="state"),
    Index(None, "state"),
)
