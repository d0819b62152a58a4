"""What people report: the reports with their photos, the codes printed on devices, and the mail that came in.

Whatever a person wrote, or may be known by, lies here and never in a ledger, so that it can be erased.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

report_codes = Table(
    "report_codes",
    metadata,
    id_column(),
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),  # how the code begins, for people who hold the label
    Column("device_id", String(64), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("revoked_at", Instant),
    Column("revoked_by", String(120)),
    revision_column(),
)

ticket_reports = Table(
    "ticket_reports",
    metadata,
    id_column(),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("message_id", BigId),  # of ticket_messages
    Column("source", String(8), nullable=False),
    Column("device_id", String(64), index=True),
    Column("customer_id", String(64), index=True),
    Column("verified", Boolean, nullable=False),  # whether it certainly comes from customer_id
    Column("contact_name", String(200)),
    Column("contact_email", String(320), index=True),
    Column("contact_phone", String(40)),
    Column("language", String(16), nullable=False),
    Column("complaint", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("since", String(10)),  # ISO date
    Column("wish", String(16)),
    Column("mode", String(64), index=True),  # failure mode
    Column("explained", JSON, nullable=False),  # why it was classified so
    Column("danger", JSON, nullable=False),  # what in it means danger
    Column("snapshot", JSON, nullable=False),  # of the device, when it was reported
    Column("at", Instant, nullable=False, index=True),
    Column("actor", String(120), nullable=False),
    Column("follow_hash", String(64), unique=True),
    Column("follow_until", Instant),
    Column("once", String(64), unique=True),  # the form it came by: sent twice it is one report
    revision_column(),
    CheckConstraint("source in ('page', 'qr', 'api', 'mail', 'staff')", name="source"),
)

report_photos = Table(
    "report_photos",
    metadata,
    id_column(),
    Column("report_id", BigId, ForeignKey("ticket_reports.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("mime", String(16), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("picture", LargeBinary, nullable=False),
    Column("thumbnail", LargeBinary, nullable=False),
)

inbound_mails = Table(
    "inbound_mails",
    metadata,
    id_column(),
    Column("fingerprint", String(64), nullable=False, unique=True),  # of the Message-ID, else of all of it
    Column("received_at", Instant, nullable=False),
    Column("source", String(8), nullable=False),  # pipe, api, imap
    Column("state", String(16), nullable=False),
    Column("reason", String(400)),
    Column("sender", String(320), index=True),
    Column("subject", String(400), nullable=False),
    Column("size", Integer, nullable=False),
    Column("text", Text),  # all of the text, with quotes and signatures
    Column("attachments", JSON, nullable=False),
    Column("raw", LargeBinary),  # only in quarantine
    Column("report_id", BigId, ForeignKey("ticket_reports.id"), index=True),
    Column("notice_id", BigId, ForeignKey("notices.id")),  # of the letter that bounced
    Column("settled_at", Instant),
    Column("settled_by", String(120)),
    revision_column(),
    Index(None, "state", "received_at"),
    CheckConstraint("state in ('taken', 'ignored', 'bounce', 'quarantined')", name="state"),
)

report_attempts = Table(
    "report_attempts",
    metadata,
    id_column(),
    Column("at", Instant, nullable=False, index=True),
    Column("code_hash", String(64), nullable=False),
    Column("place", String(64), nullable=False),  # a keyed hash of the address it came from
    Index(None, "code_hash", "at"),
    Index(None, "place", "at"),
)
