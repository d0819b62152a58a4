"""Leases are locks now; a run of a job names its holder and counts its attempts."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("leases")
    op.add_column("job_runs", sa.Column("holder", sa.String(length=120), nullable=True))
    op.add_column("job_runs", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("job_runs", "attempt")
    op.drop_column("job_runs", "holder")
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
