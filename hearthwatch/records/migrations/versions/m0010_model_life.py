"""Model life: what was decided of models, what was seen of them day by day, and what they said of which devices."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LEDGERS = ("model_decisions", "model_looks")


def upgrade() -> None:
    _decisions()
    _looks()
    _said_days()
    for ledger in LEDGERS:
        make_append_only(ledger)


def downgrade() -> None:
    for ledger in LEDGERS:
        release(ledger)
    for table in ("said_days", *LEDGERS):
        op.drop_table(table)


def _decisions() -> None:
    op.create_table(
        "model_decisions",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("version_id", BigId, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("why", sa.String(length=800), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "what in ('registered', 'promoted', 'restored', 'retired', 'demoted', 'alarm')",
            name=op.f("ck_model_decisions_what"),
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name=op.f("fk_model_decisions_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_decisions")),
    )
    op.create_index(op.f("ix_model_decisions_name"), "model_decisions", ["name"], unique=False)


def _looks() -> None:
    op.create_table(
        "model_looks",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("version_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("e", sa.Float(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "kind in ('race', 'calibration', 'scores', 'no_fault', 'features')", name=op.f("ck_model_looks_kind")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name=op.f("fk_model_looks_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_looks")),
        sa.UniqueConstraint("version_id", "kind", "at", name=op.f("uq_model_looks_version_id_kind_at")),
    )


def _said_days() -> None:
    op.create_table(
        "said_days",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("block", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_said_days")),
        sa.UniqueConstraint("name", "at", name=op.f("uq_said_days_name_at")),
    )
    op.create_index(op.f("ix_said_days_at"), "said_days", ["at"], unique=False)
