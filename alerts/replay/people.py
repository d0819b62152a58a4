"""What people did: staff with tickets and rounds, customers with their answers. It is done again where there is something to do it with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.replay.service import without_words
from alerts.replay.stage import ACT, Stage
from alerts.tickets import ledger, states
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import brakes, notices, tickets
from hearthwatch.records.tables import audit, notice_events, ticket_events
from hearthwatch.records.tables import notices as notices_table
from hearthwatch.records.tables import tickets as tickets_table
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Span, Ticket

ANSWERS = ("accept_update", "visit", "later", "not_mine")
WAITED_FOR = frozenset({"closed", "merged"})
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Worked:
    """Something happened to a ticket that no policy did by itself. ``row`` is the ticket's in the stored records."""

    at: datetime
    row: Mapping[str, Any]
    what: str
    actor: str
    detail: Mapping[str, Any]
    causes: Mapping[int, str]
    """Causes of the other tickets that the detail names."""
    rank: int = ACT

    def happen(self, stage: Stage) -> None:
        """Do it to the ticket of the same cause."""
        stage.write_down()
        if self.what == "opened":
            self._open(stage)
            return
        ticket = ticket_of(stage.connection, self.row["cause"])
        if ticket is None:
            stage.count_lost(self.what)
            return
        try:
            detail = self._with_ids_of(stage.connection)
            changed = ledger.record(stage.connection, ticket, self.what, self.actor, self.at, detail, also=self._also())
        except (HearthwatchError, KeyError):
            stage.count_lost(self.what)
            return
        touched(stage, changed)

    def _open(self, stage: Stage) -> None:
        """A person asked for service. What was asked in answer to a notice is asked only where there is one."""
        if self.row["finding_id"] is not None and not _was_told(stage.connection, self.row):
            stage.count_lost("visit asked for")
            return
        names = NewTicket.__dataclass_fields__.keys() - {"title", "parent_id"}
        new = NewTicket(title="", **{name: self.row[name] for name in names})
        _, opened = tickets.open_once(
            stage.connection, new, actor=self.actor, now=self.at, detail=without_words(self.detail)
        )
        if not opened:
            stage.count_lost("ticket that was there already")
        if self.row["device_id"]:
            stage.wake(self.row["device_id"])

    def _with_ids_of(self, connection: Connection) -> dict[str, Any]:
        detail = without_words(self.detail)
        for name in ("parent_id", "into", "from"):
            cause = self.causes.get(detail[name]) if isinstance(detail.get(name), int) else None
            if cause is not None:
                other = ticket_of(connection, cause)
                detail[name] = other.id if other else None
        return detail

    def _also(self) -> dict[str, Any]:
        if self.what in WAITED_FOR:
            return {"closed_at": self.at, "closed_by": self.actor}
        if self.what == "reopened":
            return dict.fromkeys(("closed_at", "closed_by", "closing_note"))
        return {}


@dataclass(frozen=True, slots=True)
class Answered:
    """A customer answered a notice, or its delivery failed for good."""

    at: datetime
    row: Mapping[str, Any]
    what: str
    actor: str
    remind_after: timedelta
    rank: int = ACT

    def happen(self, stage: Stage) -> None:
        """Answer the same notice, where it exists and was sent."""
        found = _same_notice(stage.connection, self.row)
        if found is None or found.state != "sent":
            stage.count_lost(self.what)
            return
        notices.change(stage.connection, found.id, None, {"answer": self.what})
        notices.note(stage.connection, found.id, self.at, self.what, self.actor, {})
        stage.wake(self.row["device_id"])
        if self.what == "later":
            stage.follow_later(self.at + self.remind_after)


@dataclass(frozen=True, slots=True)
class Released:
    """A second person let a round go."""

    at: datetime
    round: str
    actor: str
    rank: int = ACT

    def happen(self, stage: Stage) -> None:
        """Let the round of the same instant go."""
        brake = brakes.find(stage.connection, brakes.ROUND + self.round)
        if brake is None or not brake.on:
            stage.count_lost("round released")
            return
        brakes.put(stage.connection, brake.name, on=False, detail=brake.detail, actor=self.actor, now=self.at)
        stage.wake_all()


