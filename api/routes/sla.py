"""Service levels: a ticket's clocks and their ledger, what was kept, and what is promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from alerts.policy.file import parse
from alerts.service_levels import recount as counting
from alerts.service_levels.compliance import Figure, compliance
from alerts.sla.clocks import Clock
from alerts.sla.terms import SlaTerms
from api.context import Context
from api.csv_tables import csv_response
from api.routes.tickets import TicketId, visible
from api.security import Reader, TicketReader
from api.times import LastYear
from hearthwatch.records import policies
from hearthwatch.records.sla_events import SlaEvent

router = APIRouter(tags=["service levels"])


class TicketClock(BaseModel):
    """One clock of a ticket. Amounts are business seconds of the term's calendar."""

    clock: str = Field(description="first_response, update, periodic_update or resolution")
    instance: int = Field(description="Which run of it this is, from 1; 0: it was not started.")
    state: str = Field(
        description="idle, running, paused, breached (late, and still running), met, missed (fulfilled late), cancelled"
    )
    target_s: float | None = Field(description="Within what; null: nothing is promised.")
    used_s: float
    left_s: float | None = Field(description="What is left; negative where it is late.")
    due_at: datetime | None = Field(description="Null while it is paused or ended.")
    started_at: datetime | None
    paused_for: str | None = Field(description="What the ticket waits for.")
    breached_at: datetime | None
    ended_at: datetime | None


class Recount(BaseModel):
    """The ledger against what happened: ``missing`` are entries that a round has yet to write, ``unfounded`` numbers of those that do not
    follow from what happened.
    """

    agrees: bool
    missing: list[SlaEvent]
    unfounded: list[int]


class TicketSla(BaseModel):
    """The clocks of a ticket now. ``recount`` is there where it was asked for."""

    ticket_id: int
    policy_version: int | None
    term: str | None = Field(description="`due_days`: no term fits, the policy's days count.")
    calendar: str | None
    timezone: str | None
    next_at: datetime | None = Field(description="When a clock changes by itself.")
    clocks: list[TicketClock]
    ledger: list[SlaEvent]
    recount: Recount | None


class CalendarNow(BaseModel):
    """A calendar, and whether somebody is there now."""

    name: str
    timezone: str
    open: bool
    next_opening: AwareDatetime


class Promised(BaseModel):
    """What the policy in force promises: its `[sla]` section, and its calendars at this moment."""

    policy_version: int | None
    terms: dict[str, Any]
    calendars: list[CalendarNow]


@router.get("/tickets/{ticket_id}/sla")
def get_sla(
    context: Context,
    caller: TicketReader,
    ticket_id: TicketId,
    recompute: Annotated[
        bool, Query(description="Count anew from what happened, and compare with the ledger.")
    ] = False,
) -> TicketSla:
    """The clocks of a ticket, and the ledger that led there. Empty until the first round after its opening, within a minute."""
    with context.database.reading() as connection:
        visible(connection, caller, ticket_id)
        found = counting.recount(connection, ticket_id, context.clock.now())
    folded = found.folded
    return TicketSla(
        ticket_id=ticket_id,
        policy_version=folded.version if folded else None,
        term=folded.level.term if folded else None,
        calendar=folded.level.calendar.name if folded else None,
        timezone=folded.level.calendar.zone.key if folded else None,
        next_at=folded.next_at if folded else None,
        clocks=[_clock(one) for one in folded.clocks.values()] if folded else [],
        ledger=found.written,
        recount=Recount(agrees=found.agrees, missing=found.missing, unfounded=found.unfounded) if recompute else None,
    )


@router.get("/sla/compliance")
def get_compliance(context: Context, _caller: Reader, span: LastYear) -> list[Figure]:
    """How many promises were kept, by month (UTC), policy version, term, priority and clock."""
    return list(_figures(context, span.since, span.until))


@router.get("/sla/compliance.csv", response_class=Response)
def export_compliance(context: Context, _caller: Reader, span: LastYear) -> Response:
    """The same as a CSV file."""
    return csv_response("sla-compliance", list(Figure.__dataclass_fields__), _figures(context, span.since, span.until))


@router.get("/sla")
def get_promised(context: Context, _caller: Reader) -> Promised:
    """What is promised now, and by which calendars."""
    now = context.clock.now()
    with context.database.reading() as connection:
        version = policies.current(connection)
    terms = parse(version.text).sla if version else SlaTerms()
    calendars = [
        CalendarNow(name=name, timezone=one.zone.key, open=one.is_open(now), next_opening=one.next_opening(now))
        for name in terms.calendars
        for one in [terms.calendar(name)]
    ]
    return Promised(
        policy_version=version.version if version else None,
        terms=terms.model_dump(mode="json", exclude={"team", "lead", "technicians"}),
        calendars=calendars,
    )


def _figures(context: Context, since: datetime, until: datetime) -> Sequence[Figure]:
    with context.database.reading() as connection:
        return compliance(connection, since, until)


def _clock(clock: Clock) -> TicketClock:
    told = {name: value for name, value in asdict(clock).items() if name in TicketClock.model_fields}
    return TicketClock(
        clock=clock.name,
        target_s=clock.target.total_seconds() if clock.target else None,
        used_s=clock.used.total_seconds(),
        left_s=clock.left.total_seconds() if clock.left is not None else None,
        **told,
    )
