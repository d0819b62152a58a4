"""What a replay of a policy needs of the past that nothing else keeps, and the replays that were asked for."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Float, ForeignKey, Index, String, Table, Text

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

finding_sights = Table(
    "finding_sights",
    metadata,
    # What a detector said of a finding that stood already: when it said something else than before, or on another day.
    Column("finding_id", BigId, ForeignKey("findings.id"), primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),
    Column("severity", String(16), nullable=False),
    Column("probability", Float),
    Column("part", String(64)),
    Column("verdict", String(16)),  # of a comparison: the evidence's
    Index(None, "at"),
)

firmware_changes = Table(
    "firmware_changes",
    metadata,
    # Written by a trigger of the migrations whenever a device's version becomes another; the first one it tells is none.
    id_column(),
    Column("device_id", String(64), nullable=False, index=True),
    Column("at", Instant, nullable=False, index=True),  # when the device said so
    Column("before", String(128)),  # verbatim, like a device's firmware
    Column("after", String(128)),
)

policy_replays = Table(
    "policy_replays",
    metadata,
    id_column(),
    Column("digest", String(64), nullable=False, index=True),  # of the question: the same one is asked once
    Column("policy_version", BigId),  # null: a text that is no version
    Column("text", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress", String(200), nullable=False, server_default=""),
    Column("why", String(2000)),  # of one that failed or was interrupted
    Column("report", JSON(none_as_null=True)),
    Column("asked_by", String(120), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("holder", String(120)),  # the process that works it
    Column("attempts", BigId, nullable=False, server_default="0"),
    revision_column(),
    CheckConstraint("state in ('waiting', 'running', 'done', 'failed')", name="state"),
    Index(None, "state"),
)
