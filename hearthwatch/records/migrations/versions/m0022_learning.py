"""Surveys after closing."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "surveys",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("solved", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("follow_up", sa.String(length=16), nullable=True),
        sa.Column("follow_up_ticket", BigId, nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("score between 1 and 5", name=op.f("ck_surveys_score")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_surveys_ticket_id_tickets")),
        sa.ForeignKeyConstraint(["follow_up_ticket"], ["tickets.id"], name=op.f("fk_surveys_follow_up_ticket_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveys")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_surveys_ticket_id")),
    )
    for column in ("customer_id", "at"):
        op.create_index(op.f(f"ix_surveys_{column}"), "surveys", [column], unique=False)


def downgrade() -> None:
    op.drop_table("surveys")
