"""One release: the verdict first, then who runs it, then what was seen of each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from api.context import ApiContext
from api.pages.actions import perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.look_card import look_card
from api.pages.look_charts import adoption_chart
from api.pages.look_tests import placebo_says
from api.pages.releases import Watched, load_watched
from api.pages.tables import table
from api.pages.wording import COLORS, moment, share
from api.release_verdict import ReleaseVerdict, judged, metric_words, ratio_words
from api.security import ENGINEERS
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import cohort_looks, releases, rollouts
from hearthwatch.records.look_samples import SampledLooks, sampled_looks
from hearthwatch.values import Release

ASK_EVERY_S = 60.0
"""How often an open page asks whether there is a newer look."""
POINTS = 150
"""Looks in a picture: hourly ones of a fortnight are more than it can show."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything the page of a release shows. ``series`` has a sample of the looks at each metric; ``siblings`` are the model's
    releases, ``rollout`` its staged roll-out."""

    release: Release
    notes: str | None
    verdict: ReleaseVerdict
    series: Mapping[str, SampledLooks]
    siblings: Sequence[Watched]
    rollout: int | None


async def release_page(visit: Visit) -> None:
    """One release against its concurrent control, for an engineer who watches it roll out."""
    shown = await visit.load(_load, number_in_path(visit.request, "release_id"))
    _news(visit, shown)
    _verdict(shown.verdict)
    with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
        _identity(visit, shown)
        _adoption(shown)
    settings = visit.context.settings
    for one in shown.verdict.metrics:
        alike = placebo_says(shown.release, one.look, settings.cohort_guard)
        sample = shown.series[one.look.metric]
        look_card(sample.looks, settings, alike=alike, total=sample.total)
    if len(shown.siblings) > 1:
        _siblings(shown.release, shown.siblings)


def _news(visit: Visit, shown: Portrait) -> None:
    """A line that appears on an open page once there is a newer look than it shows."""
    with ui.row().classes("hw-card w-full q-pa-sm items-center gap-3").props("role=alert") as line:
        ui.label("There is a newer look.")
        ui.button("Show it", on_click=ui.navigate.reload).props("no-caps dense outline")
    line.set_visibility(False)

    async def ask() -> None:
        try:
            times = await visit.load(_times, shown.release.id)
        except HearthwatchError:  # the records are away: it asks again
            return
        line.set_visibility(bool(times) and max(times) != shown.verdict.at)

    ui.timer(ASK_EVERY_S, ask, immediate=False)


def _times(context: ApiContext, identifier: int) -> list[datetime]:
    with context.database.reading() as connection:
        return [look.at for look in cohort_looks.latest(connection, [identifier])]


def _verdict(verdict: ReleaseVerdict) -> None:
    """One sentence, and a way to each metric."""
    release = verdict.release
    with card(f"{release.model} {release.version}"):
        with ui.row().classes("items-center gap-3 no-wrap"):
            if verdict.verdict:
                ui.badge(verdict.verdict.replace("_", " "), color=COLORS.get(verdict.verdict, "grey-7")).classes(
                    "text-sm q-pa-sm"
                )
            ui.label(verdict.says.replace("95 %", "95\N{NO-BREAK SPACE}%")).classes("text-lg min-w-0").style(
                "overflow-wrap: anywhere"
            ).props("role=status")
        if len(verdict.metrics) > 1:
            with ui.row().classes("gap-x-4 gap-y-1"):
                for one in verdict.metrics:
                    said = f"{metric_words(one.look.metric)}: {one.look.verdict.replace('_', ' ')}"
                    ui.link(said, f"#{one.look.metric}").classes("hw-link")


def _identity(visit: Visit, shown: Portrait) -> None:
    release = shown.release
    with card("The release"):
        facts(
            {
                "Replaces": release.replaces or "whatever ran before",
                "Waves": release.assignment,
                "Status": release.status,
                "Released": f"{moment(release.released_at)} UTC",
                "Fixes": ", ".join(release.fixes) or "–",
            }
            | ({"Notes": shown.notes} if shown.notes else {})
        )
        with ui.row().classes("gap-4"):
            asked = urlencode({"model": release.model, "version": release.version})
            ui.link("Devices on it", f"/devices?{asked}").classes("hw-link")
            if shown.rollout:
                ui.link("Its roll-out", f"/rollouts/{shown.rollout}").classes("hw-link")
            if shown.series:
                ui.link("All looks as CSV", f"/api/v1/releases/{release.id}/looks.csv").classes("hw-link")
        if visit.person.role in ENGINEERS and release.status != "withdrawn":
            _brakes(visit.context, release)


def _brakes(context: ApiContext, release: Release) -> None:
    async def change(status: str) -> None:
        await perform(
            context,
            lambda c: releases.set_status(c, release.id, release.revision, status),
            f"The release is {status}",
        )

    with ui.row().classes("gap-2"):
        if release.status == "paused":
            ui.button("Go on", on_click=lambda: change("rolling")).props("no-caps outline")
        else:
            ui.button("Pause roll-out", on_click=lambda: change("paused")).props("no-caps outline")
        ui.button("Withdraw", on_click=lambda: change("withdrawn")).props("no-caps outline color=negative")


def _adoption(shown: Portrait) -> None:
    """Who runs it, over time; looks of earlier versions did not tell it."""
    series = max((sample.looks for sample in shown.series.values()), key=len, default=())
    with card("Adoption"):
        told = [look for look in series if look.detail.get("adoption")]
        if told:
            on_it, of_model = told[-1].detail["adoption"]
            part = share(on_it / of_model if of_model else None, 0)
            ui.label(f"{on_it:,} of {of_model:,} devices of the model run it ({part}).")
            adoption_chart(told)
        elif series:
            last = series[-1]
            ui.label(f"{last.devices_treatment:,} devices were compared on it, {last.devices_control:,} beside it.")
        else:
            sentence("No device has been seen on it.")


def _siblings(release: Release, siblings: Sequence[Watched]) -> None:
    """The model's releases side by side: one row each, one column a metric."""
    metrics = list(dict.fromkeys(look.metric for one in siblings for look in one.looks))
    columns = [("release", "Release", "left"), ("replaces", "Replaces", "left"), ("waves", "Waves", "left")]
    columns += [(metric, metric_words(metric), "left") for metric in metrics]
    with card(f"Releases of {release.model}", "Each against its own control; the newest look at each metric."):
        table(columns, [_sibling(one) for one in siblings], links=("release",), badges=metrics)


def _sibling(one: Watched) -> dict[str, Any]:
    cells = {
        "id": one.release.id,
        "release": one.release.version,
        "release_to": f"/releases/{one.release.id}",
        "replaces": one.release.replaces or "–",
        "waves": one.release.assignment,
    }
    for look in one.looks:
        cells[look.metric] = f"{look.verdict.replace('_', ' ')} {ratio_words(look)}".strip()
        cells[f"{look.metric}_color"] = COLORS.get(look.verdict, "grey-7")
    return cells


def _load(context: ApiContext, identifier: int) -> Portrait:
    with context.database.reading() as connection:
        release = releases.get(connection, identifier)
        notes = releases.notes_of(connection, identifier)
        rollout = rollouts.of_release(connection, identifier)
        series = sampled_looks(connection, identifier, most=POINTS)
    verdict = judged(release, [sample.newest for sample in series.values()], context.settings)
    siblings = load_watched(context, release.model)
    return Portrait(release, notes, verdict, series, siblings, rollout.id if rollout else None)
