"""Firmware: the releases and their verdicts, and the evidence of one of them over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.actions import perform
from api.pages.charts import band, lines
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.tables import table
from api.pages.wording import COLORS, moment, number
from api.security import ENGINEERS
from hearthwatch.records import cohort_looks, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.values import Release

COLUMNS = (
    ("release", "Release", "left"),
    ("verdict", "Verdict", "left"),
    ("ratio", "Rate against control", "right"),
    ("interval", "95 % at all times", "right"),
    ("e", "Evidence e", "right"),
    ("devices", "Devices new / control", "right"),
    ("status", "Status", "left"),
    ("assignment", "Waves", "left"),
    ("released", "Released", "left"),
)
GRAVITY = ("worse", "confounded", "too_early", "same", "better")


@dataclass(frozen=True, slots=True)
class Watched:
    """A release with its newest look per metric."""

    release: Release
    looks: Sequence[CohortLook]

    @property
    def gravest(self) -> CohortLook | None:
        """The look that a person should see first."""
        return min(self.looks, key=lambda look: (GRAVITY.index(look.verdict), -look.e), default=None)


async def releases_page(visit: Visit) -> None:
    """All releases, newest first, each with its gravest verdict."""
    watched = await visit.load(_load)
    if not watched:
        sentence("No releases yet. A maker's CI announces them by POST /api/v1/releases.")
        return
    table(COLUMNS, [row(one) for one in watched], links=("release",), badges=("verdict", "status"))


def row(one: Watched) -> dict[str, Any]:
    """A release as a row of a table."""
    look = one.gravest
    return {
        "id": one.release.id,
        "release": f"{one.release.model} {one.release.version}",
        "release_to": f"/releases/{one.release.id}",
        "verdict": look.verdict.replace("_", " ") if look else "",
        "verdict_color": COLORS.get(look.verdict) if look else None,
        "ratio": f"× {number(look.ratio)}" if look and look.ratio else "–",
        "interval": f"{number(look.low)} to {number(look.high)}" if look and look.low is not None else "–",
        "e": f"{look.e:.3g}" if look else "–",
        "devices": f"{look.devices_treatment} / {look.devices_control}" if look else "–",
        "status": one.release.status,
        "status_color": COLORS.get(one.release.status),
        "assignment": one.release.assignment,
        "released": moment(one.release.released_at),
    }


def _load(context: ApiContext) -> list[Watched]:
    with context.database.reading() as connection:
        known = releases.list_releases(connection)
        newest: Mapping[int, list[CohortLook]] = defaultdict(list)
        for look in cohort_looks.latest(connection):
            newest[look.release_id].append(look)
    ordered = sorted(known, key=lambda release: release.released_at, reverse=True)
    return [Watched(release, newest[release.id]) for release in ordered]


async def release_page(visit: Visit) -> None:
    """One release against its concurrent control: the evidence and the ratio, look by look."""
    release, looks = await visit.load(_load_one, number_in_path(visit.request, "release_id"))
    with card(f"{release.model} {release.version}"):
        facts(
            {
                "Replaces": release.replaces or "whatever ran before",
                "Waves": release.assignment,
                "Status": release.status,
                "Released": f"{moment(release.released_at)} UTC",
                "Fixes": ", ".join(release.fixes) or "–",
            }
        )
        ui.link("Devices on it", f"/devices?model={release.model}&version={release.version}").classes("hw-link")
        if visit.person.role in ENGINEERS and release.status != "withdrawn":
            _brakes(visit.context, release)
    by_metric: dict[str, list[CohortLook]] = defaultdict(list)
    for look in looks:
        by_metric[look.metric].append(look)
    if not by_metric:
        sentence("No look yet: it comes with the next full hour after a device runs this release.")
    for name, series in by_metric.items():
        _comparison(name, series)


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


def _comparison(name: str, series: Sequence[CohortLook]) -> None:
    last = series[-1]
    with card(name.replace("_", " "), last.why):
        with ui.row().classes("items-center gap-3"):
            ui.badge(last.verdict.replace("_", " "), color=COLORS.get(last.verdict, "grey-7")).classes(
                "text-sm q-pa-sm"
            )
            if last.ratio:
                ui.label(f"× {number(last.ratio)} the rate of the control ({number(last.low)} to {number(last.high)})")
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
            if any(look.ratio for look in series):
                _ratio_chart(series)
            with ui.column().classes("w-full gap-0"):
                ui.label("Evidence that it is worse (e-process)").classes("text-sm font-semibold")
                lines(
                    {"e": [(look.at, max(look.e, 1e-3)) for look in series]},
                    log=True,
                    marks={"1 in 20 by chance, ever": 20.0},
                )
        facts(
            {
                "Devices": f"{last.devices_treatment} on it, {last.devices_control} beside it",
                "Device-hours": f"{last.hours_treatment:,.0f} and {last.hours_control:,.0f}",
                "Events": f"{last.events_treatment:,.0f} and {last.events_control:,.0f}",
                "Looked at": f"{moment(last.at)} UTC, {len(series)} looks",
            }
        )


def _ratio_chart(series: Sequence[CohortLook]) -> None:
    with ui.column().classes("w-full gap-0"):
        ui.label("Rate ratio and its interval (valid at all looks)").classes("text-sm font-semibold")
        band(
            [(look.at, look.ratio) for look in series],
            [(look.at, look.low) for look in series],
            [(look.at, look.high) for look in series],
            name="ratio",
            marks={"as good as the control": 1.0},
        )


def _load_one(context: ApiContext, identifier: int) -> tuple[Release, list[CohortLook]]:
    with context.database.reading() as connection:
        return releases.get(connection, identifier), list(cohort_looks.list_looks(connection, identifier))
