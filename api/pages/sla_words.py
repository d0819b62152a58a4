"""How clocks are said: working time, due times by the calendar's wall clock, states; in the reader's words."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.service_levels.standing import Standing
from alerts.sla.calendar import Shift
from alerts.sla.clocks import Clock
from api.pages.language import Speaker

COLORS = {
    "running": "primary",
    "paused": "grey-7",
    "breached": "negative",
    "met": "positive",
    "missed": "warning",
    "cancelled": "grey-7",
}


def name(say: Speaker, clock: str) -> str:
    """A clock's name."""
    names = {
        "first_response": say("First response"),
        "update": say("Answer to the customer"),
        "periodic_update": say("Our next word"),
        "resolution": say("Resolution"),
    }
    return names.get(clock, clock)


def state(say: Speaker, clock_state: str) -> str:
    """A clock's state."""
    states = {
        "idle": say("not running"),
        "running": say("running"),
        "paused": say("paused"),
        "breached": say("late"),
        "met": say("kept"),
        "missed": say("done late"),
        "cancelled": say("cancelled"),
    }
    return states.get(clock_state, clock_state)


def waits(say: Speaker, paused_for: str | None) -> str:
    """Why a clock is paused."""
    reasons = {
        "customer": say("waits for the customer"),
        "approval": say("waits for the customer's approval"),
        "part": say("waits for a part"),
        "third_party": say("waits for somebody else"),
        "scheduled": say("a visit is agreed on"),
    }
    return reasons.get(paused_for or "", paused_for or "")


def span(say: Speaker, amount: timedelta | float) -> str:
    """Working time, to the minute."""
    seconds = amount.total_seconds() if isinstance(amount, timedelta) else amount
    hours, minutes = divmod(int(abs(seconds) // 60), 60)
    if hours and minutes:
        return say("{hours} h {minutes} min", hours=hours, minutes=minutes)
    return say("{hours} h", hours=hours) if hours else say("{minutes} min", minutes=minutes)


def at(moment: datetime | None, zone: str, now: datetime) -> str:
    """A time by a calendar's wall clock: the time alone today, else with its date."""
    if moment is None:
        return "–"
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d\N{NO-BREAK SPACE}%H:%M}"


def told(say: Speaker, clock: Clock, zone: str, now: datetime) -> str:
    """How a clock stands, in a sentence."""
    if clock.state == "idle":
        return _idle(say, clock)
    if clock.state == "paused":
        reason = waits(say, clock.paused_for)
        if clock.left is None:
            return reason
        left = span(say, clock.left)
        return (
            say("{reason}; {left} late before that", reason=reason, left=left)
            if clock.left < timedelta(0)
            else say(
                "{reason}; {left} left of {target}", reason=reason, left=left, target=span(say, clock.target or 0.0)
            )
        )
    if clock.target is None:
        return say("{used} of working time; nothing is promised", used=span(say, clock.used))
    used, target = span(say, clock.used), span(say, clock.target)
    if clock.state == "running":
        left = span(say, clock.left or timedelta(0))
        return say("due {at}, {left} left of {target}", at=at(clock.due_at, zone, now), left=left, target=target)
    if clock.state == "breached":
        late = span(say, clock.used - clock.target)
        return say("was due {at}, {late} of working time ago", at=at(clock.breached_at, zone, now), late=late)
    if clock.state == "cancelled":
        return say("ended without counting")
    return say("after {used} of {target}", used=used, target=target)


def _idle(say: Speaker, clock: Clock) -> str:
    if clock.name == "first_response":
        return say("nobody has asked yet")
    if clock.name == "update":
        return say("no message is unanswered")
    return say("not started")


def listed(say: Speaker, standing: Standing, now: datetime) -> str:
    """A ticket's most pressing clock, for a list."""
    if standing.state == "none":
        return "–"
    clock, when = name(say, standing.clock), at(standing.due_at, standing.zone, now)
    if standing.state == "breached":
        return say("{clock} late since {at}", clock=clock, at=when)
    if standing.state == "running":
        return say("{clock} by {at}", clock=clock, at=when)
    if standing.state == "paused":
        return say("{clock}: {reason}", clock=clock, reason=waits(say, standing.paused_for))
    return f"{clock}: {state(say, standing.state)}"


def hours(shifts: tuple[Shift, ...], say: Speaker) -> str:
    """The opening hours of a day."""
    return ", ".join(f"{one.opens:%H:%M}–{one.closes:%H:%M}" for one in shifts) or say("not open")
