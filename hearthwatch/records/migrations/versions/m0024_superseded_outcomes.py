"""Outcomes that were corrected: the old label stays as it was written and counts no more."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "superseded_outcomes",
        sa.Column("outcome_id", BigId, autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["outcome_id"], ["outcomes.id"], name=op.f("fk_superseded_outcomes_outcome_id_outcomes")
        ),
        sa.PrimaryKeyConstraint("outcome_id", name=op.f("pk_superseded_outcomes")),
    )


def downgrade() -> None:
    op.drop_table("superseded_outcomes")
