"""What is held of each device's being there and how it changed; bridges; power and interval set by a person; when nobody listened."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = "state in ('online', 'asleep', 'late', 'offline', 'unknown')"


def upgrade() -> None:
    _create_states()
    _create_changes()
    _create_registry()
    _create_blindness()


def _create_states() -> None:
    op.create_table(
        "device_liveness",
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("power", sa.String(length=16), nullable=False),
        sa.Column("power_from", sa.String(length=16), nullable=False),
        sa.Column("interval_s", sa.Float(), nullable=False),
        sa.Column("gaps", sa.Integer(), nullable=False),
        sa.Column("heard_at", Instant(), nullable=True),
        sa.Column("bridge_id", sa.String(length=64), nullable=True),
        sa.Column("flapping", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("incident_id", BigId, nullable=True),
        sa.Column("memory", sa.JSON(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_device_liveness_state")),
        sa.CheckConstraint("power in ('mains', 'battery', 'sleepy', 'unknown')", name=op.f("ck_device_liveness_power")),
        sa.ForeignKeyConstraint(["incident_id"], ["findings.id"], name=op.f("fk_device_liveness_incident_id_findings")),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_liveness")),
    )
    for column in ("incident_id", "bridge_id", "state"):
        op.create_index(op.f(f"ix_device_liveness_{column}"), "device_liveness", [column], unique=False)


def _create_changes() -> None:
    op.create_table(
        "liveness_changes",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=True),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("incident_id", BigId, nullable=True),
        sa.CheckConstraint(STATES, name=op.f("ck_liveness_changes_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_liveness_changes")),
    )
    op.create_index(op.f("ix_liveness_changes_at"), "liveness_changes", ["at"], unique=False)
    op.create_index(op.f("ix_liveness_changes_device_id_id"), "liveness_changes", ["device_id", "id"], unique=False)


def _create_registry() -> None:
    op.create_table(
        "device_bridges",
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("bridge_id", sa.String(length=64), nullable=False),
        sa.Column("power_source", sa.String(length=64), nullable=True),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_bridges")),
    )
    op.create_index(op.f("ix_device_bridges_bridge_id"), "device_bridges", ["bridge_id"], unique=False)
    op.create_table(
        "reporting_plans",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("power", sa.String(length=16), nullable=True),
        sa.Column("interval_s", sa.Float(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("scope in ('device', 'model')", name=op.f("ck_reporting_plans_scope")),
        sa.CheckConstraint("power in ('mains', 'battery', 'sleepy')", name=op.f("ck_reporting_plans_power")),
        sa.PrimaryKeyConstraint("scope", "subject", name=op.f("pk_reporting_plans")),
    )


def _create_blindness() -> None:
    op.create_table(
        "receivers",
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("receiving", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_receivers")),
    )
    op.create_table(
        "blind_spans",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blind_spans")),
        sa.UniqueConstraint("since", name=op.f("uq_blind_spans_since")),
    )
    op.create_index(op.f("ix_blind_spans_until"), "blind_spans", ["until"], unique=False)


def downgrade() -> None:
    for table in (
        "blind_spans",
        "receivers",
        "reporting_plans",
        "device_bridges",
        "liveness_changes",
        "device_liveness",
    ):
        op.drop_table(table)