def read(source: Connection, span: Span, remind_after: timedelta) -> list[Iterator[Any]]:
    """What people did within a span, in sources that are each in order."""
    return [_worked(source, span), _answered(source, span, remind_after), _released(source, span)]


def ticket_of(connection: Connection, cause: str) -> Ticket | None:
    """The ticket of a cause; where there is none of that number, the newest about the same."""
    alike = sa.select(tickets_table.c.id).where(tickets_table.c.stem == tickets.stem_of(cause))
    order = (sa.case((tickets_table.c.cause == cause, 0), else_=1), tickets_table.c.id.desc())
    found = connection.execute(alike.order_by(*order).limit(1)).scalar_one_or_none()
    return tickets.get(connection, found) if found is not None else None


def touched(stage: Stage, ticket: Ticket) -> None:
    """Look at a ticket's device, and remember where what is seen again may be news."""
    if ticket.waiting_until is not None:
        stage.follow_later(ticket.waiting_until)
    if ticket.closed_at is not None:
        stage.note_closing(ticket.closed_at)
    if ticket.device_id is None:
        stage.wake_all()
        return
    stage.wake(ticket.device_id)
    if ticket.state == "closed":
        stage.settled.add(ticket.device_id)


def _worked(source: Connection, span: Span) -> Iterator[Worked]:
    at = ticket_events.c.at
    query = (
        sa.select(ticket_events.c.at, ticket_events.c.what, ticket_events.c.actor, ticket_events.c.detail, ticket_events.c.ticket_id)
        .where(at > span.since, at <= span.until)
        .order_by(at, ticket_events.c.id)
    )  # fmt: skip
    rows: dict[int, dict[str, Any]] = {
        row["id"]: dict(row) for row in source.execute(sa.select(tickets_table)).mappings()
    }
    causes = {number: row["cause"] for number, row in rows.items()}
    for when, what, actor, detail, ticket in source.execute(query.execution_options(yield_per=_CHUNK)):
        # That a customer did not answer in time is nobody's act, but what they were asked is not known here.
        unanswered = actor == "policy" and (what == "approval_over" or "approval_id" in detail)
        if unanswered or states.party_of(actor) in {"staff", "customer", "desk"}:
            yield Worked(when, rows[ticket], what, actor, detail, causes)


def _answered(source: Connection, span: Span, remind_after: timedelta) -> Iterator[Answered]:
    at = notice_events.c.at
    query = (
        sa.select(notice_events.c.at.label("answered_at"), notice_events.c.what, notice_events.c.actor, notices_table)
        .join(notices_table, notices_table.c.id == notice_events.c.notice_id)
        .where(at > span.since, at <= span.until, notice_events.c.what.in_(ANSWERS))
        .order_by(at, notice_events.c.id)
    )
    for row in source.execute(query.execution_options(yield_per=_CHUNK)).mappings():
        key = {name: row[name] for name in ("finding_id", "device_id", "customer_id", "kind", "occasion")}
        yield Answered(row["answered_at"], key, row["what"], row["actor"], remind_after)


def _released(source: Connection, span: Span) -> Iterator[Released]:
    query = sa.select(audit).where(audit.c.action == "round.release", audit.c.at > span.since, audit.c.at <= span.until)
    for row in source.execute(query.order_by(audit.c.at, audit.c.id)).mappings():
        yield Released(row["at"], row["object"].removeprefix(brakes.ROUND), row["actor"])


def _same_notice(connection: Connection, key: Mapping[str, Any]) -> Any:
    where = [notices_table.c[name] == value for name, value in key.items()]
    query = sa.select(notices_table.c.id).where(*where).order_by(notices_table.c.id.desc()).limit(1)
    found = connection.execute(query).scalar_one_or_none()
    return notices.get(connection, found) if found is not None else None


def _was_told(connection: Connection, row: Mapping[str, Any]) -> bool:
    return any(
        one.customer_id == row["customer_id"] and one.state == "sent"
        for one in notices.of_findings(connection, [row["finding_id"]])
    )
