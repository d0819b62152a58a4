"""What time brings: tickets that are over close by themselves, customers hear how theirs goes on, and are reminded if they asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts import issue, news
from alerts import tickets as acts
from alerts.bad_releases import release_of
from alerts.issue import Mail
from alerts.policy_file import Policy, parse
from hearthwatch.firmware import version as normalised
from hearthwatch.records import customer_links, devices, notices, outbox, releases, tickets
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.records.tickets import LinkedFinding
from hearthwatch.values import Device, Notice, Release, Ticket

POLICY = "policy"
ALL = 1_000_000
SEEN_LATELY = timedelta(days=14)
PAGE = 200
NONCES_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Closing:
    """A ticket that is over."""

    ticket: Ticket
    code: str
    why: str


def look(connection: Connection, version: PolicyVersion, now: datetime) -> bool:
    """Whether there is anything to do."""
    policy, live = parse(version.text), version.mode == "live"
    if notices.overtaken(connection) or closings(connection, policy, now):
        return True
    return live and bool(news.drafts(connection, policy, now))


def carry_out(connection: Connection, version: PolicyVersion, mail: Mail, now: datetime) -> Counter[str]:
    """Do it. Returns counts: cancelled, closed, and the notices written by their state."""
    policy, live = parse(version.text), version.mode == "live"
    done: Counter[str] = Counter()
    for notice in notices.overtaken(connection):
        done["cancelled"] += _cancel(connection, notice, now)
    for closing in closings(connection, policy, now):
        ticket = closing.ticket
        acts.close(
            connection,
            ticket.id,
            ticket.revision,
            code=closing.code,
            part=None,
            note=closing.why,
            actor=POLICY,
            now=now,
        )
        done["closed"] += 1
    if live:
        for draft in news.drafts(connection, policy, now):
            written = issue.issue(connection, draft, policy, mail, policy_version=version.version, now=now)
            if written is not None:
                done[written.state] += 1
    customer_links.forget_nonces(connection, now - NONCES_KEPT)
    return done


def _cancel(connection: Connection, notice: Notice, now: datetime) -> bool:
    waiting = outbox.of_notice(connection, notice.id)
    if any(item.state == "claimed" for item in waiting):
        return False  # it is being sent at this moment
    outbox.cancel(connection, notice.id, "the finding has recovered")
    notices.change(connection, notice.id, None, {"state": "cancelled", "reason": "the finding has recovered"})
    notices.note(connection, notice.id, now, "cancelled", POLICY, {"reason": "the finding has recovered"})
    return True


def closings(connection: Connection, policy: Policy, now: datetime) -> list[Closing]:
    """The open tickets that are over by themselves."""
    open_now = tickets.list_tickets(connection, open_only=True, limit=ALL)
    if not open_now:
        return []
    linked = tickets.standing(connection, [one.id for one in open_now])
    known = devices.find(connection, sorted({one.device_id for one in open_now if one.device_id}))
    found = []
    for ticket in open_now:
        mine = linked.get(ticket.id, [])
        if ticket.kind == "cohort":
            closing = _release_is_over(connection, policy, ticket, mine, now)
        elif ticket.kind == "device":
            above = linked.get(ticket.parent_id, []) if ticket.parent_id else []
            device = known.get(ticket.device_id or "")
            closing = _fixed(connection, ticket, device, mine, above) or _gone(policy, ticket, mine, now)
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
    ticket: Ticket,
    device: Device | None,
    mine: Sequence[LinkedFinding],
    above: Sequence[LinkedFinding],
) -> Closing | None:
    """The device runs a release that fixes this, and did not when the ticket opened."""
    if ticket.state == "scheduled" or device is None or device.model is None or not device.firmware:
        return None
    whats = [one.mode for one in mine] + [
        bad.version for one in above if (bad := release_of(connection, one.kind, one.subject)) is not None
    ]
    runs = normalised(device.firmware).key
    for what in dict.fromkeys(whats):
        fix = releases.fix_for(connection, device.model, what)
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
    connection: Connection, policy: Policy, ticket: Ticket, mine: Sequence[LinkedFinding], now: datetime
) -> Closing | None:
    verdicts = [one for one in mine if one.kind == "cohort"]
    over = _gone(policy, ticket, verdicts, now)
    if over is not None:
        return over
    bad = next(
        (found for one in verdicts if (found := release_of(connection, one.kind, one.subject)) is not None), None
    )
    if bad is None or releases.fix_for(connection, bad.model, bad.version) is None:
        return None
    if _still_runs(connection, bad, now):
        return None
    return Closing(ticket, "fixed_by_update", f"no device that was seen lately runs {bad.version} any more")


def _still_runs(connection: Connection, bad: Release, now: datetime) -> bool:
    after: str | None = None
    while True:
        page = devices.list_devices(
            connection, model=bad.model, version=bad.version, test=False, after=after, limit=PAGE
        )
        if any(_is_about(device, now) for device in page):
            return True
        if len(page) < PAGE:
            return False
        after = page[-1].id


def _is_about(device: Device, now: datetime) -> bool:
    removed = device.removed_at is not None and device.removed_at <= now
    return not removed and device.last_seen is not None and device.last_seen > now - SEEN_LATELY


def _customer_waits(connection: Connection, ticket: Ticket) -> bool:
    """Whether the customer asked for something that a person has to answer."""
    wishes: list[Mapping[str, object]] = [
        event.detail for event in tickets.events(connection, ticket.id) if event.what == "customer"
    ]
    return any(detail.get("wish") == "visit" for detail in wishes)
