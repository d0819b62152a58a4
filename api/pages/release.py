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
from api.pages.language import Speaker, speaker
from api.pages.look_card import look_card
from api.pages.look_charts import adoption_chart
from api.pages.look_tests import placebo_says
from api.pages.releases import Watched, load_watched
from api.pages.tables import table
from api.pages.wording import COLORS, moment, share
from api.release_verdict import ReleaseVerdict, judged, metric_words, ratio_words
from api.security import ENGINEERS
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import cohort_looks, findings, releases, rollouts
from hearthwatch.records.look_samples import SampledLooks, sampled_looks
from hearthwatch.values import Release

ASK_EVERY_S = 60.0
"""How often an open page asks whether there is a newer look."""
POINTS = 150
"""Looks in a picture: hourly ones of a fortnight are more than it can show."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything the page of a release shows. ``series`` has a sample of the looks at each metric; ``siblings`` are the model's
    releases, ``rollout`` its staged roll-out, ``finding`` the newest finding about it."""

    release: Release
    notes: str | None
    verdict: ReleaseVerdict
    series: Mapping[str, SampledLooks]
    siblings: Sequence[Watched]
    rollout: int | None
    finding: int | None = None


async def release_page(visit: Visit) -> None:
    """One release against its concurrent control, for an engineer who watches it roll out."""
    say = speaker(visit.request)
    shown = await visit.load(_load, say, number_in_path(visit.request, "release_id"))
    _news(visit, say, shown)
    _verdict(say, shown.verdict)
    with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
        _identity(visit, say, shown)
        _adoption(say, shown)
    settings = visit.context.settings
    for one in shown.verdict.metrics:
        alike = placebo_says(say, shown.release, one.look, settings.cohort_guard)
        sample = shown.series[one.look.metric]
        look_card(say, sample.looks, settings, alike=alike, total=sample.total)
    if len(shown.siblings) > 1:
        _siblings(say, shown.release, shown.siblings)


def _news(visit: Visit, say: Speaker, shown: Portrait) -> None:
    """A line that appears on an open page once there is a newer look than it shows."""
    with ui.row().classes("hw-card w-full q-pa-sm items-center gap-3").props("role=alert") as line:
        ui.label(say("There is a newer look."))
        ui.button(say("Show it"), on_click=ui.navigate.reload).props("no-caps dense outline")
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


def _verdict(say: Speaker, verdict: ReleaseVerdict) -> None:
    """One sentence, and a way to each metric."""
    release = verdict.release
    with card(f"{release.model} {release.version}"):
        with ui.row().classes("items-center gap-3 no-wrap"):
            if verdict.verdict:
                ui.badge(say.word(verdict.verdict), color=COLORS.get(verdict.verdict, "grey-7")).classes(
                    "text-sm q-pa-sm"
                )
            ui.label(verdict.says.replace("95 %", "95\N{NO-BREAK SPACE}%")).classes("text-lg min-w-0").style(
                "overflow-wrap: anywhere"
            ).props("role=status")
        if len(verdict.metrics) > 1:
            with ui.row().classes("gap-x-4 gap-y-1"):
                for one in verdict.metrics:
                    said = say(
                        "{metric}: {verdict}",
                        metric=metric_words(one.look.metric, say),
                        verdict=say.word(one.look.verdict),
                    )
                    ui.link(said, f"#{one.look.metric}").classes("hw-link")


def _identity(visit: Visit, say: Speaker, shown: Portrait) -> None:
    release = shown.release
    with card(say("The release")):
        facts(
            {
                say("Replaces"): release.replaces or say("whatever ran before"),
                say("Waves"): say.word(release.assignment),
                say("Status"): say.word(release.status),
                say("Released"): f"{moment(release.released_at)} UTC",
                say("Fixes"): say(", ").join(say.word(fix) for fix in release.fixes) or "–",
            }
            | ({say("Notes"): shown.notes} if shown.notes else {})
        )
        with ui.row().classes("gap-4"):
            asked = urlencode({"model": release.model, "version": release.version})
            ui.link(say("Devices on it"), f"/devices?{asked}").classes("hw-link")
            if shown.rollout:
                ui.link(say("Its roll-out"), f"/rollouts/{shown.rollout}").classes("hw-link")
            if shown.finding:
                ui.link(say("What was found about it"), f"/findings/{shown.finding}").classes("hw-link")
            if shown.series:
                ui.link(say("All looks as CSV"), f"/api/v1/releases/{release.id}/looks.csv").classes("hw-link")
        if visit.person.role in ENGINEERS and release.status != "withdrawn":
            _brakes(visit.context, say, release)


