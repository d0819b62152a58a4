"""The state of one device from all that is known of it: pure, and explained.

In this order: who was never heard is *unknown*. A last will makes *offline* after a grace in which the device may reconnect. Behind a
bridge that is away a device is *unknown*. Silence within what is usual is *online*, or *asleep*; beyond it *late*, then *offline*.
Silence that lies in spans in which we could not hear the device does not count; what is silent only because of them is *unknown*.

Laws that tests hold: with nothing new heard, time never makes a device more alive; a span of blindness never makes one offline; hearing
a device ends *late* and *offline*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from analytics.liveness.power import LONGEST, TERMS, WORD_TRUST, PowerClass
from analytics.liveness.reasons import Why, why
from analytics.liveness.spans import Blind, explained, latest

State = Literal["online", "asleep", "late", "offline", "unknown"]
STATES: tuple[State, ...] = ("online", "asleep", "late", "offline", "unknown")
SILENT: frozenset[State] = frozenset({"late", "offline"})
AWAKE = timedelta(minutes=10)
"""A sleepy device counts as awake for so long after a message."""
LONGEST_GRACE = timedelta(hours=2)
"""The grace after a blindness is one interval, but not longer than this for devices that speak rarely."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a device, or the broker for it, said last: online, or gone (a goodbye or a last will)."""

    online: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one device. ``heard_at`` is its last message (no last will); ``blind`` holds our own spans and its bridge's."""

    power: PowerClass
    interval: timedelta
    heard_at: datetime | None
    word: Word | None = None
    blind: Sequence[Blind] = ()
    flapping: bool = False
    goings: int = 0
    will_grace: timedelta = timedelta(seconds=120)

    @property
    def late_after(self) -> timedelta:
        """Silence after which it is late."""
        return TERMS[self.power].late_after(self.interval)

    @property
    def offline_after(self) -> timedelta:
        """Silence after which it is offline; more for one that said it is online, whose last will would have come."""
        usual = TERMS[self.power].offline_after(self.interval)
        trusted = self.word is not None and self.word.online and self.power != "sleepy"
        return min(usual * WORD_TRUST, max(usual, LONGEST)) if trusted else usual

    @property
    def grace(self) -> timedelta:
        """What it gets after a blindness."""
        return min(max(self.interval, self.will_grace), LONGEST_GRACE)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A state, when it began by the evidence, when it changes if nothing is heard (None: it does not), and why."""

    state: State
    began: datetime
    until: datetime | None
    why: Why


def judge(of: Evidence, now: datetime) -> Judgement:
    """The state of a device at ``now``. Nothing in the evidence may be later than that."""
    heard = _last_sign(of)
    if heard is None:
        return _judge_unheard(of, now)
    return _gone(of, heard, now) or _behind_bridge(of, heard, now) or _by_silence(of, heard, now)


def _last_sign(of: Evidence) -> datetime | None:
    said = of.word.at if of.word is not None and of.word.online else None
    return max((at for at in (of.heard_at, said) if at is not None), default=None)


def _judge_unheard(of: Evidence, now: datetime) -> Judgement:
    if of.word is None:
        return Judgement("unknown", now, None, why("never_heard"))
    known = _gone(of, of.word.at, now)  # its last will is all we have
    return known or Judgement("unknown", of.word.at, None, why("never_heard"))


def _gone(of: Evidence, heard: datetime, now: datetime) -> Judgement | None:
    """What a last will means. Sleepy devices leave to sleep, flapping ones come back, and what a blindness brought about is no will."""
    word = of.word
    if word is None or word.online or word.at < heard or of.power == "sleepy" or of.flapping:
        return None
    if any(one.covers(word.at, of.grace) for one in of.blind if one.since <= now):
        return None
    back_by = word.at + of.will_grace
    if now < back_by:
        silent = _by_silence(of, heard, now)
        if silent.state == "offline":  # as it was before its will came
            return silent
        return Judgement("late", word.at, back_by, why("left", at=word.at, back_by=back_by))
    return Judgement("offline", back_by, None, why("gone", at=word.at))


def _silence(of: Evidence, heard: datetime, now: datetime) -> timedelta:
    """The silence that nothing but the device explains."""
    return (now - heard) - explained([one for one in of.blind if one.since <= now], heard, now, of.grace)


def _behind_bridge(of: Evidence, heard: datetime, now: datetime) -> Judgement | None:
    overdue = now - heard > of.late_after  # while it is not, a bridge that is only late is no reason to worry about it
    away = [
        one
        for one in of.blind
        if one.bridge is not None and one.until is None and heard <= one.since <= now and (one.sure or overdue)
    ]
    if not away or _silence(of, heard, now) > of.late_after:
        return None
    first = min(away, key=lambda one: one.since)
    return Judgement("unknown", first.since, None, why("behind_bridge", bridge=first.bridge, since=first.since))


def _by_silence(of: Evidence, heard: datetime, now: datetime) -> Judgement:
    silence = now - heard
    if silence <= of.late_after:
        return _alive(of, heard, now)
    counted = _silence(of, heard, now)
    told = {"heard": heard, "silent_s": silence, "interval_s": of.interval}
    if counted > of.offline_after:
        return Judgement("offline", now - (counted - of.offline_after), None, why("silent", **told))
    if counted > of.late_after:
        until = _reaches(of, counted, of.offline_after, now)
        return Judgement("late", now - (counted - of.late_after), until, why("late", **told))
    return _unseen(of, heard, counted, now)


def _alive(of: Evidence, heard: datetime, now: datetime) -> Judgement:
    until = heard + of.late_after
    if of.flapping:
        return Judgement("online", heard, until, why("flapping", heard=heard, goings=of.goings))
    if of.power == "sleepy" and now - heard > AWAKE:
        return Judgement("asleep", heard + AWAKE, until, why("asleep", heard=heard, interval_s=of.interval))
    return Judgement("online", heard, until, why("heard", heard=heard, interval_s=of.interval))


def _unseen(of: Evidence, heard: datetime, counted: timedelta, now: datetime) -> Judgement:
    span = latest(of.blind, heard, now)
    if span is None:  # cannot be: only blindness makes counted silence shorter than silence
        return Judgement("unknown", heard, None, why("never_heard"))
    if span.bridge is not None:
        key = "behind_bridge" if span.until is None else "bridge_back"
        reason = why(key, bridge=span.bridge, since=span.since, until=span.until)
    else:
        key = "blind" if span.until is None else "blind_before"
        reason = why(key, since=span.since, until=span.until, by=span.reason)
    return Judgement("unknown", span.since, _reaches(of, counted, of.late_after, now), reason)


def _reaches(of: Evidence, counted: timedelta, threshold: timedelta, now: datetime) -> datetime | None:
    """When the counted silence reaches a threshold if nothing is heard: it stands still in a blindness and in the grace after it."""
    if any(one.until is None for one in of.blind if one.since <= now):
        return None
    over = max((one.until + of.grace for one in of.blind if one.until is not None), default=now)
    return max(now, over) + (threshold - counted)
