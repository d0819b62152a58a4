"""Tickets, notices and what else the service had under way when the replay begins: the policy that is tried goes on from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from alerts.tickets import states
from hearthwatch.errors import HearthwatchError
from hearthwatch.records.tables import (
    brakes,
    campaign_devices,
    campaigns,
    hold_outs,
    notice_events,
    notice_findings,
    notices,
    outbox,
    policy_decisions,
    ticket_events,
    ticket_findings,
    tickets,
)

NOTICE_STATES = ("observed", "held", "queued", "sent", "failed", "suppressed", "cancelled", "waiting")
_UNTOLD = {"title": "", "closing_note": None}
_UNSAID = {"subject": "", "body": "", "html": ""}
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a ticket's or a notice's ledger."""

    at: datetime
    what: str
    actor: str
    detail: Mapping[str, Any]


def copy(source: Connection, scratch: Connection, since: datetime) -> None:
    """Write what there was at a time into the scratch records, without what people wrote and without letters."""
    _copy_tickets(source, scratch, since)
    _copy_notices(source, scratch, since)
    _copy(source, scratch, hold_outs, hold_outs.c.drawn_at <= since)
    nothing = {"ended_at": None, "ended_by": None, "why_ended": None}
    scratch.execute(sa.update(hold_outs).where(hold_outs.c.ended_at > since).values(nothing))
    _copy(source, scratch, brakes, brakes.c.changed_at <= since, sa.not_(brakes.c.name == "outbox_paused"))
    told: dict[str, Any] = {"address": "", "payload": {}, "last_error": None}
    _copy(source, scratch, outbox, outbox.c.kind == "engineer", outbox.c.created_at <= since, blank=told)
    _copy(source, scratch, policy_decisions, policy_decisions.c.at <= since)
    _copy(source, scratch, campaigns)
    _copy(source, scratch, campaign_devices)


def _copy_tickets(source: Connection, scratch: Connection, since: datetime) -> None:
    ledgers = _ledgers(source, ticket_events, "ticket_id", since)
    query = sa.select(tickets).where(tickets.c.opened_at <= since).order_by(tickets.c.id)
    for some in _partitions(source, query):
        scratch.execute(
            sa.insert(tickets), [ticket_at({**row, **_UNTOLD}, ledgers.get(row["id"], ()), since) for row in some]
        )
    _copy(source, scratch, ticket_findings, ticket_findings.c.at <= since)
    _copy_events(source, scratch, ticket_events, since)


def ticket_at(row: dict[str, Any], ledger: Sequence[Entry], since: datetime) -> dict[str, Any]:
    """A ticket's row as its ledger says it was at a time; one whose ledger does not tell it stays as it is."""
    if not ledger or (row["closed_at"] is not None and row["closed_at"] <= since):
        return row
    try:
        then = states.fold(ledger)
    except (HearthwatchError, KeyError, ValueError):  # written before ledgers told everything
        return {**row, "state": "open", **_never_closed()} if row["state"] == "closed" else row
    closed = next((one for one in reversed(ledger) if one.what in {"closed", "merged"}), None)
    row |= {name: getattr(then, name) for name in states.FIELDS}
    if then.state != "closed":
        return row | {"closed_at": None, "closed_by": None}
    return row | {"closed_at": closed.at if closed else since, "closed_by": closed.actor if closed else None}


def _never_closed() -> dict[str, Any]:
    return dict.fromkeys(("closed_at", "closing_code", "closing_part", "closed_by", "merged_into"))


def _copy_notices(source: Connection, scratch: Connection, since: datetime) -> None:
    ledgers = _ledgers(source, notice_events, "notice_id", since)
    query = sa.select(notices).where(notices.c.created_at <= since).order_by(notices.c.id)
    for some in _partitions(source, query):
        scratch.execute(sa.insert(notices), [notice_at({**row, **_UNSAID}, ledgers.get(row["id"], ())) for row in some])
    ids = sa.select(notices.c.id).where(notices.c.created_at <= since)
    _copy(source, scratch, notice_findings, notice_findings.c.notice_id.in_(ids))
    _copy_events(source, scratch, notice_events, since)


def notice_at(row: dict[str, Any], ledger: Sequence[Entry]) -> dict[str, Any]:
    """A notice's row as its ledger says it was."""
    then: dict[str, Any] = {"sent_at": None, "answer": None}
    for entry in ledger:
        what = str(entry.detail.get("state", "")) if entry.what == "written" else entry.what
        if what in NOTICE_STATES:
            then |= {"state": what, "reason": entry.detail.get("reason")}
        if what == "sent":
            then["sent_at"] = entry.at
        if what in {"accept_update", "visit", "later", "not_mine"}:
            then["answer"] = what
    return {**row, **then} if ledger else row


def _ledgers(source: Connection, table: Table, of: str, since: datetime) -> dict[int, list[Entry]]:
    query = sa.select(table).where(table.c.at <= since).order_by(table.c[of], table.c.id)
    rows = source.execute(query.execution_options(yield_per=_CHUNK)).mappings()
    return {
        number: [Entry(row["at"], row["what"], row["actor"], row["detail"]) for row in some]
        for number, some in groupby(rows, key=lambda row: int(row[of]))
    }


def _copy_events(source: Connection, scratch: Connection, table: Table, since: datetime) -> None:
    for some in _partitions(source, sa.select(table).where(table.c.at <= since).order_by(table.c.id)):
        scratch.execute(sa.insert(table), [{**row, "detail": without_words(row["detail"])} for row in some])


def without_words(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry of a ledger says, without what a person wrote."""
    return {name: value for name, value in detail.items() if name not in {"note", "text"}}


def _copy(
    source: Connection, scratch: Connection, table: Table, *where: Any, blank: Mapping[str, Any] | None = None
) -> None:
    for some in _partitions(source, sa.select(table).where(*where)):
        scratch.execute(sa.insert(table), [{**row, **(blank or {})} for row in some])


def _partitions(source: Connection, query: sa.Select[Any]) -> Iterator[Iterable[sa.RowMapping]]:
    yield from source.execute(query.execution_options(yield_per=_CHUNK)).mappings().partitions()
