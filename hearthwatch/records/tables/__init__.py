"""Every table of the records. Plain SQLAlchemy Core, the same on SQLite and PostgreSQL.

Ledgers (`LEDGERS`) are append-only: triggers of the migrations refuse updates and deletes on them. Mutable rows carry a ``revision``.
"""

from __future__ import annotations

from hearthwatch.records.tables.access import audit, idempotency_keys, tokens, users
from hearthwatch.records.tables.campaigns import campaign_devices, campaign_events, campaigns
from hearthwatch.records.tables.columns import metadata
from hearthwatch.records.tables.commands import commands
from hearthwatch.records.tables.customers import erasures, update_installs
from hearthwatch.records.tables.delivery import delivery_attempts, delivery_channels, event_cursors
from hearthwatch.records.tables.dimensions import comparison_looks, comparisons, device_attributes
from hearthwatch.records.tables.history import backtests
from hearthwatch.records.tables.identity import broker_users, device_addresses, device_admissions, device_aliases
from hearthwatch.records.tables.intake import decoder_states, imports, metric_names, quarantine
from hearthwatch.records.tables.knowledge import article_answers, article_terms, articles
from hearthwatch.records.tables.lateness import hold_outs, late_days
from hearthwatch.records.tables.liveness import (
    blind_spans,
    device_bridges,
    device_liveness,
    liveness_changes,
    receivers,
    reporting_plans,
)
from hearthwatch.records.tables.mirrors import mirror_events, mirror_reports, mirrors, service_desks
from hearthwatch.records.tables.model_life import model_decisions, model_looks, said_days
from hearthwatch.records.tables.operation import broker_sessions, processes
from hearthwatch.records.tables.policy import device_warranties, notice_findings, policy_decisions
from hearthwatch.records.tables.registry import (
    consent_events,
    customers,
    devices,
    homes,
    installed_parts,
    models,
    ownerships,
    planned_outages,
    releases,
)
from hearthwatch.records.tables.replay import finding_sights, firmware_changes, policy_replays
from hearthwatch.records.tables.reports import (
    inbound_mails,
    report_attempts,
    report_codes,
    report_photos,
    ticket_reports,
)
from hearthwatch.records.tables.results import (
    analysis_states,
    cohort_looks,
    finding_events,
    findings,
    job_runs,
    model_versions,
    outcomes,
    prognoses,
    superseded_outcomes,
    vitals,
)
from hearthwatch.records.tables.rollouts import rollout_decisions, rollout_devices, rollout_waves, rollouts
from hearthwatch.records.tables.service import (
    brakes,
    customer_links,
    mailbox,
    notice_events,
    notices,
    outbox,
    policies,
    spare_parts,
    technicians,
    ticket_events,
    ticket_findings,
    tickets,
    used_nonces,
)
from hearthwatch.records.tables.sla import sla_events, sla_states
from hearthwatch.records.tables.surveys import surveys
from hearthwatch.records.tables.ticket_work import ticket_approvals, ticket_messages

LEDGERS = (
    "consent_events",
    "finding_events",
    "cohort_looks",
    "notice_events",
    "ticket_events",
    "outcomes",
    "audit",
    "rollout_decisions",
    "comparison_looks",
    "model_decisions",
    "model_looks",
    "campaign_events",
    "erasures",
    "delivery_attempts",
    "sla_events",
)

__all__ = [
    "LEDGERS",
    "analysis_states",
    "article_answers",
    "article_terms",
    "articles",
    "audit",
    "backtests",
    "blind_spans",
    "brakes",
    "broker_sessions",
    "broker_users",
    "campaign_devices",
    "campaign_events",
    "campaigns",
    "cohort_looks",
    "commands",
    "comparison_looks",
    "comparisons",
    "consent_events",
    "customer_links",
    "customers",
    "decoder_states",
    "delivery_attempts",
    "delivery_channels",
    "device_addresses",
    "device_admissions",
    "device_aliases",
    "device_attributes",
    "device_bridges",
    "device_liveness",
    "device_warranties",
    "devices",
    "erasures",
    "event_cursors",
    "finding_events",
    "finding_sights",
    "findings",
    "firmware_changes",
    "hold_outs",
    "homes",
    "idempotency_keys",
    "imports",
    "inbound_mails",
    "installed_parts",
    "job_runs",
    "late_days",
    "liveness_changes",
    "mailbox",
    "metadata",
    "metric_names",
    "mirror_events",
    "mirror_reports",
    "mirrors",
    "model_decisions",
    "model_looks",
    "model_versions",
    "models",
    "notice_events",
    "notice_findings",
    "notices",
    "outbox",
    "outcomes",
    "ownerships",
    "planned_outages",
    "policies",
    "policy_decisions",
    "policy_replays",
    "processes",
    "prognoses",
    "quarantine",
    "receivers",
    "releases",
    "report_attempts",
    "report_codes",
    "report_photos",
    "reporting_plans",
    "rollout_decisions",
    "rollout_devices",
    "rollout_waves",
    "rollouts",
    "said_days",
    "service_desks",
    "sla_events",
    "sla_states",
    "spare_parts",
    "superseded_outcomes",
    "surveys",
    "technicians",
    "ticket_approvals",
    "ticket_events",
    "ticket_findings",
    "ticket_messages",
    "ticket_reports",
    "tickets",
    "tokens",
    "update_installs",
    "used_nonces",
    "users",
    "vitals",
]
