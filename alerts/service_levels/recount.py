"""Recounting a ticket's clocks: its ledger of clocks against what its own ledger and the policies say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.service_levels import ledgers
from alerts.service_levels.ledgers import Versions
from alerts.sla.clocks import Folded
from hearthwatch.records import tickets
from hearthwatch.records.sla_events import SlaEvent


@dataclass(frozen=True, slots=True)
class Recount:
    """How a ticket's clocks stand, counted anew; and where the ledger says something else.

    ``missing`` follows from what happened and is not written (yet: a round writes it within a minute), ``unfounded`` are the numbers of
    entries that do not follow from it.
    """

    folded: Folded | None
    written: list[SlaEvent]
    missing: list[SlaEvent]
    unfounded: list[int]

    @property
    def agrees(self) -> bool:
        """Whether the ledger says just what happened."""
        return not self.missing and not self.unfounded


def recount(connection: Connection, ticket_id: int, now: datetime) -> Recount:
    """Count one ticket's clocks anew. Raises `Missing` where there is no such ticket."""
    tickets.get(connection, ticket_id)
    books = ledgers.of_tickets(connection, [ticket_id])[ticket_id]
    applied = Versions(connection).applied(books)
    written = list(books.written)
    if not applied:
        return Recount(None, written, [], [])
    folded = ledgers.folded(books, applied, now)
    changes = ledgers.difference(books, folded.entries, now, thorough=True)
    unfounded = [int(one.detail["number"]) for one in changes if one.what == "withdraw"]
    missing = [one for one in changes if one.what != "withdraw"]
    return Recount(folded, written, missing, unfounded)