def _brakes(context: ApiContext, say: Speaker, release: Release) -> None:
    async def change(status: str) -> None:
        await perform(
            context,
            lambda c: releases.set_status(c, release.id, release.revision, status),
            say("The release is {status}", status=say.word(status)),
        )

    with ui.row().classes("gap-2"):
        if release.status == "paused":
            ui.button(say("Go on"), on_click=lambda: change("rolling")).props("no-caps outline")
        else:
            ui.button(say("Pause roll-out"), on_click=lambda: change("paused")).props("no-caps outline")
        ui.button(say("Withdraw"), on_click=lambda: change("withdrawn")).props("no-caps outline color=negative")


def _adoption(say: Speaker, shown: Portrait) -> None:
    """Who runs it, over time; looks of earlier versions did not tell it."""
    series = max((sample.looks for sample in shown.series.values()), key=len, default=())
    with card(say("Adoption")):
        told = [look for look in series if look.detail.get("adoption")]
        if told:
            on_it, of_model = told[-1].detail["adoption"]
            part = share(on_it / of_model if of_model else None, 0)
            ui.label(
                say(
                    "{part} of {all} devices of the model run it ({share}).",
                    part=f"{on_it:,}",
                    all=f"{of_model:,}",
                    share=part,
                )
            )
            adoption_chart(say, told)
        elif series:
            last = series[-1]
            ui.label(
                say(
                    "{new} devices were compared on it, {control} beside it.",
                    new=f"{last.devices_treatment:,}",
                    control=f"{last.devices_control:,}",
                )
            )
        else:
            sentence(say("No device has been seen on it."))


def _siblings(say: Speaker, release: Release, siblings: Sequence[Watched]) -> None:
    """The model's releases side by side: one row each, one column a metric."""
    metrics = list(dict.fromkeys(look.metric for one in siblings for look in one.looks))
    columns = [
        ("release", say("Release"), "left"),
        ("replaces", say("Replaces"), "left"),
        ("waves", say("Waves"), "left"),
        *((metric, metric_words(metric, say), "left") for metric in metrics),
    ]
    title = say("Releases of {model}", model=release.model)
    with card(title, say("Each against its own control; the newest look at each metric.")):
        table(columns, [_sibling(say, one) for one in siblings], links=("release",), badges=metrics)


def _sibling(say: Speaker, one: Watched) -> dict[str, Any]:
    cells = {
        "id": one.release.id,
        "release": one.release.version,
        "release_to": f"/releases/{one.release.id}",
        "replaces": one.release.replaces or "–",
        "waves": say.word(one.release.assignment),
    }
    for look in one.looks:
        cells[look.metric] = f"{say.word(look.verdict)} {ratio_words(look, say)}".strip()
        cells[f"{look.metric}_color"] = COLORS.get(look.verdict, "grey-7")
    return cells


def _load(context: ApiContext, say: Speaker, identifier: int) -> Portrait:
    with context.database.reading() as connection:
        release = releases.get(connection, identifier)
        notes = releases.notes_of(connection, identifier)
        rollout = rollouts.of_release(connection, identifier)
        found = findings.list_findings(connection, kind="cohort", subject=f"release:{identifier}", limit=1)
        series = sampled_looks(connection, identifier, most=POINTS)
    verdict = judged(release, [sample.newest for sample in series.values()], context.settings, say)
    siblings = load_watched(context, release.model)
    return Portrait(
        release,
        notes,
        verdict,
        series,
        siblings,
        rollout.id if rollout else None,
        next((one.id for one in found), None),
    )
