"""Further attributes of devices, each with its time, and standing comparisons by what splits a model."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _attributes()
    _comparisons()
    _looks()


def downgrade() -> None:
    release("comparison_looks")
    for table in ("comparison_looks", "comparisons", "device_attributes"):
        op.drop_table(table)


def _attributes() -> None:
    op.create_table(
        "device_attributes",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.Column("from_at", Instant(), nullable=False),
        sa.Column("to_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_attributes")),
        sa.UniqueConstraint("device_id", "name", "from_at", name=op.f("uq_device_attributes_device_id_name_from_at")),
    )
    op.create_index(op.f("ix_device_attributes_name_value"), "device_attributes", ["name", "value"], unique=False)


def _comparisons() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("treatment", sa.String(length=128), nullable=False),
        sa.Column("control", sa.JSON(), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=True),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
    )
    op.create_index(op.f("ix_comparisons_model_by"), "comparisons", ["model", "by"], unique=False)


def _looks() -> None:
    op.create_table(
        "comparison_looks",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("comparison_id", BigId, nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=800), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=name != "e") for name in ("e", "e_rate", "e_first")),
        *(sa.Column(name, sa.Float(), nullable=True) for name in ("ratio", "low", "high")),
        *(sa.Column(f"devices_{arm}", sa.Integer(), nullable=False) for arm in ("treatment", "control")),
        *(
            sa.Column(f"{what}_{arm}", sa.Float(), nullable=False)
            for what in ("hours", "events")
            for arm in ("treatment", "control")
        ),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "verdict in ('worse', 'better', 'same', 'too_early', 'confounded')",
            name=op.f("ck_comparison_looks_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["comparison_id"], ["comparisons.id"], name=op.f("fk_comparison_looks_comparison_id_comparisons")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparison_looks")),
        sa.UniqueConstraint("comparison_id", "metric", "at", name=op.f("uq_comparison_looks_comparison_id_metric_at")),
    )
    make_append_only("comparison_looks")
