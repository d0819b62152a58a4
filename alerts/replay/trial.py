"""A policy tried on stored history, beside today's: what it would have done, what of it was right, and how the two differ."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.policy.file import digest, parse
from alerts.replay import truth as truths
from alerts.replay import written as writing
from alerts.replay.enact import Past, enact
from alerts.replay.reckoning import Reckoning, about_a_fault, answer, difference, place, reckon
from alerts.replay.rhythm import Rhythm
from alerts.replay.stage import scratch
from alerts.replay.truth import Judged
from alerts.replay.written import OpenedTicket, WrittenNotice
from hearthwatch.errors import Invalid
from hearthwatch.records import policies
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.records.tables import findings
from hearthwatch.values import Span

LONGEST = timedelta(days=5 * 366)
LEAD_IN = timedelta(days=1)
PACE_SECONDS = 0.01
"""What one finding, with what follows from it, takes about on one core; `tests.benchmarks.policy_replay` measures it."""
A_WHILE_SECONDS = 60.0
"""Of what is over sooner it is not told how long it goes on."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy to try: its text, and the version it is, where it is one."""

    text: str
    version: int | None = None


def span_of(since: datetime, until: datetime | None, now: datetime) -> Span:
    """The span that is asked for, up to now where no end is given. Raises `Invalid` for one that is empty, to come, or endless."""
    end = min(until, now) if until is not None else now
    if since >= end:
        raise Invalid("a replay begins before it ends, and before now", where="since")
    if end - since > LONGEST:
        raise Invalid(f"a replay spans at most {LONGEST.days} days", where="since")
    return Span(since, end)


