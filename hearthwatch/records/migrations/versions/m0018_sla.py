"""Service levels of tickets: their ledger."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sla_events",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("clock", sa.String(length=20), server_default="", nullable=False),
        sa.Column("instance", sa.Integer(), server_default="0", nullable=False),
        sa.Column("target_s", sa.Float(), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("used_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(length=80), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "what in ('apply_sla', 'activate', 'pause', 'resume', 'fulfil', 'breach', 'cancel', 'update_status', 'remind', "
            "'escalate', 'withdraw')",
            name=op.f("ck_sla_events_what"),
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_sla_events_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_events")),
        sa.UniqueConstraint("ticket_id", "number", name=op.f("uq_sla_events_ticket_id_number")),
    )
    op.create_index(op.f("ix_sla_events_at"), "sla_events", ["at"], unique=False)
    make_append_only("sla_events")
    op.create_table(
        "sla_states",
        sa.Column("ticket_id", BigId, autoincrement=False, nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(length=80), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("clocks", sa.JSON(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_sla_states_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_sla_states")),
    )
    op.create_index(op.f("ix_sla_states_next_at"), "sla_states", ["next_at"], unique=False)


def downgrade() -> None:
    release("sla_events")
    for table in ("sla_states", "sla_events"):
        op.drop_table(table)
