"""Prognoses say by which method and clock they speak, and how long a part that wears will last."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXTS = {"method": 16, "clock": 64, "rul_method": 16, "rul_abstained": 200}
NUMBERS = ("rul_p10", "rul_p50", "rul_p90", "rul_cap")
STRUCTURES = ("against", "decision")


def upgrade() -> None:
    for name, length in TEXTS.items():
        op.add_column("prognoses", sa.Column(name, sa.String(length=length), nullable=True))
    for name in NUMBERS:
        op.add_column("prognoses", sa.Column(name, sa.Float(), nullable=True))
    for name in STRUCTURES:
        op.add_column("prognoses", sa.Column(name, sa.JSON(), nullable=True))
    known = sa.table("prognoses", sa.column("method"), sa.column("model_version_id"))
    op.execute(sa.update(known).where(known.c.model_version_id.is_not(None)).values(method="hazard"))


def downgrade() -> None:
    for name in (*TEXTS, *NUMBERS, *STRUCTURES):
        op.drop_column("prognoses", name)
