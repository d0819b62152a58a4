"""Processes report themselves; the sessions that the broker keeps for ingestors are known."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("health", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_table(
        "broker_sessions",
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("held_by", sa.String(length=120), nullable=True),
        sa.Column("held_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_broker_sessions")),
    )
    op.create_index(op.f("ix_decoder_states_updated_at"), "decoder_states", ["updated_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_decoder_states_updated_at"), table_name="decoder_states")
    op.drop_table("broker_sessions")
    op.drop_table("processes")
