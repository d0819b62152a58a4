"""What a replay of a policy needs of the past: what detectors said day by day, and which firmware ran when."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_CHANGED = "OLD.version IS NOT NULL AND NEW.version IS NOT NULL AND NEW.firmware_at IS NOT NULL"
_ROW = "INSERT INTO firmware_changes (device_id, at, before, after) VALUES (NEW.id, NEW.firmware_at, OLD.firmware, NEW.firmware);"


def upgrade() -> None:
    op.create_table(
        "finding_sights",
        sa.Column("finding_id", BigId, autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("part", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_finding_sights_finding_id_findings")),
        sa.PrimaryKeyConstraint("finding_id", "at", name=op.f("pk_finding_sights")),
    )
    op.create_index(op.f("ix_finding_sights_at"), "finding_sights", ["at"], unique=False)
    _firmware()
    _replays()


def _firmware() -> None:
    op.create_table(
        "firmware_changes",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("before", sa.String(length=128), nullable=True),
        sa.Column("after", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firmware_changes")),
    )
    for column in ("device_id", "at"):
        op.create_index(op.f(f"ix_firmware_changes_{column}"), "firmware_changes", [column], unique=False)
    if op.get_context().dialect.name == "postgresql":
        # The condition stands in the function: PostgreSQL alters no column that a trigger's own condition names.
        op.execute(
            "CREATE OR REPLACE FUNCTION note_firmware_change() RETURNS trigger AS $$ BEGIN"
            f" IF NEW.version IS DISTINCT FROM OLD.version AND {_CHANGED} THEN {_ROW} END IF;"
            " RETURN NULL; END $$ LANGUAGE plpgsql"
        )
        op.execute(
            "CREATE TRIGGER devices_firmware_change AFTER UPDATE ON devices FOR EACH ROW"
            " EXECUTE FUNCTION note_firmware_change()"
        )
        return
    op.execute(
        "CREATE TRIGGER devices_firmware_change AFTER UPDATE OF version ON devices FOR EACH ROW"
        f" WHEN NEW.version IS NOT OLD.version AND {_CHANGED} BEGIN {_ROW} END"
    )


def _replays() -> None:
    op.create_table(
        "policy_replays",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("policy_version", BigId, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.String(length=200), server_default="", nullable=False),
        sa.Column("why", sa.String(length=2000), nullable=True),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("asked_by", sa.String(length=120), nullable=False),
        *(
            sa.Column(name, Instant(), nullable=name != "asked_at")
            for name in ("asked_at", "started_at", "finished_at")
        ),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.Column("attempts", BigId, server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("state in ('waiting', 'running', 'done', 'failed')", name=op.f("ck_policy_replays_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_replays")),
    )
    for column in ("digest", "state"):
        op.create_index(op.f(f"ix_policy_replays_{column}"), "policy_replays", [column], unique=False)


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER devices_firmware_change ON devices")
        op.execute("DROP FUNCTION IF EXISTS note_firmware_change()")
    else:
        op.execute("DROP TRIGGER devices_firmware_change")
    for table in ("policy_replays", "firmware_changes", "finding_sights"):
        op.drop_table(table)
