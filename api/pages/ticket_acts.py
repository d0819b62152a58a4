"""What buttons on a ticket's page do: one audited transaction at the revision that the person sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from api.pages.actions import perform
from api.pages.frame import Visit
from hearthwatch.records import audit
from hearthwatch.values import Ticket

Work = Callable[[Connection, datetime], Any]


async def act(
    visit: Visit, ticket: Ticket, action: str, work: Work, done: str, detail: dict[str, Any] | None = None
) -> bool:
    """Do ``work(connection, now)``, note it in the audit trail as ``ticket.<action>``, and read the page anew."""
    return await audited(visit, f"ticket.{action}", f"ticket:{ticket.id}", work, done, detail)


async def audited(
    visit: Visit, action: str, thing: str, work: Work, done: str, detail: dict[str, Any] | None = None
) -> bool:
    """Do ``work(connection, now)`` to a thing (``report:3``), note it in the audit trail as the API does, and read the page anew."""
    now = visit.context.clock.now()

    def noted(connection: Connection) -> None:
        work(connection, now)
        audit.note(connection, at=now, actor=visit.person.name, action=action, object=thing, detail=detail)

    return await perform(visit.context, noted, done)


def time_in(text: str | None) -> datetime | None:
    """A time somebody typed (UTC unless it says otherwise); None where it is none."""
    try:
        at = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
