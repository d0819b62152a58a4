"""Recalls and advisories, and notices whose cause is not a finding."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.migrations.rebuilding import emptied
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KEY = ["cause", "device_id", "customer_id", "kind", "occasion"]
OLD_KEY = ["finding_id", *KEY[1:]]
STATES = "'observed', 'held', 'queued', 'sent', 'failed', 'suppressed', 'cancelled'"
OF_FINDINGS = "'finding:' || finding_id"
OF_OTHERS = "SELECT id FROM notices WHERE finding_id IS NULL"


def upgrade() -> None:
    _campaigns()
    _campaign_devices()
    _campaign_events()
    with emptied("notices", {"cause": OF_FINDINGS}), op.batch_alter_table("notices") as one:
        _replace_state(one, "waiting")
        one.add_column(sa.Column("cause", sa.String(length=80), nullable=_filled_later()))
        one.add_column(sa.Column("ticket_id", BigId, nullable=True))
        one.add_column(sa.Column("campaign_id", BigId, nullable=True))
        one.alter_column("finding_id", existing_type=BigId, nullable=True)
        one.drop_constraint(_unique(OLD_KEY), type_="unique")
        one.create_unique_constraint(_unique(KEY), KEY)
        for column, table in (("ticket_id", "tickets"), ("campaign_id", "campaigns")):
            one.create_foreign_key(op.f(f"fk_notices_{column}_{table}"), table, [column], ["id"])
            one.create_index(op.f(f"ix_notices_{column}"), [column], unique=False)
    if _filled_later():
        op.execute(f"UPDATE notices SET cause = {OF_FINDINGS}")
        op.alter_column("notices", "cause", nullable=False)


def downgrade() -> None:
    _forget_others()
    with emptied("notices"), op.batch_alter_table("notices") as one:
        _replace_state(one)
        for column, table in (("ticket_id", "tickets"), ("campaign_id", "campaigns")):
            one.drop_index(op.f(f"ix_notices_{column}"))
            one.drop_constraint(op.f(f"fk_notices_{column}_{table}"), type_="foreignkey")
            one.drop_column(column)
        one.drop_constraint(_unique(KEY), type_="unique")
        one.alter_column("finding_id", existing_type=BigId, nullable=False)
        one.create_unique_constraint(_unique(OLD_KEY), OLD_KEY)
        one.drop_column("cause")
    release("campaign_events")
    for table in ("campaign_events", "campaign_devices", "campaigns"):
        op.drop_table(table)


def _unique(key: list[str]) -> str:
    return op.f("uq_notices_" + "_".join(key))


def _filled_later() -> bool:
    """Whether rows stay in the table while it changes."""
    return op.get_context().dialect.name != "sqlite"


def _replace_state(batch: BatchOperations, *more: str) -> None:
    states = ", ".join([STATES, *(f"'{one}'" for one in more)])
    batch.drop_constraint(op.f("ck_notices_state"), type_="check")
    batch.create_check_constraint(op.f("ck_notices_state"), sa.text(f"state in ({states})"))


def _forget_others() -> None:
    """Notices that the older schema can not hold, and all that hangs on them."""
    op.execute("UPDATE notices SET state = 'suppressed' WHERE state = 'waiting'")
    release("notice_events")
    for table in ("notice_events", "customer_links", "outbox", "notice_findings"):
        op.execute(f"DELETE FROM {table} WHERE notice_id IN ({OF_OTHERS})")
    make_append_only("notice_events")
    op.execute("DELETE FROM notices WHERE finding_id IS NULL")


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=True),
        sa.Column("submitted_by", sa.String(length=120), nullable=True),
        sa.Column("approved_at", Instant(), nullable=True),
        sa.Column("approved_by", sa.String(length=120), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=120), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("kind in ('recall', 'advisory')", name=op.f("ck_campaigns_kind")),
        sa.CheckConstraint(
            "state in ('draft', 'submitted', 'running', 'closed', 'dropped')", name=op.f("ck_campaigns_state")
        ),
        sa.CheckConstraint(
            "approved_by is null or approved_by <> submitted_by", name=op.f("ck_campaigns_second_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("reference", name=op.f("uq_campaigns_reference")),
    )
    op.create_index(op.f("ix_campaigns_state"), "campaigns", ["state"], unique=False)


def _campaign_devices() -> None:
    op.create_table(
        "campaign_devices",
        sa.Column("campaign_id", BigId, autoincrement=False, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("remedied_at", Instant(), nullable=True),
        sa.Column("remedy", sa.String(length=24), nullable=True),
        sa.Column("remedied_by", sa.String(length=120), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_devices_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "device_id", name=op.f("pk_campaign_devices")),
    )
    op.create_index(op.f("ix_campaign_devices_device_id"), "campaign_devices", ["device_id"], unique=False)


def _campaign_events() -> None:
    op.create_table(
        "campaign_events",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("campaign_id", BigId, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_events_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_events")),
    )
    op.create_index(op.f("ix_campaign_events_campaign_id"), "campaign_events", ["campaign_id"], unique=False)
    make_append_only("campaign_events")