def try_policy(
    source: Connection,
    candidate: Candidate,
    span: Span,
    *,
    rhythm: Rhythm | None = None,
    most: int | None = None,
    say: Say = lambda _said: None,
) -> dict[str, Any]:
    """What a policy would have done within a span, as the report that `docs/replay.md` describes.

    ``most`` bounds the rows of its lists; what is left off is counted. ``source`` is only read. Raises `InvalidPolicy`.
    """
    began = time.perf_counter()
    policy = parse(candidate.text)
    say(beforehand(source, span))
    known = truths.read(source, span.until)
    today = policies.current(source)
    mine, past = _tried(source, _as_live(candidate, span), span, rhythm, known, _half(say, "this policy"))
    same = today is not None and today.digest == digest(candidate.text)
    theirs = mine if same else None
    if today is not None and not same:
        theirs, _ = _tried(source, _live(today), span, rhythm, known, _half(say, "today's policy"))
    rows = _notices(mine, theirs), _tickets(mine, theirs)
    told = {
        "policy": {"name": policy.name, "version": candidate.version, "digest": digest(candidate.text)},
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "days": round((span.until - span.since) / timedelta(days=1), 2),
        "answer": answer(policy, mine),
        "today": None if theirs is None or today is None else _of_today(today, theirs, same=same),
        "difference": None if theirs is None else difference(mine, theirs),
        "notices": rows[0][:most],
        "tickets": rows[1][:most],
        "left_off": {name: max(0, len(one) - (most or len(one))) for name, one in zip(("notices", "tickets"), rows, strict=True)},
        "not_known": not_known(past),
        "rounds": past.rounds,
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    say("")
    return told


def not_known(past: Past) -> list[dict[str, Any]]:
    """What the stored history does not tell, as code and count."""
    told = [{"code": "no_days", "count": past.untold}] if past.untold else []
    told += [{"code": "no_counterpart", "what": what, "count": count} for what, count in sorted(past.lost.items())]
    return told


def _tried(
    source: Connection,
    version: PolicyVersion,
    span: Span,
    rhythm: Rhythm | None,
    known: truths.Truth,
    say: Callable[[float], None],
) -> tuple[Reckoning, Past]:
    within = Span(max(span.since, _first(source, span)), span.until)
    with scratch() as stage:
        past = enact(source, stage, version, within, rhythm or Rhythm(), say=say)
        return reckon(writing.read(stage, span), known, span), past


def _first(source: Connection, span: Span) -> datetime:
    """Nothing was decided before there was anything to decide about."""
    first: datetime | None = source.execute(sa.select(sa.func.min(findings.c.first_seen))).scalar_one()
    return min(first - LEAD_IN, span.until - LEAD_IN) if first is not None else span.until - LEAD_IN


def _as_live(candidate: Candidate, span: Span) -> PolicyVersion:
    name = parse(candidate.text).name
    return PolicyVersion(
        version=candidate.version or 0,
        name=name,
        text=candidate.text,
        digest=digest(candidate.text),
        mode="live",
        created_at=span.since,
        created_by="replay",
        live_since=span.since,
        live_by="replay",
        revision=1,
    )


def _live(today: PolicyVersion) -> PolicyVersion:
    values = {name: getattr(today, name) for name in PolicyVersion.__dataclass_fields__}
    return PolicyVersion(**{**values, "mode": "live"})


def _of_today(today: PolicyVersion, found: Reckoning, *, same: bool) -> dict[str, Any]:
    figures = answer(parse(today.text), found)
    return {"version": today.version, "name": today.name, "mode": today.mode, "same": same, "answer": figures}


def _notices(mine: Reckoning, theirs: Reckoning | None) -> list[dict[str, Any]]:
    here = {one.key: one for one in mine.written.notices if one.sent}
    there = {one.key: one for one in theirs.written.notices if one.sent} if theirs else {}
    rows = [
        _notice(one, judged, place(one.key, here, there) if one.sent else "held_back")
        for one, judged in zip(mine.written.notices, mine.notices, strict=True)
    ]
    if theirs is not None:
        rows += [
            _notice(one, judged, "only_today")
            for one, judged in zip(theirs.written.notices, theirs.notices, strict=True)
            if one.sent and one.key not in here
        ]
    return sorted(rows, key=lambda row: (row["at"], row["customer"], row["device"], row["kind"]))


def _notice(one: WrittenNotice, judged: Judged, where: str) -> dict[str, Any]:
    at = one.leaves_at or one.written_at
    lead = judged.lead_days(at) if about_a_fault(one) else None
    return {
        "at": at.isoformat(),
        "written_at": one.written_at.isoformat(),
        "customer": one.customer,
        "device": one.device,
        "finding": one.finding_id,
        "kind": one.kind,
        "occasion": one.occasion,
        "state": one.state,
        "reason": one.reason,
        "rule": one.rule,
        "where": where,
        "verdict": judged.verdict if about_a_fault(one) else None,
        "confirmed_at": judged.at.isoformat() if judged.at is not None and lead is not None else None,
        "lead_days": None if lead is None else round(lead, 2),
    }


def _tickets(mine: Reckoning, theirs: Reckoning | None) -> list[dict[str, Any]]:
    here = {one.key: one for one in mine.written.tickets}
    there = {one.key: one for one in theirs.written.tickets} if theirs else {}
    rows = [
        _ticket(one, judged, place(one.key, here, there) if theirs else "only_this")
        for one, judged in zip(mine.written.tickets, mine.tickets, strict=True)
    ]
    if theirs is not None:
        rows += [
            _ticket(one, judged, "only_today")
            for one, judged in zip(theirs.written.tickets, theirs.tickets, strict=True)
            if one.key not in here
        ]
    return sorted(rows, key=lambda row: (row["at"], row["cause"]))


def _ticket(one: OpenedTicket, judged: Judged, where: str) -> dict[str, Any]:
    lead = judged.lead_days(one.opened_at)
    return {
        "at": one.opened_at.isoformat(),
        "cause": one.cause,
        "kind": one.kind,
        "device": one.device,
        "customer": one.customer,
        "model": one.model,
        "part": one.part,
        "finding": one.finding_id,
        "priority": one.priority,
        "closed_at": one.closed_at.isoformat() if one.closed_at else None,
        "closing_code": one.closing_code,
        "reopened": one.reopened,
        "where": where,
        "verdict": judged.verdict,
        "lead_days": None if lead is None else round(lead, 2),
    }


def beforehand(source: Connection, span: Span) -> str:
    """How much there is to enact and how long that may take, in English."""
    stood = sa.or_(findings.c.recovered_at.is_(None), findings.c.recovered_at > span.since)
    query = sa.select(sa.func.count()).select_from(findings).where(findings.c.first_seen <= span.until, stood)
    count = int(source.execute(query).scalar_one())
    return f"findings to enact: {count:,}; about {_minutes(count * PACE_SECONDS)} for each policy"


def _half(say: Say, what: str) -> Callable[[float], None]:
    """Tell how far a half of the work is, in whole percents, and how long it goes on at that pace."""
    told = -1
    began = time.perf_counter()

    def share(done: float) -> None:
        nonlocal told
        percent = int(done * 100)
        if percent > told:
            told = percent
            left = (time.perf_counter() - began) * (1 - done) / done if percent else 0.0
            say(f"{what}: {percent} %" + (f", about {_minutes(left)} left" if left > A_WHILE_SECONDS else ""))

    return share


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def summary(report: Mapping[str, Any]) -> str:
    """The answer in one English sentence or two."""
    figures, days = report["answer"], report["days"]
    lead = figures["lead_days_median"]
    told = (
        f"In {days:g} days this policy would have sent {figures['notices']} notices to {figures['customers']} customers"
        f" and opened {figures['tickets']} tickets; {figures['confirmed']} of the notices were later confirmed,"
        f" {figures['refuted']} refuted, of {figures['unknown']} nothing is known"
    )
    ahead = f", half of the confirmed ones at least {lead:g} days ahead" if lead is not None else ""
    return f"{told}{ahead}."
