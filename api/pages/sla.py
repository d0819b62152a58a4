"""Service levels: what is promised to whom, by which hours, and how much of it was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from nicegui import ui

from alerts.policy.file import Policy, parse
from alerts.service_levels.compliance import Figure, compliance
from alerts.sla.calendar import BusinessCalendar
from alerts.sla.terms import Escalation, Term
from api.context import ApiContext
from api.pages import sla_words as words
from api.pages.frame import Visit, card, facts, figure, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from api.pages.wording import share
from hearthwatch.records import policies

SHOWN_DAYS = 365
AHEAD = timedelta(days=120)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows."""

    policy: Policy | None
    version: int
    figures: Sequence[Figure]


async def sla_page(visit: Visit) -> None:
    """What was kept, what is promised, and when somebody is there."""
    say, now = speaker(visit.request), visit.context.clock.now()
    shown = await visit.load(_load, now)
    _kept(say, shown.figures, now)
    if shown.policy is None:
        sentence(say("No policy yet."))
        return
    _promised(say, shown)
    _told(say, shown.policy)
    for name in shown.policy.sla.calendars:
        _calendar(say, shown.policy.sla.calendar(name), now)


def _load(context: ApiContext, now: datetime) -> Shown:
    with context.database.reading() as connection:
        current = policies.current(connection)
        figures = compliance(connection, now - timedelta(days=SHOWN_DAYS), now + timedelta(seconds=1))
    return Shown(parse(current.text) if current else None, current.version if current else 0, figures)


def _kept(say: Speaker, figures: Sequence[Figure], now: datetime) -> None:
    month = f"{now:%Y-%m}"
    with ui.row().classes("w-full gap-3 items-stretch"):
        for clock in ("first_response", "update", "resolution"):
            mine = [one for one in figures if one.clock == clock and one.month == month]
            kept, all_of_them = sum(one.kept for one in mine), sum(one.kept + one.broken for one in mine)
            note = say("{kept} of {all} this month", kept=kept, all=all_of_them)
            figure(words.name(say, clock), share(kept / all_of_them if all_of_them else None, 0), note)
    with card(
        say("Promises kept"),
        say("By month (UTC) in which each was decided, of the last year; open ones that are in time do not count yet"),
    ):
        if not figures:
            sentence(say("Nothing was decided yet."))
            return
        columns = (
            ("month", say("Month"), "left"),
            ("clock", say("Clock"), "left"),
            ("priority", say("Priority"), "right"),
            ("term", say("Term"), "left"),
            ("policy", say("Policy"), "right"),
            ("kept", say("Kept"), "right"),
            ("broken", say("Broken"), "right"),
            ("share", say("Share"), "right"),
            ("median", say("Median time"), "right"),
        )
        table(columns, [_row(say, number, one) for number, one in enumerate(figures)], page_size=20)
        ui.link(say("As CSV"), "/api/v1/sla/compliance.csv").classes("hw-link")


def _row(say: Speaker, number: int, one: Figure) -> dict[str, Any]:
    return {
        "id": number,
        "month": one.month,
        "clock": words.name(say, one.clock),
        "priority": one.priority,
        "term": one.term,
        "policy": one.policy_version,
        "kept": one.kept,
        "broken": one.broken,
        "share": share(one.share, 0),
        "median": "–" if one.median_hours is None else words.span(say, one.median_hours * 3600),
    }


def _promised(say: Speaker, shown: Shown) -> None:
    policy = shown.policy
    if policy is None:
        return
    with card(
        say("What policy {version} promises", version=shown.version),
        say("The first term that fits a ticket decides; times are working hours"),
    ):
        columns = (
            ("term", say("Term"), "left"),
            ("whom", say("For"), "left"),
            ("calendar", say("Calendar"), "left"),
            ("first_response", words.name(say, "first_response"), "left"),
            ("update", words.name(say, "update"), "left"),
            ("periodic_update", words.name(say, "periodic_update"), "left"),
            ("resolution", words.name(say, "resolution"), "left"),
        )
        rows = [_term(say, one) for one in policy.sla.terms]
        if all(one.conditions() for one in policy.sla.terms):
            rows.append(_others(say, policy))
        table(columns, rows, prose=("whom", "resolution"), key="term", page_size=50)
        facts(
            {
                words.name(say, clock): _pauses(say, policy, clock)
                for clock in ("update", "periodic_update", "resolution")
            }
        )


