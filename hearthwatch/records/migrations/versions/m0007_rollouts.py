"""Staged roll-outs are rows: waves, what became of each device, and what was decided."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rollouts()
    _waves()
    _devices()
    _decisions()


def downgrade() -> None:
    release("rollout_decisions")
    for table in ("rollout_decisions", "rollout_devices", "rollout_waves", "rollouts"):
        op.drop_table(table)


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("release_id", BigId, nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("strata", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.Column("healthy_hours", sa.Float(), nullable=False),
        sa.Column("silent_hours", sa.Float(), nullable=False),
        sa.Column("silence_share", sa.Float(), nullable=False),
        sa.Column("deviation_share", sa.Float(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("claim", sa.String(length=16), nullable=False),
        sa.Column("claim_why", sa.String(length=400), nullable=True),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("service_id", sa.String(length=120), nullable=True),
        sa.Column("service_state", sa.String(length=40), nullable=True),
        sa.Column("service_said", sa.String(length=400), nullable=True),
        sa.Column("service_at", Instant(), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "status in ('planned', 'running', 'held', 'paused', 'stopped', 'complete')",
            name=op.f("ck_rollouts_status"),
        ),
        sa.CheckConstraint("claim in ('open', 'followed', 'withdrawn')", name=op.f("ck_rollouts_claim")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_rollouts_release_id_releases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
        sa.UniqueConstraint("release_id", name=op.f("uq_rollouts_release_id")),
    )


def _waves() -> None:
    op.create_table(
        "rollout_waves",
        sa.Column("rollout_id", BigId, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("min_hours", sa.Float(), nullable=False),
        sa.Column("min_successes", sa.Integer(), nullable=False),
        sa.Column("success_share", sa.Float(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=True),
        sa.Column("passed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_waves_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint("rollout_id", "number", name=op.f("pk_rollout_waves")),
    )


def _devices() -> None:
    op.create_table(
        "rollout_devices",
        sa.Column("rollout_id", BigId, autoincrement=False, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.String(length=400), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("offered_at", Instant(), nullable=True),
        sa.Column("deferred_at", Instant(), nullable=True),
        sa.Column("updated_at", Instant(), nullable=True),
        sa.Column("heard_at", Instant(), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("healthy_hours", sa.Float(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "outcome in ('waiting', 'offered', 'deferred', 'updated', 'success', 'silent', 'unhealthy', 'left')",
            name=op.f("ck_rollout_devices_outcome"),
        ),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_devices_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint("rollout_id", "device_id", name=op.f("pk_rollout_devices")),
    )
    op.create_index(op.f("ix_rollout_devices_device_id"), "rollout_devices", ["device_id"], unique=False)
    wave = op.f("ix_rollout_devices_rollout_id_wave_outcome")
    op.create_index(wave, "rollout_devices", ["rollout_id", "wave", "outcome"], unique=False)


def _decisions() -> None:
    op.create_table(
        "rollout_decisions",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("rollout_id", BigId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("why", sa.String(length=400), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.CheckConstraint("decision in ('continue', 'hold', 'stop')", name=op.f("ck_rollout_decisions_decision")),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_decisions_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout_decisions")),
        sa.UniqueConstraint("rollout_id", "number", name=op.f("uq_rollout_decisions_rollout_id_number")),
    )
    make_append_only("rollout_decisions")
