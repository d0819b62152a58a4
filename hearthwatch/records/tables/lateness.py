"""What came too late to be judged, and what was kept back so that judgements stay honest."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Integer, String, Table

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

late_days = Table(
    "late_days",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("day", Instant, primary_key=True, index=True),  # the UTC day's beginning
    Column("first_at", Instant, nullable=False),  # when the first late sample of the day could be read
    Column("last_at", Instant, nullable=False),  # and the last one, as far as a morning's jobs can tell
)

hold_outs = Table(
    "hold_outs",
    metadata,
    id_column(),
    Column("finding_id", BigId, ForeignKey("findings.id"), nullable=False, unique=True),
    Column("device_id", String(64), nullable=False, index=True),
    Column("part", String(64), nullable=False, server_default=""),  # empty: the finding names none
    Column("kind", String(16), nullable=False),
    Column("mode", String(64), nullable=False),
    Column("severity", String(16), nullable=False),  # as it stood at the draw, like the probability
    Column("probability", Float),
    Column("share", Float, nullable=False),  # of the policy then
    Column("policy_version", Integer, nullable=False),
    Column("drawn_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("ended_at", Instant, index=True),  # null: it lasts
    Column("ended_by", String(120)),
    Column("why_ended", String(16)),
    revision_column(),
    CheckConstraint("kind in ('anomaly', 'prognosis')", name="kind"),
    CheckConstraint("why_ended in ('expired', 'sent_now', 'grave', 'explained', 'policy')", name="why_ended"),
)
