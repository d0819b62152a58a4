"""Why a notice was decided, and what policies need to know of models and devices."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notices", sa.Column("why", sa.JSON(), nullable=True))
    with op.batch_alter_table("models") as models:
        models.add_column(sa.Column("safety_class", sa.String(length=16), server_default="none", nullable=False))
        models.add_column(sa.Column("warranty_months", sa.Integer(), nullable=True))
        models.create_check_constraint(op.f("ck_models_safety_class"), "safety_class in ('none', 'property', 'injury')")
        models.create_check_constraint(op.f("ck_models_warranty_months"), "warranty_months >= 0")
    _warranties()
    _decisions()
    _told()


def downgrade() -> None:
    for table in ("notice_findings", "policy_decisions", "device_warranties"):
        op.drop_table(table)
    with op.batch_alter_table("models") as models:
        models.drop_constraint(op.f("ck_models_warranty_months"), type_="check")
        models.drop_constraint(op.f("ck_models_safety_class"), type_="check")
        models.drop_column("warranty_months")
        models.drop_column("safety_class")
    op.drop_column("notices", "why")


def _warranties() -> None:
    op.create_table(
        "device_warranties",
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("purchased_at", Instant(), nullable=True),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "until is not null or purchased_at is not null", name=op.f("ck_device_warranties_says_something")
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_warranties")),
    )


def _decisions() -> None:
    op.create_table(
        "policy_decisions",
        sa.Column("finding_id", BigId, autoincrement=False, nullable=False),
        sa.Column("rule", sa.String(length=120), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("pays", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=16), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_policy_decisions_finding_id_findings")),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_policy_decisions")),
    )


def _told() -> None:
    op.create_table(
        "notice_findings",
        sa.Column("notice_id", BigId, autoincrement=False, nullable=False),
        sa.Column("finding_id", BigId, autoincrement=False, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_notice_findings_finding_id_findings")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_notice_findings_notice_id_notices")),
        sa.PrimaryKeyConstraint("notice_id", "finding_id", name=op.f("pk_notice_findings")),
    )
    for column in ("finding_id", "device_id"):
        op.create_index(op.f(f"ix_notice_findings_{column}"), "notice_findings", [column], unique=False)
