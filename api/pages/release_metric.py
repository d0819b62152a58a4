"""What was seen of one metric of a release: verdict, evidence, ratio, what would settle it, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from api.levels import ALONE, Bounds, watch_share
from api.pages.frame import card, facts
from api.pages.look_charts import evidence_chart, late_chart, ratio_chart
from api.pages.look_tables import contributors_table, strata_table
from api.pages.release_tests import placebo_says, tests_table
from api.pages.wording import COLORS, evidence, moment, number
from api.release_verdict import metric_words
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.settings import Settings
from hearthwatch.values import Release

OF_CONTROL = {"mean": "the control's", "first_event": "the hazard of the control"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One metric of a release: all its looks, oldest first (at least one), and what its ratio is held against."""

    release: Release
    series: Sequence[CohortLook]
    bounds: Bounds

    @property
    def last(self) -> CohortLook:
        """The newest look."""
        return self.series[-1]


def metric_card(shown: Shown, settings: Settings) -> None:
    """The card of one metric; what only some readers want is folded away."""
    last = shown.last
    with ui.element("section").classes("w-full").props(f"id={last.metric}"), card(metric_words(last.metric)):
        _verdict(last)
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
            if any(look.ratio for look in shown.series):
                _ratio(shown)
            _evidence(shown, settings)
        _decision(last.detail.get("decision"))
        _late(shown.series)
        facts(_behind_it(shown))
        _folded(shown, settings)


def _verdict(last: CohortLook) -> None:
    with ui.row().classes("items-center gap-3"):
        ui.badge(last.verdict.replace("_", " "), color=COLORS.get(last.verdict, "grey-7")).classes("text-sm q-pa-sm")
        if last.ratio:
            of_what = OF_CONTROL.get(str(last.detail.get("kind")), "the rate of the control")
            ui.label(f"× {number(last.ratio)} {of_what} ({number(last.low)} to {number(last.high)})")
    ui.label(last.why)


def _ratio(shown: Shown) -> None:
    bounds = shown.bounds
    with ui.column().classes("w-full gap-0 min-w-0"):
        _heading("Ratio to the control, in an interval that holds at all looks together")
        ratio_chart(shown.series, bounds)
        margin = f", and the margin {number(bounds.margin)}" if bounds.margin != 1.0 else ""
        _caption(
            f"Shaded green: as good as the control ({number(bounds.same_low)} to {number(bounds.same_high)}). Lines: 1{margin}."
        )


def _evidence(shown: Shown, settings: Settings) -> None:
    last = shown.last
    needed = last.detail.get("needed")
    with ui.column().classes("w-full gap-0 min-w-0"):
        _heading("Evidence that it is worse (e-process)")
        evidence_chart(shown.series, watch_share=watch_share(settings))
        among = f" Among all that is watched now it takes {needed:,.0f}." if needed else ""
        _caption(
            f"Now {evidence(last.e)}. A release that is no worse passes {ALONE:.0f} by chance at most once in twenty, "
            f"however often one looks.{among}"
        )


def _decision(decision: Mapping[str, Any] | None) -> None:
    """What would be needed for a decision."""
    if not decision or not decision.get("says"):
        return
    with ui.row().classes("items-baseline gap-2"):
        ui.label("What would settle it:").classes("font-semibold")
        ui.label(str(decision["says"]))


def _late(series: Sequence[CohortLook]) -> None:
    """The detector of late regressions, where the watch runs one."""
    late = series[-1].detail.get("late")
    if not late:
        return
    _heading("Late regression: has it become worse since?")
    since = f" since {str(late['since'])[:10]}" if late.get("since") else ""
    said = f"Alarm{since}: it became worse after it had begun well." if late.get("alarm") else "No alarm."
    ui.label(said).classes("text-negative" if late.get("alarm") else "")
    late_chart(series)
    _caption(
        f"The same evidence, begun anew every day and added up; now {evidence(late.get('e') or 0.0)}. Where nothing changes, "
        f"{late.get('threshold') or 180:.0f} is reached once in as many days of a metric, or less often."
    )


def _behind_it(shown: Shown) -> dict[str, str]:
    last = shown.last
    unit = str(last.detail.get("unit") or "")
    amounts = f"{number_of(last.events_treatment)} and {number_of(last.events_control)}"
    return {
        "Devices": f"{last.devices_treatment:,} on it, {last.devices_control:,} beside it",
        "Device-hours": f"{last.hours_treatment:,.0f} and {last.hours_control:,.0f}",
        ("Total" if last.detail.get("kind") == "mean" else "Events"): f"{amounts} {unit}".strip(),
        "Looked at": f"{moment(last.at)} UTC, {len(shown.series):,} looks",
    }


def _folded(shown: Shown, settings: Settings) -> None:
    detail = shown.last.detail
    if detail.get("strata"):
        with _fold("Where it shows", opened=shown.last.verdict == "worse"):
            ui.label("Each stratum against its own control at the same time.").classes("hw-quiet text-sm")
            strata_table(detail["strata"], less_is_worse=detail.get("direction") == "less")
    if detail.get("contributors"):
        with _fold("Which devices move it"):
            contributors_table(detail["contributors"])
    with _fold("How it was tested, and whether the devices were alike before"):
        tests_table(shown.last)
        for said in placebo_says(shown.release, shown.last, settings.cohort_guard):
            ui.label(said)


def _fold(title: str, *, opened: bool = False) -> ui.expansion:
    return ui.expansion(title, value=opened).classes("w-full").props("dense header-class=text-weight-medium")


def _heading(text: str) -> None:
    ui.label(text).classes("text-sm font-semibold").props("role=heading aria-level=3")


def _caption(text: str) -> None:
    ui.label(text).classes("hw-quiet text-xs")


def number_of(amount: float) -> str:
    """An amount of events, or of whatever a mean is of."""
    return f"{amount:,.0f}" if amount >= 100 or float(amount).is_integer() else f"{amount:,.2f}"
