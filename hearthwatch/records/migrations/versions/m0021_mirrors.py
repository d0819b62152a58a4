"""Tickets in outside service desks."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _desks()
    _mirrors()
    _events()


def downgrade() -> None:
    for table in ("mirror_reports", "mirror_events", "mirrors", "service_desks"):
        op.drop_table(table)


def _revision() -> "sa.Column[int]":
    return sa.Column("revision", sa.Integer(), server_default="1", nullable=False)


def _desks() -> None:
    op.create_table(
        "service_desks",
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("told_below", BigId, server_default="0", nullable=False),
        sa.Column("away_since", Instant(), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.String(length=400), nullable=True),
        _revision(),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_desks")),
    )


def _mirrors() -> None:
    op.create_table(
        "mirrors",
        sa.Column("ticket_id", BigId, autoincrement=False, nullable=False),
        sa.Column("desk", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=400), nullable=True),
        sa.Column("outside_id", sa.String(length=64), nullable=True),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("url", sa.String(length=400), nullable=True),
        sa.Column("told", sa.String(length=16), nullable=True),
        sa.Column("outside_state", sa.String(length=16), nullable=True),
        sa.Column("seen", BigId, server_default="0", nullable=False),
        sa.Column("outcome_missing", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("looked_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        _revision(),
        sa.CheckConstraint("state in ('standing', 'refused', 'ended')", name=op.f("ck_mirrors_state")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_mirrors_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_mirrors")),
    )
    op.create_index(op.f("ix_mirrors_desk_outside_id"), "mirrors", ["desk", "outside_id"], unique=False)
    op.create_index(op.f("ix_mirrors_state_looked_at"), "mirrors", ["state", "looked_at"], unique=False)


def _events() -> None:
    op.create_table(
        "mirror_events",
        sa.Column("event_id", BigId, autoincrement=False, nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["ticket_events.id"], name=op.f("fk_mirror_events_event_id_ticket_events")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_mirror_events")),
    )
    op.create_table(
        "mirror_reports",
        sa.Column("message_id", sa.String(length=160), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_mirror_reports")),
    )
