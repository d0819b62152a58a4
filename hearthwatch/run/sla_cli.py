"""``hearthwatch ticket sla``: recount clocks from what happened, and compare with their ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.run.administration import Json, opened_records
from hearthwatch.run.printing import print_json

if TYPE_CHECKING:
    from hearthwatch.records.database import Database

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Audit:
    """How many tickets were recounted, and what of the ledgers of some does not follow from what happened."""

    tickets: int
    disagreeing: dict[int, list[int]]


def sla(
    ticket_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="A ticket; all of them without one.")] = None,
    as_json: Json = False,
) -> None:
    """Recount the clocks of a ticket, or of all, and compare with the ledger. Ends with 1 where the ledger says what did not happen."""
    now = SystemClock().now()
    with opened_records() as database:
        if ticket_id is None:
            _tell_all(audit(database, now), as_json)
        else:
            _tell_one(database, ticket_id, now, as_json)


def audit(database: Database, now: datetime) -> Audit:
    """Recount every ticket that has clocks."""
    from alerts.service_levels.recount import recount
    from hearthwatch.records import sla_states

    with database.reading() as connection:
        ids = sla_states.ids(connection)
    wrong: dict[int, list[int]] = {}
    for start in range(0, len(ids), AT_ONCE):
        with database.reading() as connection:
            for one in ids[start : start + AT_ONCE]:
                if unfounded := recount(connection, one, now).unfounded:
                    wrong[one] = unfounded
    return Audit(len(ids), wrong)


def _tell_all(found: Audit, as_json: bool) -> None:
    if as_json:
        print_json({"tickets": found.tickets, "disagreeing": found.disagreeing})
    else:
        typer.echo(f"{found.tickets} tickets recounted, {len(found.disagreeing)} disagree")
        for ticket_id, numbers in found.disagreeing.items():
            typer.echo(f"ticket {ticket_id}: entries {', '.join(map(str, numbers))}")
    raise typer.Exit(1 if found.disagreeing else 0)


def _tell_one(database: Database, ticket_id: int, now: datetime, as_json: bool) -> None:
    from alerts.service_levels.recount import recount

    with database.reading() as connection:
        found = recount(connection, ticket_id, now)
    clocks: list[dict[str, Any]] = [
        {
            "clock": one.name, "instance": one.instance, "state": one.state,
            "target_s": one.target.total_seconds() if one.target else None, "used_s": one.used.total_seconds(),
            "due_at": one.due_at,
        }
        for one in (found.folded.clocks.values() if found.folded else ())
    ]  # fmt: skip
    answer = {"ticket": ticket_id, "clocks": clocks, "missing": len(found.missing), "unfounded": found.unfounded}
    if as_json:
        print_json(answer)
    else:
        for clock in clocks:
            typer.echo("  ".join(f"{name} {value}" for name, value in clock.items() if value is not None))
        typer.echo(
            f"{len(found.written)} entries, {len(found.missing)} to be written by the next round, {len(found.unfounded)} unfounded"
        )
    raise typer.Exit(1 if found.unfounded else 0)
