"""What a policy needs to know of devices, what it decided about findings, and which findings a notice tells of."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Integer, String, Table

from hearthwatch.records.tables.columns import BigId, Instant, metadata, revision_column

device_warranties = Table(
    "device_warranties",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("until", Instant),  # null: the model's months after the purchase, else after installation
    Column("purchased_at", Instant),
    Column("source", String(120), nullable=False),
    Column("changed_at", Instant, nullable=False),
    revision_column(),
    CheckConstraint("until is not null or purchased_at is not null", name="says_something"),
)

policy_decisions = Table(
    "policy_decisions",
    metadata,
    Column("finding_id", BigId, ForeignKey("findings.id"), primary_key=True, autoincrement=False),
    Column("rule", String(120)),  # null: none fits
    Column("outcome", String(24), nullable=False),
    Column("pays", Boolean, nullable=False),  # whether acting was worth its cost at the last look
    Column("digest", String(16), nullable=False),  # of why, to see that it changed without reading it
    Column("why", JSON, nullable=False),
    Column("since", Instant, nullable=False),  # this rule stands for it since then
    Column("at", Instant, nullable=False),  # why changed last
    Column("policy_version", Integer, nullable=False),
)

notice_findings = Table(
    "notice_findings",
    metadata,
    Column("notice_id", BigId, ForeignKey("notices.id"), primary_key=True, autoincrement=False),
    Column("finding_id", BigId, ForeignKey("findings.id"), primary_key=True, autoincrement=False, index=True),
    Column("device_id", String(64), nullable=False, index=True),
)
