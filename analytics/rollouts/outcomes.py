"""How far a device of a roll-out is: from waiting for its wave to a success or a failure. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from analytics.rollouts.heard import HeardClock
from hearthwatch.records.rollout_devices import Candidate, Member

UNHEALTHY_HOURS = 3
"""A device that reboots unexpectedly in so many of its first healthy hours is not healthy (hours, not reboots: a power cut is one)."""
_ENDED = frozenset({"success", "unhealthy", "left"})


@dataclass(frozen=True, slots=True)
class Course:
    """What holds for all devices of a roll-out at a look.

    ``opened`` are the times at which waves were opened, by number. ``healthy_hours`` make a success, ``silent_hours`` of silence a failure
    (longer for devices that report seldom).
    """

    version: str
    version_key: str
    now: datetime
    clock: HeardClock
    opened: Mapping[int, datetime]
    healthy_hours: float
    silent_hours: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a device beside the registry: when it first reported the release, hours with unexpected reboots since, how often
    it is expected to report (seconds), and when its owner put the update off."""

    updated_at: datetime | None = None
    bad_hours: int = 0
    interval_s: float = 0.0
    deferred_at: datetime | None = None


def follow(member: Member, device: Candidate | None, seen: Seen, course: Course) -> Member:
    """The device as it is at this look. What ended well stays so; a silent device that speaks again goes on."""
    if member.outcome in _ENDED:
        return member
    if device is None:
        return _become(member, "left", course, "it is not there any more")
    heard = None if device.last_seen is None else min(device.last_seen, course.now)
    member = replace(member, heard_at=heard, offered_at=_offered_at(member, course))
    if device.version == course.version:
        return _on_release(member, seen, course)
    if member.updated_at is not None:
        newer = (device.version_key or "") > course.version_key
        if newer:
            return _become(member, "left", course, f"it went on to {device.version}")
        return _become(member, "unhealthy", course, f"it went back to {device.version}")
    if (device.version_key or "") > course.version_key:
        return _become(member, "left", course, f"it runs {device.version}, which is newer")
    return _before_release(member, seen, course)


def patience(course: Course, interval_s: float) -> float:
    """The hours after which a device has fallen silent."""
    return max(course.silent_hours, 3.0 * interval_s / 3600.0)


def is_silent(member: Member, seen: Seen, course: Course) -> bool:
    """Whether a device has not been heard for longer than it should be."""
    return member.heard_at is None or course.clock.hours(member.heard_at, course.now) > patience(
        course, seen.interval_s
    )


def _offered_at(member: Member, course: Course) -> datetime | None:
    opened = course.opened.get(member.wave)
    return member.offered_at or (max(opened, member.joined_at) if opened is not None else None)


def _on_release(member: Member, seen: Seen, course: Course) -> Member:
    if member.updated_at is None:
        first = seen.updated_at or course.now
        member = replace(member, updated_at=min(first, member.heard_at or first))
    assert member.updated_at is not None
    hours = course.clock.hours(member.updated_at, member.heard_at or member.updated_at) - seen.bad_hours
    member = replace(member, healthy_hours=round(max(0.0, hours), 3))
    if seen.bad_hours >= UNHEALTHY_HOURS:
        says = f"it rebooted unexpectedly in {seen.bad_hours} hours after the update"
        return _become(member, "unhealthy", course, says)
    if member.healthy_hours >= course.healthy_hours:
        return _become(member, "success", course, None)
    if is_silent(member, seen, course):
        return _become(member, "silent", course, "it fell silent after the update")
    return _become(member, "updated", course, None)


def _before_release(member: Member, seen: Seen, course: Course) -> Member:
    offered = member.offered_at
    if offered is None:
        return _become(replace(member, heard_at=None), "waiting", course, None)  # its turn will come: nothing to keep
    deferred = max((at for at in (member.deferred_at, seen.deferred_at) if at is not None), default=None)
    member = replace(member, deferred_at=deferred)
    if deferred is not None and deferred >= offered:
        return _become(member, "deferred", course, "its owner put it off")
    heard, allowed = member.heard_at, patience(course, seen.interval_s)
    was_there = heard is not None and course.clock.hours(heard, offered) <= allowed
    if was_there and is_silent(member, seen, course):
        return _become(member, "silent", course, "it fell silent before it told of the release")
    return _become(member, "offered", course, None)


def _become(member: Member, outcome: str, course: Course, why: str | None) -> Member:
    if (member.outcome, member.why) == (outcome, why):
        return member
    decided = member.decided_at if member.outcome == outcome else course.now
    return replace(member, outcome=outcome, why=why, decided_at=decided)
