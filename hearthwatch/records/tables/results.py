"""What analytics finds and learns from, and the runs of its jobs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column
from hearthwatch.records.tables.looks import look_columns

findings = Table(
    "findings",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False),
    Column("subject_type", String(16), nullable=False),
    Column("subject", String(200), nullable=False, index=True),
    Column("mode", String(64), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("part", String(64)),
    Column("probability", Float),
    Column("evidence", JSON, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("recovered_at", Instant),
    Column("muted_until", Instant),
    revision_column(),
    UniqueConstraint("kind", "subject", "mode", "episode"),
    CheckConstraint("state in ('open', 'acknowledged', 'expected', 'recovered')", name="state"),
)

finding_events = Table(
    "finding_events",
    metadata,
    id_column(),
    Column("finding_id", BigId, ForeignKey("findings.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("what", String(32), nullable=False),  # opened, worsened, acknowledged, muted, expected, recovered, reopened
    Column("actor", String(120), nullable=False),
    Column("detail", JSON, nullable=False),
)

cohort_looks = Table(
    "cohort_looks",
    metadata,
    id_column(),
    Column("release_id", BigId, ForeignKey("releases.id"), nullable=False),
    *look_columns(longest_why=400),
    UniqueConstraint("release_id", "metric", "at"),
)

analysis_states = Table(
    "analysis_states",
    metadata,
    Column("name", String(64), primary_key=True),  # which analysis
    Column("subject", String(200), primary_key=True),
    Column("state", JSON, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

vitals = Table(
    "vitals",
    metadata,
    Column("day", Instant, primary_key=True),
    Column("model", String(120), primary_key=True),
    Column("hardware", String(64), primary_key=True),
    Column("firmware", String(128), primary_key=True),
    Column("devices", Integer, nullable=False),
    Column("sums", JSON, nullable=False),  # numerators and denominators by name; see docs/metrics.md
)

prognoses = Table(
    "prognoses",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("part", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("model_version_id", BigId),
    Column("p7", Float),
    Column("p30", Float),
    Column("p90", Float),
    Column("abstained", String(200)),  # why it does not say, or null
    Column("reasons", JSON, nullable=False),
    Column("method", String(16)),  # hazard, survival
    Column("clock", String(64)),  # of a survival: age, or the counter of use it runs on
    Column("rul_method", String(16)),  # wear, hazard, survival
    Column("rul_abstained", String(200)),
    Column("rul_p10", Float),  # days; at rul_cap: that or longer
    Column("rul_p50", Float),
    Column("rul_p90", Float),
    Column("rul_cap", Float),
    Column("against", JSON),  # what speaks against it, as a reason
    Column("decision", JSON),  # where it is near or above its line: state, threshold, expected net benefit
    Index(None, "p30"),
)

model_versions = Table(
    "model_versions",
    metadata,
    id_column(),
    Column("name", String(120), nullable=False),  # hazard/<device model>
    Column("trained_at", Instant, nullable=False),
    Column("role", String(16), nullable=False),
    Column("card", JSON, nullable=False),
    Column("artifact", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    revision_column(),
    CheckConstraint("role in ('champion', 'challenger', 'retired')", name="role"),
)

outcomes = Table(
    "outcomes",
    metadata,
    id_column(),
    Column("device_id", String(64), nullable=False, index=True),
    Column("part", String(64), nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    Column("outcome", String(24), nullable=False),
    Column("source", String(200), nullable=False),  # ticket:<id> or import:<file>
    UniqueConstraint("device_id", "part", "at", "outcome"),
    CheckConstraint(
        "outcome in ('failure', 'no_fault_found', 'user_error', 'environment', 'fixed_by_update')", name="outcome"
    ),
)

superseded_outcomes = Table(
    "superseded_outcomes",
    metadata,
    Column("outcome_id", BigId, ForeignKey("outcomes.id"), primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),  # since when another outcome holds
)

job_runs = Table(
    "job_runs",
    metadata,
    id_column(),
    Column("job", String(64), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("state", String(16), nullable=False),
    Column("result", JSON),
    Column("error", Text),
    Column("holder", String(120)),  # the process that runs or ran it
    Column("attempt", Integer, nullable=False, server_default="1"),  # counts up when another takes the window over
    UniqueConstraint("job", "due_at"),
    CheckConstraint("state in ('running', 'done', 'failed')", name="state"),
)
