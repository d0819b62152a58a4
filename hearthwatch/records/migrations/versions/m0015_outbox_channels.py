"""One delivery for each notice and channel: every attempt, how each channel does, and what is given up when."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

OUTCOMES = "'delivered', 'away', 'busy', 'later', 'timeout', 'partial', 'nomatch', 'refused', 'broken'"
COLUMNS = (
    ("due_at", Instant()),
    ("failed_at", Instant()),
    ("outcome", sa.String(length=16)),
    ("message_ref", sa.String(length=32)),
)
INDEXES = (["channel", "state", "next_at"], ["message_ref"])


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("outbox", sa.Column(name, kind, nullable=True))
    for columns in INDEXES:
        op.create_index(_index(columns), "outbox", columns, unique=False)
    op.execute("UPDATE outbox SET due_at = created_at")
    op.execute("UPDATE outbox SET channel = 'mail' WHERE channel = 'apprise' AND address LIKE 'mailto%'")
    _attempts()
    _channels()
    op.create_table(
        "event_cursors",
        sa.Column("endpoint", sa.String(length=40), nullable=False),
        sa.Column("ledger", sa.String(length=16), nullable=False),
        sa.Column("last_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "ledger", name=op.f("pk_event_cursors")),
    )


def downgrade() -> None:
    op.drop_table("event_cursors")
    op.drop_table("delivery_channels")
    release("delivery_attempts")
    op.drop_table("delivery_attempts")
    op.execute("UPDATE outbox SET channel = 'apprise' WHERE channel = 'mail'")
    for columns in INDEXES:
        op.drop_index(_index(columns), table_name="outbox")
    for name, _ in COLUMNS:
        op.drop_column("outbox", name)


def _index(columns: list[str]) -> str:
    return op.f("ix_outbox_" + "_".join(columns))


def _attempts() -> None:
    op.create_table(
        "delivery_attempts",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("outbox_id", BigId, nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.CheckConstraint(f"outcome in ({OUTCOMES})", name=op.f("ck_delivery_attempts_outcome")),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_delivery_attempts_outbox_id_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
    )
    op.create_index(op.f("ix_delivery_attempts_outbox_id"), "delivery_attempts", ["outbox_id"], unique=False)
    op.create_index(op.f("ix_delivery_attempts_at_channel"), "delivery_attempts", ["at", "channel"], unique=False)
    make_append_only("delivery_attempts")


def _channels() -> None:
    op.create_table(
        "delivery_channels",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("openings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("open_until", Instant(), nullable=True),
        sa.Column("last_ok_at", Instant(), nullable=True),
        sa.Column("last_failed_at", Instant(), nullable=True),
        sa.Column("last_error", sa.String(length=400), nullable=True),
        sa.Column("paused_at", Instant(), nullable=True),
        sa.Column("paused_by", sa.String(length=120), nullable=True),
        sa.Column("paused_reason", sa.String(length=400), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_delivery_channels")),
    )
