"""Whether devices are there: what is held of each now, how that changed, who depends on whom, and when nobody was listening."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Float, ForeignKey, Index, Integer, String, Table

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

_STATES = "('online', 'asleep', 'late', 'offline', 'unknown')"

device_liveness = Table(
    "device_liveness",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False, index=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant),  # when it changes if nothing is heard; null: it does not
    Column("why", JSON, nullable=False),  # {"text_key", "text", "values"}
    Column("power", String(16), nullable=False),
    Column("power_from", String(16), nullable=False),  # registry, bridge, metrics, convention, nothing
    Column("interval_s", Float, nullable=False),  # how often it is expected to be heard
    Column("gaps", Integer, nullable=False),  # how many gaps that was learned from
    Column("heard_at", Instant),
    Column("bridge_id", String(64), index=True),
    Column("flapping", Boolean, nullable=False, server_default="0"),
    Column("incident_id", BigId, ForeignKey("findings.id"), index=True),
    Column("memory", JSON, nullable=False),  # the job's own
    Column("updated_at", Instant, nullable=False),
    CheckConstraint(f"state in {_STATES}", name="state"),
    CheckConstraint("power in ('mains', 'battery', 'sleepy', 'unknown')", name="power"),
)

liveness_changes = Table(
    "liveness_changes",
    metadata,
    id_column(),
    Column("device_id", String(64), nullable=False),
    Column("at", Instant, nullable=False, index=True),  # when the job found it
    Column("state", String(16), nullable=False),
    Column("before", String(16)),  # null: the first
    Column("why", JSON, nullable=False),
    Column("incident_id", BigId),
    Index(None, "device_id", "id"),
    CheckConstraint(f"state in {_STATES}", name="state"),
)

device_bridges = Table(
    "device_bridges",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("bridge_id", String(64), nullable=False, index=True),
    Column("power_source", String(64)),  # as the bridge tells it
    Column("since", Instant, nullable=False),
)

reporting_plans = Table(
    "reporting_plans",
    metadata,
    Column("scope", String(16), primary_key=True),  # device, model
    Column("subject", String(120), primary_key=True),
    Column("power", String(16)),  # null: as found
    Column("interval_s", Float),  # null: as learned
    revision_column(),
    CheckConstraint("scope in ('device', 'model')", name="scope"),
    CheckConstraint("power in ('mains', 'battery', 'sleepy')", name="power"),
)

receivers = Table(
    "receivers",
    metadata,
    Column("holder", String(120), primary_key=True),  # the process, new with every start
    Column("receiving", Boolean, nullable=False),
    Column("reason", String(32), nullable=False),  # why it does not receive, empty where it does
    Column("seen_at", Instant, nullable=False),
    Column("received_at", Instant),  # when it last received
)

blind_spans = Table(
    "blind_spans",
    metadata,
    id_column(),
    Column("since", Instant, nullable=False, unique=True),
    Column("until", Instant, nullable=False, index=True),
    Column("reason", String(32), nullable=False),
)