def _others(say: Speaker, policy: Policy) -> dict[str, Any]:
    """What holds for tickets that no term fits."""
    days = " / ".join(f"{one:g}" for one in policy.tickets.due_days)
    rest = say("{days} days by priority, around the clock", days=days)
    nothing = dict.fromkeys(("whom", "calendar", "first_response", "update", "periodic_update"), "–")
    return {"term": say("all others"), **nothing, "resolution": rest}


def _pauses(say: Speaker, policy: Policy, clock: str) -> str:
    reasons = [words.waits(say, one) for one in getattr(policy.sla.pauses, clock)]
    return (
        say("stands still while the ticket {reasons}", reasons=" / ".join(reasons))
        if reasons
        else say("never stands still")
    )


def _term(say: Speaker, term: Term) -> dict[str, Any]:
    whom = "; ".join(
        f"{say.word(key)}: {', '.join(str(one) for one in sorted(values, key=str))}"
        for key, values in term.conditions().items()
    )
    return {
        "term": term.name,
        "whom": whom or say("everyone"),
        "calendar": term.calendar,
        "first_response": _targets(say, term.first_response_hours),
        "update": _targets(say, term.update_hours),
        "periodic_update": _targets(say, term.update_every_hours),
        "resolution": _targets(say, term.resolution_hours),
    }


def _targets(say: Speaker, hours: Sequence[float]) -> str:
    told = [f"{one:g}" if one else "–" for one in hours]
    if not any(hours):
        return "–"
    return say("{hours} h", hours=told[0] if len(set(told)) == 1 else " / ".join(told))


def _told(say: Speaker, policy: Policy) -> None:
    sla = policy.sla
    shares = ", ".join(f"{one:.0%}" for one in sorted(sla.reminders)) or "–"
    lines = {say("Reminder at"): say("{shares} of the time, to the technician or the team", shares=shares)}
    for one in sla.escalations:
        when = (
            say("{hours} h after a breach", hours=f"{one.after_hours:g}") if one.after_hours else say("After a breach")
        )
        lines[when] = _receivers(say, one)
    counts = {
        "team": len(sla.team),
        "lead": len(sla.lead),
        "technicians": len(sla.technicians),
        "engineers": len(policy.engineers.addresses),
    }
    lines[say("Addresses known")] = ", ".join(f"{say.word(name)} {count}" for name, count in counts.items())
    with card(say("Who hears of it"), say("Within working hours, in one letter for each receiver")):
        facts(lines)


def _receivers(say: Speaker, one: Escalation) -> str:
    return ", ".join(say.word(to) if ":" not in to else say("an address") for to in one.to)


def _calendar(say: Speaker, calendar: BusinessCalendar, now: datetime) -> None:
    zone = calendar.zone.key
    here = now.astimezone(calendar.zone)
    with card(say("Calendar {name}", name=calendar.name), zone):
        if calendar.is_open(now):
            ui.badge(say("open now"), color="positive")
        else:
            ui.label(say("closed, opens {at}", at=words.at(calendar.next_opening(now), zone, now)))
        facts({_weekday(say, number): words.hours(shifts, say) for number, shifts in enumerate(calendar.week)})
        coming = _exceptions(say, calendar, here.date())
        if coming:
            ui.label(say("Other days to come")).classes("hw-quiet text-sm")
            facts(coming)


def _exceptions(say: Speaker, calendar: BusinessCalendar, today: date) -> dict[str, str]:
    """Days to come on which other hours hold than on their weekday."""
    found = {}
    for number in range(AHEAD.days):
        day = today + timedelta(days=number)
        usual, shifts = calendar.week[day.weekday()], calendar.shifts(day)
        if shifts != usual:
            name = calendar.holiday(day)
            told = words.hours(shifts, say)
            found[f"{day:%Y-%m-%d} ({_weekday(say, day.weekday())})"] = (
                f"{told}: {name}" if name and not shifts else told
            )
    return found


def _weekday(say: Speaker, number: int) -> str:
    return (
        say("Monday"), say("Tuesday"), say("Wednesday"), say("Thursday"), say("Friday"), say("Saturday"), say("Sunday"),
    )[number]  # fmt: skip
