"""What people report, and their photos; codes printed on devices; mail that came in."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _codes()
    _reports()
    _photos()
    _mails()
    _attempts()


def downgrade() -> None:
    for table in ("report_attempts", "inbound_mails", "report_photos", "ticket_reports", "report_codes"):
        op.drop_table(table)


def _id() -> "sa.Column[int]":
    return sa.Column("id", BigId, autoincrement=True, nullable=False)


def _revision() -> "sa.Column[int]":
    return sa.Column("revision", sa.Integer(), server_default="1", nullable=False)


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def _codes() -> None:
    op.create_table(
        "report_codes",
        _id(),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("revoked_by", sa.String(length=120), nullable=True),
        _revision(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_report_codes_code_hash")),
    )
    _index("report_codes", "device_id")


def _reports() -> None:
    op.create_table(
        "ticket_reports",
        _id(),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("message_id", BigId, nullable=True),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("contact_name", sa.String(length=200), nullable=True),
        sa.Column("contact_email", sa.String(length=320), nullable=True),
        sa.Column("contact_phone", sa.String(length=40), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("complaint", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=True),
        sa.Column("wish", sa.String(length=16), nullable=True),
        sa.Column("mode", sa.String(length=64), nullable=True),
        sa.Column("explained", sa.JSON(), nullable=False),
        sa.Column("danger", sa.JSON(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("follow_hash", sa.String(length=64), nullable=True),
        sa.Column("follow_until", Instant(), nullable=True),
        sa.Column("once", sa.String(length=64), nullable=True),
        _revision(),
        sa.CheckConstraint(
            "source in ('page', 'qr', 'api', 'mail', 'staff')", name=op.f("ck_ticket_reports_source")
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_reports_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_reports")),
        sa.UniqueConstraint("follow_hash", name=op.f("uq_ticket_reports_follow_hash")),
        sa.UniqueConstraint("once", name=op.f("uq_ticket_reports_once")),
    )
    for column in ("ticket_id", "device_id", "customer_id", "contact_email", "mode", "at"):
        _index("ticket_reports", column)


def _photos() -> None:
    op.create_table(
        "report_photos",
        _id(),
        sa.Column("report_id", BigId, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("mime", sa.String(length=16), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["ticket_reports.id"], name=op.f("fk_report_photos_report_id_ticket_reports")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_photos")),
    )
    _index("report_photos", "report_id")


def _mails() -> None:
    op.create_table(
        "inbound_mails",
        _id(),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.Column("sender", sa.String(length=320), nullable=True),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("report_id", BigId, nullable=True),
        sa.Column("notice_id", BigId, nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        _revision(),
        sa.CheckConstraint(
            "state in ('taken', 'ignored', 'bounce', 'quarantined')", name=op.f("ck_inbound_mails_state")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["ticket_reports.id"], name=op.f("fk_inbound_mails_report_id_ticket_reports")
        ),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_inbound_mails_notice_id_notices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_mails")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_inbound_mails_fingerprint")),
    )
    _index("inbound_mails", "sender")
    _index("inbound_mails", "report_id")
    _index("inbound_mails", "state", "received_at")


def _attempts() -> None:
    op.create_table(
        "report_attempts",
        _id(),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_attempts")),
    )
    _index("report_attempts", "at")
    _index("report_attempts", "code_hash", "at")
    _index("report_attempts", "place", "at")
