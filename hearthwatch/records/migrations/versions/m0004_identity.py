"""Ids that are one device, hardware addresses, the broker's users, and how many devices came new on a day."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_aliases()
    _create_addresses()
    op.create_table(
        "broker_users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("conventions", sa.JSON(), nullable=False),
        sa.Column("password", sa.Boolean(), nullable=False),
        sa.Column("certificate", sa.String(length=64), nullable=True),
        sa.Column("enrolled_at", Instant(), nullable=False),
        sa.Column("enrolled_by", sa.String(length=120), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("role in ('device', 'bridge')", name=op.f("ck_broker_users_role")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_broker_users")),
    )
    op.create_table(
        "device_admissions",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("admitted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("turned_away", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_device_admissions")),
    )


def _create_aliases() -> None:
    op.create_table(
        "device_aliases",
        sa.Column("alias", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="joined", nullable=False),
        sa.Column("convention", sa.String(length=40), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("state in ('joined', 'proposed', 'separate')", name=op.f("ck_device_aliases_state")),
        sa.PrimaryKeyConstraint("alias", "device", name=op.f("pk_device_aliases")),
    )
    op.create_index(op.f("ix_device_aliases_device"), "device_aliases", ["device"], unique=False)
    joined = sa.text("state = 'joined'")
    op.create_index(
        "uq_device_aliases_joined",
        "device_aliases",
        ["alias"],
        unique=True,
        sqlite_where=joined,
        postgresql_where=joined,
    )


def _create_addresses() -> None:
    op.create_table(
        "device_addresses",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("convention", sa.String(length=40), nullable=True),
        sa.Column("told_by", sa.String(length=64), nullable=True),
        sa.Column("since", Instant(), nullable=False),
        sa.CheckConstraint("kind in ('mac', 'ieee', 'serial')", name=op.f("ck_device_addresses_kind")),
        sa.PrimaryKeyConstraint("kind", "address", "device", name=op.f("pk_device_addresses")),
    )
    op.create_index(op.f("ix_device_addresses_device"), "device_addresses", ["device"], unique=False)


def downgrade() -> None:
    op.drop_table("device_admissions")
    op.drop_table("broker_users")
    op.drop_table("device_addresses")
    op.drop_table("device_aliases")
