"""Enacts history again under a policy: at every instant at which something changed, the functions of the jobs are run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts import following, rounds
from alerts.notices.issue import Mail
from alerts.notices.wording import Brand
from alerts.policy import decisions
from alerts.policy.budget import FLEET_PERIOD
from alerts.policy.file import Policy, parse
from alerts.policy.quiet import next_allowed, zone
from alerts.policy.survey import survey
from alerts.replay import findings, people, registry, service
from alerts.replay.findings import LOOKED_BACK
from alerts.replay.rhythm import Rhythm, after, at_or_after
from alerts.replay.stage import ACT, BEYOND, Happening, Stage, in_order
from hearthwatch.garbage import uncollected
from hearthwatch.records import outbox, warranties
from hearthwatch.records.database import batched
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.records.tables import devices as devices_table
from hearthwatch.records.tables import findings as findings_table
from hearthwatch.records.tables import hold_outs, notice_events, ticket_findings, tickets
from hearthwatch.records.tables import notices as notices_table
from hearthwatch.values import Span

NOBODYS = Mail(Brand(""), "", timedelta(days=30), unread=True)
SWEPT = timedelta(days=1)
"""How often everything is looked at whether or not anything is known to have changed."""
WORKER = "replay"


@dataclass(frozen=True, slots=True)
class Past:
    """What is not known of the time that was enacted: ``untold`` findings of whose days in between nothing was written down, and the acts
    of people, by what they were, that had nothing to act on here."""

    untold: int
    lost: dict[str, int]
    rounds: int


def enact(
    source: Connection,
    scratch: Connection,
    version: PolicyVersion,
    span: Span,
    rhythm: Rhythm,
    *,
    say: Callable[[float], None] = lambda _share: None,
) -> Past:
    """Let a policy be live from ``span.since`` on, over what is stored in ``source``, in the empty records ``scratch``.

    ``say`` is told how much of the time has passed, from 0 to 1. Nothing is written into ``source``, and nothing leaves ``scratch``.
    """
    policy = parse(version.text)
    settled = timedelta(days=policy.tickets.settle_days)
    stage = Stage(
        scratch,
        _delays(policy),
        after_recovery=(timedelta(hours=policy.tickets.close_after_hours), settled),
        after_closing=(timedelta(days=policy.survey.after_days), settled),
    )
    play = _Play(stage, policy, version, rhythm, span, say)
    registry.copy(source, scratch, span)
    service.copy(source, scratch, span.since)
    rows, of_findings, untold = findings.read(source, span)
    play.begin(rows)
    remind_after = timedelta(days=policy.notices.remind_after_days)
    play.run(in_order(of_findings, *registry.read(source, span), *people.read(source, span, remind_after)))
    return Past(untold, play.stage.lost, play.rounds)


def _delays(policy: Policy) -> tuple[timedelta, ...]:
    """How long after a finding (or a release that fixes it) came, time alone may change what becomes of it."""
    delays = {rule.hold for rule in policy.rules} | {timedelta(days=policy.suppression.wait_for_fix_days)}
    return tuple(sorted(delays - {timedelta(0)}))


@dataclass(slots=True)
class _Play:
    stage: Stage
    policy: Policy
    version: PolicyVersion
    rhythm: Rhythm
    span: Span
    say: Callable[[float], None]
    rounds: int = 0

    def begin(self, rows: list[dict[str, object]]) -> None:
        """Write the findings that stand at the beginning, and note what time will bring of what there is."""
        stage = self.stage
        if rows:
            stage.connection.execute(sa.insert(findings_table), rows)
        for row in rows:
            findings.begin(stage, row)
        closed = sa.select(tickets.c.device_id).where(tickets.c.state == "closed", tickets.c.device_id.is_not(None))
        stage.settled = set(stage.connection.execute(closed).scalars())
        lately = sa.select(tickets.c.closed_at).where(tickets.c.closed_at > self.span.since - LOOKED_BACK)
        for at in stage.connection.execute(lately).scalars():
            stage.note_closing(at)
        self._note_what_time_brings(self.span.since - decisions.BUDGET_PERIOD)
        self._note_warranties()
        sweep = self.span.since
        while sweep <= self.span.until:
            stage.later(sweep)
            sweep += SWEPT

    def run(self, happened: Iterator[Happening]) -> None:
        """Go from instant to instant."""
        ahead = next(happened, None)
        done: datetime | None = None
        while True:
            tick = self._next(ahead, done)
            if tick is None or tick > self.span.until:
                break
            while ahead is not None and (ahead.at < tick or (ahead.at == tick and ahead.rank != ACT)):
                ahead.happen(self.stage)
                ahead = next(happened, None)
            with uncollected():
                self._look(tick)
            done = tick
            self.say((tick - self.span.since) / (self.span.until - self.span.since))
        while ahead is not None:  # what people did at the very end, after the last look
            ahead.happen(self.stage)
            ahead = next(happened, None)
        self.stage.write_down()

    def _next(self, ahead: Happening | None, done: datetime | None) -> datetime | None:
        """The next instant at which a job looks and finds something that may concern it."""
        times = []
        due = self.stage.next_due()
        if due is not None:
            times.append(at_or_after(self.rhythm.policy, due))
        if ahead is not None:
            next_look = after if ahead.rank == ACT else at_or_after
            times.append(next_look(self.rhythm.policy, ahead.at))
        if self.stage.everybody or self.stage.awake:
            times.append(self.span.since if done is None else after(self.rhythm.policy, done))
        if self.stage.follow:
            times.append(self.span.since if done is None else after(self.rhythm.follow_up, done))
        if not times:
            return None
        first = max(min(times), self.span.since)
        soonest = at_or_after(self.rhythm.policy, self.span.since) if done is None else after(self.rhythm.policy, done)
        return max(at_or_after(self.rhythm.policy, first), soonest)

    def _look(self, now: datetime) -> None:
        """As the jobs do at an instant: the policy, what follows, the deliveries."""
        stage = self.stage
        stage.write_down()
        stage.come_to(now)
        if stage.everybody or stage.awake:
            self._round(now)
        if stage.follow and at_or_after(self.rhythm.follow_up, now) == now:
            self._follow(now)
        _deliver(stage, now)

    def _round(self, now: datetime) -> None:
        stage = self.stage
        subjects = None if stage.everybody else stage.awake
        stage.everybody, stage.awake = False, set()
        self.rounds += 1
        found = survey(stage.connection, self.version, now, subjects)
        if found.idle:
            return
        done = rounds.carry_out(stage.connection, found, self.version, NOBODYS, now, ask_devices=False)
        if not any(done.values()):
            return
        self._wake_again(now)

    def _wake_again(self, now: datetime) -> None:
        """What a round did may make something of the next one, as it does live."""
        stage = self.stage
        stage.follow = True
        for device in _touched(stage.connection, now):
            stage.wake(device)
        self._note_what_time_brings(now)

    def _follow(self, now: datetime) -> None:
        stage = self.stage
        stage.follow = False
        done: Counter[str] = following.carry_out(stage.connection, self.version, NOBODYS, now)
        if not any(done.values()):
            return
        stage.follow = True
        for device in _touched(stage.connection, now):
            stage.wake(device)
            if done["closed"]:
                stage.settled.add(device)
                stage.note_closing(now)
        self._note_what_time_brings(now)

    def _note_warranties(self) -> None:
        """When warranties end, where a rule asks for them."""
        if "warranty" not in self.policy.asks:
            return
        devices = self.stage.connection.execute(sa.select(devices_table.c.id)).scalars().all()
        for some in batched(devices):
            for device, warranty in warranties.of_devices(self.stage.connection, some).items():
                if warranty.until is not None and self.span.since < warranty.until <= self.span.until:
                    self.stage.later(warranty.until, device)

    def _note_what_time_brings(self, since: datetime) -> None:
        """When budgets are new again, devices may be written about again, hold-outs end, and letters may leave."""
        stage, columns = self.stage, notices_table.c
        query = sa.select(columns.device_id, columns.created_at, columns.kind).where(columns.created_at >= since)
        fleets = self.policy.notices.per_1000_devices_and_week is not None
        for device, written, kind in stage.connection.execute(query):
            if kind == "survey":
                stage.follow_later(written + timedelta(days=self.policy.survey.every_days) + BEYOND)
            if fleets:
                stage.later(written + FLEET_PERIOD + BEYOND)
            stage.later(written + decisions.BUDGET_PERIOD + BEYOND, device)
            stage.later(written + timedelta(hours=self.policy.notices.group_hours) + BEYOND, device)
        leaving = sa.select(columns.send_after).where(columns.state == "queued", columns.send_after >= since)
        for leaves in stage.connection.execute(leaving.distinct()).scalars():
            stage.follow_later(leaves)
        held = sa.select(hold_outs.c.device_id, hold_outs.c.until).where(hold_outs.c.drawn_at >= since)
        for device, until in stage.connection.execute(held):
            stage.later(until, device)


def _touched(connection: Connection, now: datetime) -> set[str]:
    """The devices about which something was written, opened, closed or held out at an instant."""
    found: set[str] = set()
    for query in (
        sa.select(notices_table.c.device_id).where(sa.or_(notices_table.c.created_at == now, notices_table.c.send_after == now)),
        sa.select(tickets.c.device_id).where(sa.or_(tickets.c.opened_at == now, tickets.c.closed_at == now)),
        sa.select(hold_outs.c.device_id).where(sa.or_(hold_outs.c.drawn_at == now, hold_outs.c.ended_at == now)),
        sa.select(findings_table.c.subject)
        .join(ticket_findings, ticket_findings.c.finding_id == findings_table.c.id)
        .where(ticket_findings.c.at == now, findings_table.c.subject_type == "device"),
    ):  # fmt: skip
        found.update(one for one in connection.execute(query).scalars() if one)
    return found


def _deliver(stage: Stage, now: datetime) -> None:
    """What may leave has left: nothing here is ever refused, or late. Quiet hours are looked at again, as when letters are sent."""
    columns = notices_table.c
    query = sa.select(columns.id).where(columns.state == "queued", columns.send_after <= now)
    due = stage.connection.execute(query.order_by(columns.id)).scalars().all()
    waiting = outbox.of_notices(stage.connection, due)
    leaving = []
    for notice in due:
        allowed = _allowed_at(waiting.get(notice, ()), now)
        if allowed > now:
            stage.follow_later(allowed)
        else:
            leaving.append(notice)
    if leaving:
        stage.connection.execute(_SENT, [{"one": notice, "at": now} for notice in leaving])
        events = [{"notice_id": notice, "at": now, "what": "sent", "actor": WORKER, "detail": {}} for notice in leaving]
        stage.connection.execute(sa.insert(notice_events), events)
        stage.follow = True


_SENT = (
    sa.update(notices_table)
    .where(notices_table.c.id == sa.bindparam("one"))
    .values(state="sent", sent_at=sa.bindparam("at"), reason=None, revision=notices_table.c.revision + 1)
)


def _allowed_at(written: Sequence[OutboxItem], now: datetime) -> datetime:
    waiting = [item for item in written if item.state == "pending"]
    quiet = waiting[0].payload.get("quiet") if waiting else None
    if not quiet:
        return now
    start, end = time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])
    return next_allowed(now, start, end, zone(quiet["timezone"], "UTC"))
