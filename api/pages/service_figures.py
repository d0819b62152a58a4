"""Figures of the service, by policy version or by month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from alerts.learning.figures import By, Durations, Figures, service_figures
from alerts.learning.rates import Share
from api.context import ApiContext
from api.pages.frame import Visit, figure, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from api.pages.wording import day
from api.routes.learning import span

BYS: tuple[By, ...] = ("policy_version", "month")


async def figures_page(visit: Visit) -> None:
    """All cases of a year as cards, then a table by policy version or month."""
    say = speaker(visit.request)
    by: By = next((one for one in BYS if one == visit.request.query_params.get("by")), "policy_version")
    found, since, until = await visit.load(_load, by)
    with ui.row().classes("items-center gap-2"):
        for one in BYS:
            ui.button(say.word(one), on_click=lambda one=one: ui.navigate.to(f"/service-figures?by={one}")).props(
                "dense no-caps unelevated" if one == by else "dense no-caps outline"
            )
        ui.link(say("As CSV"), f"/api/v1/service-figures.csv?by={by}").classes("hw-link")
    whole = found[0]
    sentence(
        say(
            "{count} cases closed from {since} to {until}.",
            count=whole.tickets_closed,
            since=day(since),
            until=day(until),
        )
    )
    if not whole.tickets_closed:
        return
    _cards(say, whole)
    table(_columns(say), [_row(say, one) for one in found[1:]], key="key")
    sentence(say("Shares stand with their 95 % intervals (Wilson). docs/learning.md defines each figure."))


def _load(context: ApiContext, by: By) -> tuple[list[Figures], Any, Any]:
    since, until = span(context, None, None)
    with context.database.reading() as connection:
        return service_figures(connection, since=since, until=until, by=by), since, until


def _cards(say: Speaker, one: Figures) -> None:
    with ui.row().classes("w-full gap-3"):
        figure(
            say("Solved at first contact"),
            _share(one.first_contact_resolution),
            _interval(one.first_contact_resolution),
        )
        figure(say("First response, median"), _hours(say, one.first_response), _cases(say, one.first_response))
        figure(say("Resolution, median"), _hours(say, one.resolution), _cases(say, one.resolution))
        figure(say("Visits avoided"), str(one.visits_avoided), say("beside {count} visits", count=one.visits))
        figure(say("Notices that were right"), _share(one.notice_precision), _interval(one.notice_precision))
        figure(
            say("Lead time, median"), "–" if one.lead_days is None else say("{days} days", days=f"{one.lead_days:.1f}")
        )
        figure(say("No fault found"), _share(one.no_fault_found), _interval(one.no_fault_found))
        figure(say("Customers: solved"), _share(one.solved), say("{count} answers", count=one.surveys))
        figure(say("Customers: satisfied"), "–" if one.score is None else f"{one.score:.1f} / 5")


def _columns(say: Speaker) -> tuple[tuple[str, str, str], ...]:
    return (
        ("key", say("Policy version or month"), "left"),
        ("closed", say("Closed"), "right"),
        ("contact", say("Solved at first contact"), "right"),
        ("response", say("First response, median"), "right"),
        ("resolution", say("Resolution, median"), "right"),
        ("avoided", say("Visits avoided"), "right"),
        ("precision", say("Notices that were right"), "right"),
        ("lead", say("Lead time, median"), "right"),
        ("nff", say("No fault found"), "right"),
        ("score", say("Customers: satisfied"), "right"),
    )


def _row(say: Speaker, one: Figures) -> Mapping[str, Any]:
    return {
        "key": one.key,
        "closed": one.tickets_closed,
        "contact": _both(one.first_contact_resolution),
        "response": _hours(say, one.first_response),
        "resolution": _hours(say, one.resolution),
        "avoided": one.visits_avoided,
        "precision": _both(one.notice_precision),
        "lead": "–" if one.lead_days is None else say("{days} days", days=f"{one.lead_days:.1f}"),
        "nff": _both(one.no_fault_found),
        "score": "–" if one.score is None else f"{one.score:.1f}",
    }


def _both(value: Share | None) -> str:
    return "–" if value is None else f"{_share(value)} ({_interval(value)})"


def _share(value: Share | None) -> str:
    return "–" if value is None else f"{value[0]:.0%}"


def _interval(value: Share | None) -> str:
    return "" if value is None else f"{value[1]:.0%} – {value[2]:.0%}"


def _hours(say: Speaker, times: Durations) -> str:
    if times.median_h is None:
        return "–"
    if times.median_h < 48:
        return say("{hours} h", hours=f"{times.median_h:.1f}")
    return say("{days} days", days=f"{times.median_h / 24:.1f}")


def _cases(say: Speaker, times: Durations) -> str:
    return say("{count} cases", count=times.count)
