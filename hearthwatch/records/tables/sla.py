"""Service levels: the ledger of tickets' clocks, and how each clock stands."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Float, ForeignKey, Integer, String, Table, UniqueConstraint

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata

sla_events = Table(
    "sla_events",
    metadata,
    id_column(),
    Column("ticket_id", BigId, ForeignKey("tickets.id"), nullable=False),
    Column("number", Integer, nullable=False),  # of the ticket's entries
    Column("at", Instant, nullable=False, index=True),  # when it was so
    Column("written_at", Instant, nullable=False),
    Column("what", String(16), nullable=False),
    Column("clock", String(20), nullable=False, server_default=""),  # "": all of them
    Column("instance", Integer, nullable=False, server_default="0"),
    Column("target_s", Float),  # business seconds
    Column("due_at", Instant),
    Column("used_s", Float, nullable=False, server_default="0"),  # business seconds on the clock at ``at``
    Column("policy_version", Integer, nullable=False),
    Column("term", String(80), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("detail", JSON, nullable=False),
    UniqueConstraint("ticket_id", "number"),
    CheckConstraint(
        "what in ('apply_sla', 'activate', 'pause', 'resume', 'fulfil', 'breach', 'cancel', 'update_status', 'remind', 'escalate', "
        "'withdraw')",
        name="what",
    ),
)

sla_states = Table(  # what the ledger leads to, kept so that lists need not fold it
    "sla_states",
    metadata,
    Column("ticket_id", BigId, ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
    Column("events", Integer, nullable=False),  # of the ticket's own ledger, that are taken in
    Column("entries", Integer, nullable=False),  # of ``sla_events``
    Column("policy_version", Integer, nullable=False),
    Column("term", String(80), nullable=False),
    Column("next_at", Instant, index=True),  # when something is to be done without any event
    Column("clocks", JSON, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
