"""Policies, notices, the outbox, tickets and the people who work them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

policies = Table(
    "policies",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("name", String(120), nullable=False),
    Column("text", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("mode", String(16), nullable=False, server_default="observe"),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("live_since", Instant),
    Column("live_by", String(120)),
    revision_column(),
    CheckConstraint("mode in ('observe', 'live', 'retired')", name="mode"),
)

brakes = Table(
    "brakes",
    metadata,
    Column("name", String(64), primary_key=True),  # outbox_paused, round:<at>
    Column("on", Boolean, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", String(120), nullable=False),
    revision_column(),
)

notices = Table(
    "notices",
    metadata,
    id_column(),
    Column("cause", String(80), nullable=False),  # finding:<id>, ticket:<id>, campaign:<id>
    Column("finding_id", BigId, ForeignKey("findings.id"), index=True),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), index=True),
    Column("campaign_id", BigId, ForeignKey("campaigns.id"), index=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("home_id", String(64), index=True),
    Column("device_id", String(64), nullable=False, index=True),
    Column("kind", String(24), nullable=False),  # alerts.notices.kinds
    Column("occasion", String(64), nullable=False, server_default=""),  # "", reminder:<n>, ticket_event:<id>
    Column("language", String(16), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("body", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", String(400)),
    Column("created_at", Instant, nullable=False),
    Column("send_after", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("answer", String(24)),
    Column("policy_version", Integer, nullable=False),
    Column("why", JSON),  # the rule, what matched, costs, budget, consent, channel, what was looked at
    revision_column(),
    UniqueConstraint("cause", "device_id", "customer_id", "kind", "occasion"),
    CheckConstraint(
        "state in ('observed', 'held', 'queued', 'sent', 'failed', 'suppressed', 'cancelled', 'waiting')", name="state"
    ),
    Index(None, "answer", "state"),
)

notice_events = Table(
    "notice_events",
    metadata,
    id_column(),
    Column("notice_id", BigId, ForeignKey("notices.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column(
        "what", String(32), nullable=False
    ),  # written, queued, sent, failed, opened, accept_update, visit, later, not_mine
    Column("actor", String(120), nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "what", "at"),
)

customer_links = Table(
    "customer_links",
    metadata,
    id_column(),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("notice_id", BigId, ForeignKey("notices.id"), index=True),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), index=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    revision_column(),
    CheckConstraint("notice_id is null or ticket_id is null", name="one_matter"),
)

used_nonces = Table(
    "used_nonces",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("link_id", BigId, nullable=False),
    Column("used_at", Instant, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False),  # notice, command, engineer
    Column("notice_id", BigId, ForeignKey("notices.id"), index=True),
    Column("channel", String(40), nullable=False),  # mailbox, mail, mqtt, rollouts, webhook, or a name of the settings
    Column("address", String(1024), nullable=False),
    Column("payload", JSON, nullable=False),  # subject, text, html; or topic and body of a command
    Column("idempotency_key", String(128), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("claimed_by", String(120)),
    Column("claim_token", String(64)),
    Column("claimed_until", Instant),
    Column("delivered_at", Instant),
    Column("last_error", String(400)),
    Column("due_at", Instant),  # since when it may leave: what is given up has waited from here
    Column("failed_at", Instant),
    Column("outcome", String(16)),  # of the latest attempt
    Column("message_ref", String(32)),  # what its Message-ID is made of
    revision_column(),
    Index(None, "state", "next_at"),
    Index(None, "channel", "state", "next_at"),
    Index(None, "message_ref"),
    CheckConstraint("state in ('pending', 'claimed', 'delivered', 'failed', 'cancelled')", name="state"),
)

mailbox = Table(
    "mailbox",
    metadata,
    id_column(),
    Column("idempotency_key", String(128), nullable=False, unique=True),
    Column("address", String(1024), nullable=False, index=True),
    Column("subject", String(400), nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

technicians = Table(
    "technicians",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("skills", JSON, nullable=False),  # parts or device classes
    Column("regions", JSON, nullable=False),
    Column("capacity", Integer, nullable=False, server_default="8"),
    Column("active", Boolean, nullable=False, server_default="1"),
    revision_column(),
)

spare_parts = Table(
    "spare_parts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("models", JSON, nullable=False),
    Column("stock", Integer, nullable=False, server_default="0"),
    revision_column(),
)

tickets = Table(
    "tickets",
    metadata,
    id_column(),
    Column("cause", String(255), nullable=False, unique=True),
    Column("stem", String(255), nullable=False),  # the cause without its number: of these, one is open at a time
    Column("kind", String(16), nullable=False),  # device, cohort, request
    Column("source", String(16), nullable=False, server_default="policy"),  # policy, page, qr, api, mail
    Column("title", String(400), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("priority", Integer, nullable=False),  # 1 (now) .. 4
    Column("finding_id", BigId, ForeignKey("findings.id"), index=True),
    Column("parent_id", BigId, ForeignKey("tickets.id"), index=True),
    Column("merged_into", BigId, ForeignKey("tickets.id"), index=True),
    Column("device_id", String(64), index=True),
    Column("customer_id", String(64), index=True),
    Column("home_id", String(64)),
    Column("model", String(120)),
    Column("part", String(64)),
    Column("mode", String(64)),
    Column("technician_id", String(64), ForeignKey("technicians.id")),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("waiting_for", String(16)),
    Column("waiting_until", Instant),
    Column("resumes_as", String(16)),
    Column("visit_at", Instant),
    Column("remedy", String(24)),
    Column("remedy_price", BigInteger),  # what the customer pays, in minor units of the currency
    Column("remedy_currency", String(3)),
    Column("approved_until", Instant),
    Column("closed_at", Instant),
    Column("closing_code", String(32)),
    Column("closing_part", String(64)),
    Column("closing_note", Text),
    Column("closed_by", String(120)),
    Column("failed_at", Instant),
    revision_column(),
    Index(
        "uq_tickets_open_stem",
        "stem",
        unique=True,
        sqlite_where=text("state <> 'closed'"),
        postgresql_where=text("state <> 'closed'"),
    ),
    Index(
        "ix_tickets_open_technician_id",
        "technician_id",
        sqlite_where=text("state <> 'closed'"),
        postgresql_where=text("state <> 'closed'"),
    ),
    CheckConstraint("state in ('open', 'assigned', 'in_progress', 'scheduled', 'waiting', 'closed')", name="state"),
    CheckConstraint("(state = 'closed') = (closing_code is not null)", name="closed_with_code"),
    CheckConstraint("(state = 'waiting') = (waiting_for is not null)", name="waits_for_somebody"),
    CheckConstraint("waiting_for in ('customer', 'part', 'approval', 'third_party')", name="waiting_for"),
    CheckConstraint("merged_into is null or state = 'closed'", name="merged_is_closed"),
    CheckConstraint("(remedy_price is null) = (remedy_currency is null)", name="price_in_a_currency"),
    Index(None, "state", "closed_at"),
)

ticket_findings = Table(
    "ticket_findings",
    metadata,
    Column("finding_id", BigId, ForeignKey("findings.id"), primary_key=True, autoincrement=False),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
)

ticket_events = Table(
    "ticket_events",
    metadata,
    id_column(),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("what", String(32), nullable=False),  # the events of `alerts.tickets.states`
    Column("actor", String(120), nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "at"),
)
