"""Staged roll-outs: the plan and its waves, what became of each device, and what was decided."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Float, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

rollouts = Table(
    "rollouts",
    metadata,
    id_column(),
    Column("release_id", BigId, ForeignKey("releases.id"), nullable=False, unique=True),
    Column("salt", String(64), nullable=False),
    Column("strata", JSON, nullable=False),  # names of devices' columns within which waves are drawn
    Column("status", String(16), nullable=False),
    Column("reason", String(400)),  # why it is held, paused, stopped
    Column("healthy_hours", Float, nullable=False),
    Column("silent_hours", Float, nullable=False),
    Column("silence_share", Float, nullable=False),  # of updated devices, beyond what the control shows
    Column("deviation_share", Float, nullable=False),  # of devices, above which the claim is withdrawn
    Column("alpha", Float, nullable=False),
    Column("claim", String(16), nullable=False),  # whether the roll-out follows our assignment
    Column("claim_why", String(400)),
    Column("service", String(40), nullable=False),
    Column("service_id", String(120)),  # the roll-out's id there
    Column("service_state", String(40)),  # what the service last said of it
    Column("service_said", String(400)),
    Column("service_at", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    revision_column(),
    CheckConstraint("status in ('planned', 'running', 'held', 'paused', 'stopped', 'complete')", name="status"),
    CheckConstraint("claim in ('open', 'followed', 'withdrawn')", name="claim"),
)

rollout_waves = Table(
    "rollout_waves",
    metadata,
    Column("rollout_id", BigId, ForeignKey("rollouts.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("share", Float, nullable=False),  # of each stratum that has the release when this wave is open, 0..1
    Column("min_hours", Float, nullable=False),
    Column("min_successes", Integer, nullable=False),
    Column("success_share", Float, nullable=False),
    Column("opened_at", Instant),
    Column("passed_at", Instant),
)

rollout_devices = Table(
    "rollout_devices",
    metadata,
    Column("rollout_id", BigId, ForeignKey("rollouts.id"), primary_key=True, autoincrement=False),
    Column("device_id", String(64), primary_key=True),
    Column("wave", Integer, nullable=False),
    Column("stratum", String(400), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("why", String(200)),
    Column("joined_at", Instant, nullable=False),
    Column("offered_at", Instant),
    Column("deferred_at", Instant),
    Column("updated_at", Instant),  # when the release's version was first reported
    Column("heard_at", Instant),
    Column("decided_at", Instant),  # when the outcome became what it is
    Column("healthy_hours", Float, nullable=False, server_default="0"),
    Index(None, "rollout_id", "wave", "outcome"),
    Index(None, "device_id"),
    CheckConstraint(
        "outcome in ('waiting', 'offered', 'deferred', 'updated', 'success', 'silent', 'unhealthy', 'left')",
        name="outcome",
    ),
)

rollout_decisions = Table(
    "rollout_decisions",
    metadata,
    id_column(),
    Column("rollout_id", BigId, ForeignKey("rollouts.id"), nullable=False),
    Column("number", Integer, nullable=False),  # from 1; two who decide at once can not both have it
    Column("at", Instant, nullable=False),
    Column("wave", Integer, nullable=False),  # the newest open one, 0 before the first
    Column("decision", String(16), nullable=False),
    Column("code", String(32), nullable=False),
    Column("why", String(400), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("by", String(120), nullable=False),
    UniqueConstraint("rollout_id", "number"),
    CheckConstraint("decision in ('continue', 'hold', 'stop')", name="decision"),
)
