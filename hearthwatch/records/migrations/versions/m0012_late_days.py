"""Days whose data came late, and findings whose notice is held out to learn what happens without it."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "late_days",
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("day", Instant(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "day", name=op.f("pk_late_days")),
    )
    op.create_index(op.f("ix_late_days_day"), "late_days", ["day"], unique=False)
    _hold_outs()


def downgrade() -> None:
    op.drop_table("hold_outs")
    op.drop_table("late_days")


def _hold_outs() -> None:
    op.create_table(
        "hold_outs",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("finding_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=64), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("drawn_at", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_by", sa.String(length=120), nullable=True),
        sa.Column("why_ended", sa.String(length=16), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("kind in ('anomaly', 'prognosis')", name=op.f("ck_hold_outs_kind")),
        sa.CheckConstraint(
            "why_ended in ('expired', 'sent_now', 'grave', 'explained', 'policy')", name=op.f("ck_hold_outs_why_ended")
        ),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_hold_outs_finding_id_findings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold_outs")),
        sa.UniqueConstraint("finding_id", name=op.f("uq_hold_outs_finding_id")),
    )
    for column in ("device_id", "ended_at"):
        op.create_index(op.f(f"ix_hold_outs_{column}"), "hold_outs", [column], unique=False)
