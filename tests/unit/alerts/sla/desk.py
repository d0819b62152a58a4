"""A service desk: tickets, a policy with service levels, and the round that keeps their clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.policy import versions
from alerts.service_levels import keeping
from alerts.service_levels.recount import Recount, recount
from hearthwatch.records import outbox, sla_events, sla_states, technicians, tickets
from hearthwatch.records.database import Database
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.records.sla_events import SlaEvent
from hearthwatch.records.sla_states import SlaState
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Ticket
from tests.unit.alerts.sla.story import berlin

RULE = '[[rules]]\nname = "all"\nticket = true\n'
PEOPLE = """
team = ["mailbox://team"]
lead = ["mailbox://lead"]
technicians = { t-1 = ["mailbox://t-1"] }
"""
OFFICE = """
[sla.calendars.office]
timezone = "Europe/Berlin"
workdays = ["09:00-12:00", "13:00-18:00"]
[[sla.terms]]
name = "everyone"
calendar = "office"
"""


@dataclass
class Desk:
    """Times are given by the wall clock of Berlin."""

    database: Database

    def policy(
        self, promises: str, people: str = PEOPLE, *, mode: str = "live", at: str = "2026-05-04 00:00", more: str = ""
    ) -> int:
        """A policy with one term for everyone, in office hours."""
        text = f'name = "desk"\n[sla]\n{people}\n{OFFICE}{promises}\n{more}\n{RULE}'
        with self.database.transaction() as connection:
            added = versions.add_policy(connection, text, "ann", berlin(at))
            if mode != added.mode:
                versions.set_mode(connection, added.version, mode, "ann", berlin(at))
            return added.version

    def open(self, at: str, *, priority: int = 2, source: str = "page", technician: str | None = None) -> int:
        """A ticket of its own cause."""
        with self.database.transaction() as connection:
            number = len(tickets.list_tickets(connection, limit=100_000)) + 1
            new = NewTicket(
                cause=f"request:lock-{number}/1", kind="request", title=f"lock-{number} does not open", priority=priority, due_at=None,
                source=source,
            )  # fmt: skip
            ticket, _ = tickets.open_once(connection, new, actor="customer:c-1", now=berlin(at), detail={})
            if technician is not None:
                technicians.put(connection, technician, name=technician)
                tickets.change(connection, ticket.id, None, {"technician_id": technician})
            return ticket.id

    def happens(
        self, ticket_id: int, at: str, what: str, changes: Mapping[str, Any] | None = None, **detail: Any
    ) -> None:
        """An event of a ticket's ledger, and what it makes of the row."""
        with self.database.transaction() as connection:
            if changes:
                tickets.change(connection, ticket_id, None, changes)
            tickets.note(connection, ticket_id, berlin(at), what, "ann", detail)

    def close(self, ticket_id: int, at: str, code: str = "confirmed") -> None:
        changes = {"state": "closed", "closing_code": code, "closed_at": berlin(at)}
        self.happens(ticket_id, at, "closed", changes, code=code)

    def round(self, at: str) -> Mapping[str, int]:
        return keeping.keep(self.database, berlin(at), public_url="https://desk.test")

    def rounds(self, since: str, until: str, every: timedelta = timedelta(minutes=30)) -> None:
        at = berlin(since)
        while at <= berlin(until):
            keeping.keep(self.database, at, public_url="https://desk.test")
            at = at + every

    def ledger(self, ticket_id: int) -> list[SlaEvent]:
        with self.database.reading() as connection:
            return sla_events.of_tickets(connection, [ticket_id]).get(ticket_id, [])

    def times(self, ticket_id: int, what: str, clock: str | None = None) -> list[datetime]:
        return [one.at for one in self.ledger(ticket_id) if one.what == what and clock in {None, one.clock}]

    def letters(self, address: str | None = None) -> list[OutboxItem]:
        with self.database.reading() as connection:
            found = outbox.list_items(connection, limit=10_000)[::-1]
        return [one for one in found if address in {None, one.address}]

    def ticket(self, ticket_id: int) -> Ticket:
        with self.database.reading() as connection:
            return tickets.get(connection, ticket_id)

    def state(self, ticket_id: int) -> SlaState:
        with self.database.reading() as connection:
            return sla_states.of_tickets(connection, [ticket_id])[ticket_id]

    def recount(self, ticket_id: int, at: str) -> Recount:
        with self.database.reading() as connection:
            return recount(connection, ticket_id, berlin(at))
