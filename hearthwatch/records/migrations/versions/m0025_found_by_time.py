"""What is looked for in every round is found by its time, and not by reading all that ever happened."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

INDEXES = (
    ("ticket_events", ("at",)),
    ("notice_events", ("what", "at")),
    ("notices", ("answer", "state")),
    ("tickets", ("state", "closed_at")),
)


def upgrade() -> None:
    for table, columns in INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def downgrade() -> None:
    for table, columns in reversed(INDEXES):
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table_name=table)
