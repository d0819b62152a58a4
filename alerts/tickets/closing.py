"""Tickets that are over by themselves: their findings stayed away, or the update that fixes them is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.policy.bad_releases import release_of, still_runs
from alerts.policy.file import Policy
from alerts.policy.fixes import Fixes
from alerts.tickets.states import party_of
from hearthwatch.firmware import version as normalised
from hearthwatch.records import devices, releases, ticket_findings, tickets
from hearthwatch.records.ticket_findings import LinkedFinding
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Device, Ticket

BUSY = frozenset({"scheduled", "in_progress"})


@dataclass(frozen=True, slots=True)
class Closing:
    """A ticket that is over."""

    ticket: Ticket
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Endings:
    """What time did to the open tickets: those that are over, and those whose device is well again while somebody is at it."""

    over: tuple[Closing, ...] = ()
    recovered: tuple[Ticket, ...] = ()


def endings(connection: Connection, policy: Policy, now: datetime) -> Endings:
    """Look at all open tickets that may be over.

    What recovered and stayed so closes by itself, whatever it waits for but a part, unless a person opened it again. Where a visit is
    agreed, work has begun or a part is on its way, a person decides: that it recovered is noted once, and the customer is told that the
    visit stays unless they say otherwise.
    """
    since = now - timedelta(hours=policy.tickets.close_after_hours)
    open_now = tickets.maybe_over(connection, since, releases.mended_models(connection))
    if not open_now:
        return Endings()
    fixes = Fixes(connection)
    parents = {one.parent_id for one in open_now if one.parent_id is not None}
    linked = ticket_findings.standing(connection, sorted({one.id for one in open_now} | parents))
    known = devices.find(connection, sorted({one.device_id for one in open_now if one.device_id}))
    closings, over, recovered = [], [], []
    for ticket in open_now:
        mine = linked.get(ticket.id, [])
        above = linked.get(ticket.parent_id, []) if ticket.parent_id else []
        closing = _ending(connection, policy, fixes, ticket, known.get(ticket.device_id or ""), mine, above, now)
        if closing is not None:
            closings.append(closing)
    ledgers = tickets.ledgers(connection, [one.ticket.id for one in closings])
    for closing in closings:
        ticket = closing.ticket
        if _a_person_decides(ledgers[ticket.id]):
            continue
        if not _is_somebody_at_it(ticket):
            over.append(closing)
        elif ticket.kind == "device" and not _is_noted(ledgers[ticket.id]):
            recovered.append(ticket)
    return Endings(tuple(over), tuple(recovered))


def _ending(
    connection: Connection,
    policy: Policy,
    fixes: Fixes,
    ticket: Ticket,
    device: Device | None,
    mine: Sequence[LinkedFinding],
    above: Sequence[LinkedFinding],
    now: datetime,
) -> Closing | None:
    if ticket.kind == "cohort":
        return _release_is_over(connection, fixes, policy, ticket, mine, now)
    if ticket.kind != "device":
        return None
    return _fixed(connection, fixes, ticket, device, mine, above) or _gone(policy, ticket, mine, now)


def _is_somebody_at_it(ticket: Ticket) -> bool:
    return ticket.state in BUSY or ticket.waiting_for == "part"


def _is_noted(ledger: Sequence[TicketEvent]) -> bool:
    """Whether the ledger says already that it recovered, since somebody is at it."""
    newest = [event.what for event in ledger]
    since = max(place for place, what in enumerate(newest) if what in {"opened", "scheduled", "started", "waiting"})
    return "recovered" in newest[since:]


def _gone(policy: Policy, ticket: Ticket, mine: Sequence[LinkedFinding], now: datetime) -> Closing | None:
    """All its findings recovered and stayed away, and no failure is likely."""
    since = now - timedelta(hours=policy.tickets.close_after_hours)
    if not mine:
        return None
    if any(one.state != "recovered" or one.recovered_at is None or one.recovered_at > since for one in mine):
        return None
    likely = policy.tickets.keep_open_probability
    if any(one.kind == "prognosis" and (one.probability or 0.0) >= likely for one in mine):
        return None
    return Closing(ticket, "recovered", "its findings recovered and stayed away")


def _fixed(
    connection: Connection,
    fixes: Fixes,
    ticket: Ticket,
    device: Device | None,
    mine: Sequence[LinkedFinding],
    above: Sequence[LinkedFinding],
) -> Closing | None:
    """The device runs a release that fixes this, and did not when the ticket opened."""
    if device is None or device.model is None or not device.firmware:
        return None
    bad = (release_of(connection, one.kind, one.subject) for one in above)
    whats = [*(one.mode for one in mine), *(release.version for release in bad if release is not None)]
    runs = normalised(device.firmware).key
    for what in dict.fromkeys(whats):
        fix = fixes.find(device.model, what)
        if fix is None or runs < normalised(fix.version).key:
            continue
        before = _firmware_at_opening(connection, ticket)
        if before is not None and normalised(before).key < normalised(fix.version).key:
            return Closing(ticket, "fixed_by_update", f"the device runs {device.firmware}, which fixes {what}")
    return None


def _firmware_at_opening(connection: Connection, ticket: Ticket) -> str | None:
    opened = (event for event in tickets.events(connection, ticket.id) if event.what in {"opened", "reopened"})
    return next(
        (event.detail.get("firmware") for event in reversed(list(opened)) if event.detail.get("firmware")), None
    )


def _release_is_over(
    connection: Connection,
    fixes: Fixes,
    policy: Policy,
    ticket: Ticket,
    mine: Sequence[LinkedFinding],
    now: datetime,
) -> Closing | None:
    verdicts = [one for one in mine if one.kind == "cohort"]
    over = _gone(policy, ticket, verdicts, now)
    if over is not None:
        return over
    bad = next(
        (found for one in verdicts if (found := release_of(connection, one.kind, one.subject)) is not None), None
    )
    if bad is None or fixes.find(bad.model, bad.version) is None:
        return None
    if still_runs(connection, bad, now):
        return None
    return Closing(ticket, "fixed_by_update", f"no device that was seen lately runs {bad.version} any more")


def _a_person_decides(ledger: Sequence[TicketEvent]) -> bool:
    """Whether the customer asked for a visit, or a person opened it again: they know that it is not over, whatever the device says."""
    if any(event.what == "customer" and event.detail.get("wish") == "visit" for event in ledger):
        return True
    begun = next((event for event in reversed(ledger) if event.what in {"opened", "reopened"}), None)
    return begun is not None and begun.what == "reopened" and party_of(begun.actor) != "policy"
