"""Tickets that are over by themselves: their findings stayed away, or the update that fixes them is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.policy.bad_releases import release_of, still_runs
from alerts.policy.file import Policy
from alerts.policy.fixes import Fixes
from hearthwatch.firmware import version as normalised
from hearthwatch.records import devices, tickets
from hearthwatch.records.tickets import LinkedFinding
from hearthwatch.values import Device, Ticket

ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Closing:
    """A ticket that is over."""

    ticket: Ticket
    code: str
    why: str


def closings(connection: Connection, policy: Policy, now: datetime) -> list[Closing]:
    """The open tickets that are over by themselves."""
    open_now = tickets.list_tickets(connection, open_only=True, limit=ALL)
    if not open_now:
        return []
    fixes = Fixes(connection)
    parents = {one.parent_id for one in open_now if one.parent_id is not None}
    linked = tickets.standing(connection, sorted({one.id for one in open_now} | parents))
    known = devices.find(connection, sorted({one.device_id for one in open_now if one.device_id}))
    found = []
    for ticket in open_now:
        mine = linked.get(ticket.id, [])
        if ticket.kind == "cohort":
            closing = _release_is_over(connection, fixes, policy, ticket, mine, now)
        elif ticket.kind == "device":
            above = linked.get(ticket.parent_id, []) if ticket.parent_id else []
            device = known.get(ticket.device_id or "")
            closing = _fixed(connection, fixes, ticket, device, mine, above) or _gone(policy, ticket, mine, now)
        else:
            closing = None
        if closing is not None and not _customer_waits(connection, ticket):
            found.append(closing)
    return found


def _gone(policy: Policy, ticket: Ticket, mine: Sequence[LinkedFinding], now: datetime) -> Closing | None:
    """All its findings recovered and stayed away, nobody is on the way, and no failure is likely."""
    since = now - timedelta(hours=policy.tickets.close_after_hours)
    if ticket.state == "scheduled" or not mine:
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
    if ticket.state == "scheduled" or device is None or device.model is None or not device.firmware:
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


def _customer_waits(connection: Connection, ticket: Ticket) -> bool:
    """Whether the customer asked for something that a person has to answer."""
    wishes: list[Mapping[str, object]] = [
        event.detail for event in tickets.events(connection, ticket.id) if event.what == "customer"
    ]
    return any(detail.get("wish") == "visit" for detail in wishes)
