"""The gate: at every look it follows the devices of each live roll-out, judges, and writes down what it decides, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.rollouts.following import Claim, claim_of
from analytics.rollouts.heard import HeardClock
from analytics.rollouts.judging import Judgement, Known, Tally, judge
from analytics.rollouts.outcomes import Course, Seen, follow, patience
from analytics.rollouts.sightings import sightings
from analytics.rollouts.silence import Silence, Standing
from analytics.rollouts.stop_findings import note_stop
from hearthwatch.errors import Stale
from hearthwatch.firmware import version as normalised
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import (
    analysis_states,
    audit,
    blindness,
    cohort_looks,
    liveness,
    releases,
    rollout_decisions,
    rollout_devices,
    rollout_steps,
    rollouts,
)
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.records.rollout_decisions import GATE, Decision
from hearthwatch.records.rollout_devices import Candidate, Member
from hearthwatch.records.rollout_steps import OVERRULES, SAID, Step, Taken
from hearthwatch.records.rollouts import Rollout, Wave
from hearthwatch.said import all_told
from hearthwatch.values import Release

STATE = "rollout_silence"
FOLLOWED_AFTER = timedelta(days=14)
"""So long the devices of a roll-out that has ended are followed; nothing is decided of it any more."""
LONGEST_BACK = timedelta(days=60)
RELAPSE = timedelta(days=7)

Announce = Callable[[Connection, Taken], None]
"""Writes a decision into the outbox, in the transaction that takes it."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A roll-out as the records have it before the look."""

    rollout: Rollout
    waves: tuple[Wave, ...]
    release: Release
    candidates: Mapping[str, Candidate]
    members: Mapping[str, Member]
    looks: Sequence[CohortLook]
    decisions: Sequence[Decision]
    deferred: Mapping[str, datetime]
    intervals: Mapping[str, float]
    kept: Mapping[str, Any] | None
    clock: HeardClock
    blind_hours: float | None


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look brings out, to be written down."""

    members: Mapping[str, Member]
    silence: Silence
    claim: Claim
    known: Known


def keep_gate(
    store: TelemetryStore, database: Database, now: datetime, *, announce: Announce, relapse: timedelta = RELAPSE
) -> Mapping[str, int]:
    """Look at every roll-out that has not ended long ago, and decide of those that are live.

    Returns counts: rollouts looked at, and decisions by name. A stop for what became of devices is a finding about the release, too;
    ``relapse`` is as of all findings.
    A second look at the same time adds nothing: what devices became is computed anew, evidence goes on from the last look, and a decision
    that stands is not taken again.
    """
    done: Counter[str] = Counter()
    with database.reading() as connection:
        known = rollouts.list_rollouts(connection)
    followed = [one for one in known if one.ended_at is None or one.ended_at > now - FOLLOWED_AFTER]
    for rollout in reversed(followed):
        done["rollouts"] += 1
        taken = _look(store, database, rollout.id, now, announce, relapse)
        if taken is not None:
            done[taken.decision.decision] += 1
    return dict(done)


def _look(
    store: TelemetryStore, database: Database, rollout_id: int, now: datetime, announce: Announce, relapse: timedelta
) -> Taken | None:
    with database.reading() as connection:
        read = _read(connection, rollout_id, now)
    if read.kept and datetime.fromisoformat(read.kept["at"]) >= now:
        return None  # this look was taken
    looked = _look_at(store, read, now) if read.blind_hours is None else _unseen(read)
    try:
        with database.transaction() as connection:
            return _write(connection, read, looked, now, announce, relapse)
    except Stale:  # a person, or another process, was here meanwhile; the next look sees what they did
        return None


def _read(connection: Connection, rollout_id: int, now: datetime) -> _Read:
    rollout = rollouts.get(connection, rollout_id)
    release = releases.get(connection, rollout.release_id)
    since = max(rollout.created_at, now - LONGEST_BACK)
    spans = blindness.between(connection, since - timedelta(days=30), now, now)
    standing = blindness.current(connection, now)
    candidates = rollout_devices.candidates(connection, release.model, now)
    return _Read(
        rollout=rollout,
        waves=rollouts.waves(connection, rollout_id),
        release=release,
        candidates=candidates,
        members=rollout_devices.load(connection, rollout_id),
        looks=cohort_looks.latest(connection, [release.id]),
        decisions=rollout_decisions.list_decisions(connection, rollout_id, limit=100),
        deferred=rollout_devices.put_off(connection, release.model, since),
        intervals={name: one.interval_s for name, one in liveness.find(connection, sorted(candidates)).items()},
        kept=analysis_states.load(connection, STATE).get(str(rollout_id)),
        clock=HeardClock(spans, now),
        blind_hours=None if standing is None else (now - standing.since).total_seconds() / 3600.0,
    )


def _look_at(store: TelemetryStore, read: _Read, now: datetime) -> _Looked:
    course = _course(read, now)
    before = {**_joined(read, now), **read.members}
    seen = sightings(store, before, read.candidates, read.deferred, read.intervals, course)
    members = {
        name: follow(member, read.candidates.get(name), seen.get(name, Seen()), course)
        for name, member in before.items()
    }
    silence = _kept_silence(read).add(_standings(read, members, course))
    claim = claim_of(read.rollout, members.values(), course)
    return _Looked(members, silence, claim, _known(read, members, silence, course.clock, now))


def _unseen(read: _Read) -> _Looked:
    """Nobody is heard: devices, evidence and clock stay as they are."""
    silence = _kept_silence(read)
    claim = Claim(read.rollout.claim, read.rollout.claim_why)
    return _Looked(read.members, silence, claim, _known(read, read.members, silence, read.clock, None))


def _course(read: _Read, now: datetime) -> Course:
    known = normalised(read.release.version)
    return Course(
        version=read.release.version,
        version_key=known.key,
        now=now,
        clock=read.clock,
        opened={one.number: one.opened_at for one in read.waves if one.opened_at is not None},
        healthy_hours=read.rollout.healthy_hours,
        silent_hours=read.rollout.silent_hours,
    )


def _joined(read: _Read, now: datetime) -> dict[str, Member]:
    """Devices that are new to the roll-out, with the waves that they draw."""
    return {
        name: rollout_devices.drawn(read.rollout, read.waves, device, now)
        for name, device in read.candidates.items()
        if name not in read.members
    }


def _kept_silence(read: _Read) -> Silence:
    return Silence.of_json(read.kept["silence"]) if read.kept else Silence()


def _standings(read: _Read, members: Mapping[str, Member], course: Course) -> list[Standing]:
    """Who was heard before the last look, and who of them has fallen silent since. Only waves that were open then count as such.

    Beside the open wave stand those whose turn has not come; in the last one, where there are none, those of the waves before.
    """
    if not read.kept:
        return []
    last = datetime.fromisoformat(read.kept["at"])
    open_then = max((one for one, at in course.opened.items() if at <= last), default=0)
    if open_then == 0:
        return []
    later = any(members[name].wave > open_then for name in read.candidates)
    found = []
    for name, device in read.candidates.items():
        member, heard = members[name], device.last_seen
        if (later and member.wave < open_then) or heard is None:
            continue
        allowed = patience(course, read.intervals.get(name, 0.0))
        if course.clock.hours(heard, last) <= allowed:
            gone = course.clock.hours(heard, course.now) > allowed
            found.append(Standing(member.stratum, member.wave == open_then, gone))
    return found


def _known(
    read: _Read, members: Mapping[str, Member], silence: Silence, clock: HeardClock, now: datetime | None
) -> Known:
    number = rollouts.open_wave(read.waves)
    opened = read.waves[number - 1].opened_at if number else None
    took = sum(1 for one in members.values() if one.updated_at is not None and one.wave <= number)
    return Known(
        rollout=read.rollout,
        waves=read.waves,
        release_status=read.release.status,
        version=read.release.version,
        tally=tally([one for one in members.values() if one.wave == number], read.rollout, clock, now),
        silence=silence,
        took=took,
        looks=read.looks,
        hours=clock.hours(opened, now) if opened is not None and now is not None else 0.0,
        unlooked_hours=_unlooked(read.looks, opened, now) if opened is not None and now is not None else 0.0,
        blind_hours=read.blind_hours,
        overruled=_overruled(read.decisions, number),
    )


def _unlooked(looks: Sequence[CohortLook], opened: datetime, now: datetime) -> float:
    """Hours since the watch last looked at the release, at most those since the wave was opened."""
    return (now - max([opened, *(look.at for look in looks)])).total_seconds() / 3600.0


def tally(members: Sequence[Member], rollout: Rollout, clock: HeardClock, now: datetime | None) -> Tally:
    """A wave in numbers."""
    updated = [one for one in members if one.updated_at is not None and one.outcome != "left"]
    due = [
        one
        for one in updated
        if now is not None and one.updated_at and clock.hours(one.updated_at, now) >= rollout.healthy_hours
    ]
    return Tally(
        devices=sum(1 for one in members if one.outcome != "left"),
        offered=sum(1 for one in members if one.offered_at is not None),
        deferred=sum(1 for one in members if one.outcome == "deferred"),
        updated=len(updated),
        due=len(due),
        successes=sum(1 for one in due if one.outcome == "success"),
        silent=sum(1 for one in updated if one.outcome == "silent"),
        unhealthy=sum(1 for one in updated if one.outcome == "unhealthy"),
    )


def _overruled(decisions: Sequence[Decision], wave: int) -> frozenset[tuple[str, str]]:
    """What people have overruled while this wave was the open one."""
    told = (one.evidence.get(OVERRULES) for one in decisions if one.wave == wave and one.by != GATE)
    return frozenset((str(one[0]), str(one[1])) for one in told if isinstance(one, list | tuple) and len(one) == 2)


def _write(
    connection: Connection,
    read: _Read,
    looked: _Looked,
    now: datetime,
    announce: Announce,
    relapse: timedelta = RELAPSE,
) -> Taken | None:
    current = rollouts.get(connection, read.rollout.id)
    kept = analysis_states.load(connection, STATE).get(str(current.id))
    if current.revision != read.rollout.revision or kept != read.kept:
        raise Stale("another look was taken meanwhile", where=f"rollout {current.id}")
    if read.blind_hours is None:
        changed = [one for name, one in looked.members.items() if read.members.get(name) != one]
        rollout_devices.put(connection, current.id, changed)
        state = {"at": now.isoformat(), "silence": looked.silence.as_json()}
        analysis_states.save(connection, STATE, {str(current.id): state}, now)
        current = _keep_claim(connection, current, looked.claim, now)
    judgement = judge(looked.known)
    if judgement is None or _stands(read.decisions, judgement, rollouts.open_wave(read.waves)):
        return None
    taken = rollout_steps.take(connection, current, _step(judgement), now)
    announce(connection, taken)
    note_stop(connection, read.release, judgement, looked.known, now, relapse)
    return taken


def _step(judgement: Judgement) -> Step:
    numbers = {**judgement.evidence, "about": judgement.about, SAID: all_told(judgement.said)}
    return Step(judgement.decision, judgement.code, judgement.why, GATE, numbers, judgement.opens)


def _stands(decisions: Sequence[Decision], judgement: Judgement, wave: int) -> bool:
    """Whether the last decision says the same already."""
    if not decisions:
        return False
    last = decisions[0]
    same = (last.decision, last.code, last.wave, str(last.evidence.get("about", "")))
    return last.by == GATE and same == (judgement.decision, judgement.code, wave, judgement.about)


def _keep_claim(connection: Connection, rollout: Rollout, claim: Claim, now: datetime) -> Rollout:
    """Note whether the draw is followed; the release is called randomised only while it is."""
    assignment = {"followed": "randomised", "withdrawn": "staged"}.get(claim.state)
    if claim.state == rollout.claim or assignment is None:
        return rollout
    releases.set_assignment(connection, rollout.release_id, assignment)
    detail = {"rollout_id": rollout.id, "claim": claim.state, "why": claim.why}
    subject = f"release:{rollout.release_id}"
    audit.note(connection, at=now, actor=GATE, action="release.assignment", object=subject, detail=detail)
    return rollouts.change(connection, rollout.id, rollout.revision, {"claim": claim.state, "claim_why": claim.why})
