"""Consent by channel, links to a ticket or a customer alone, how ownership ended, updates that were accepted, and who was forgotten."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ADDED = (
    ("consent_events", "channel", 16),
    ("consent_events", "by", 120),
    ("ownerships", "ended", 24),
    ("releases", "image_url", 1024),
    ("releases", "image_sha256", 64),
)


def upgrade() -> None:
    for table, column, length in ADDED:
        op.add_column(table, sa.Column(column, sa.String(length=length), nullable=True))
    with op.batch_alter_table("customer_links") as links:
        links.add_column(sa.Column("ticket_id", BigId, nullable=True))
        links.alter_column("notice_id", existing_type=BigId, nullable=True)
        links.create_foreign_key(op.f("fk_customer_links_ticket_id_tickets"), "tickets", ["ticket_id"], ["id"])
        links.create_check_constraint(op.f("ck_customer_links_one_matter"), "notice_id is null or ticket_id is null")
        links.create_index(op.f("ix_customer_links_ticket_id"), ["ticket_id"], unique=False)
        links.create_index(op.f("ix_customer_links_customer_id"), ["customer_id"], unique=False)
    _installs()
    _erasures()


def downgrade() -> None:
    release("erasures")
    op.drop_table("erasures")
    op.drop_table("update_installs")
    # The schema before knows links to notices only.
    op.execute("DELETE FROM customer_links WHERE notice_id IS NULL")
    with op.batch_alter_table("customer_links") as links:
        links.drop_index(op.f("ix_customer_links_customer_id"))
        links.drop_index(op.f("ix_customer_links_ticket_id"))
        links.drop_constraint(op.f("ck_customer_links_one_matter"), type_="check")
        links.drop_constraint(op.f("fk_customer_links_ticket_id_tickets"), type_="foreignkey")
        links.alter_column("notice_id", existing_type=BigId, nullable=False)
        links.drop_column("ticket_id")
    for table, column, _ in reversed(ADDED):
        op.drop_column(table, column)


def _installs() -> None:
    op.create_table(
        "update_installs",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("notice_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("release_id", BigId, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("command_id", BigId, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.Column("tries", BigId, server_default="0", nullable=False),
        sa.Column("accepted_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("reported_at", Instant(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "state in ('waiting', 'sent', 'running', 'healthy', 'failed', 'cancelled')",
            name=op.f("ck_update_installs_state"),
        ),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_update_installs_notice_id_notices")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_update_installs_release_id_releases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_update_installs")),
        sa.UniqueConstraint(
            "notice_id", "device_id", "version", name=op.f("uq_update_installs_notice_id_device_id_version")
        ),
    )
    for column in ("device_id", "customer_id", "release_id", "state"):
        op.create_index(op.f(f"ix_update_installs_{column}"), "update_installs", [column], unique=False)


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_customer_id"), "erasures", ["customer_id"], unique=False)
    make_append_only("erasures")
