"""Backtests of a maker's own history, and what came of them."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backtests",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("folder", sa.String(length=400), nullable=False),
        sa.Column("mapping_file", sa.String(length=400), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("cut", Instant(), nullable=True),
        sa.Column("horizon_days", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.String(length=200), server_default="", nullable=False),
        sa.Column("why", sa.String(length=2000), nullable=True),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("asked_by", sa.String(length=120), nullable=False),
        *(sa.Column(name, Instant(), nullable=name != "asked_at") for name in ("asked_at", "started_at", "finished_at")),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "state in ('waiting', 'running', 'done', 'refused', 'failed', 'interrupted')",
            name=op.f("ck_backtests_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtests")),
    )
    op.create_index(op.f("ix_backtests_state"), "backtests", ["state"], unique=False)


def downgrade() -> None:
    op.drop_table("backtests")
