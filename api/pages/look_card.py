"""The card of one metric of a comparison: verdict, evidence, ratio, what would settle it, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from api.levels import ALONE, Bounds, bounds, watch_share
from api.pages.frame import card, facts
from api.pages.look_charts import Looked, evidence_chart, late_chart, ratio_chart
from api.pages.look_tables import contributors_table, strata_table
from api.pages.look_tests import tests_table
from api.pages.wording import COLORS, evidence, moment, number
from api.release_verdict import late_adds, late_says, metric_words
from hearthwatch.settings import Settings

OF_CONTROL = {"mean": "the control's", "first_event": "the hazard of the control"}


OPEN = ("too_early", "confounded")


def look_card(
    series: Sequence[Looked], settings: Settings, *, alike: Sequence[str] = (), total: int | None = None
) -> None:
    """The card of one metric of any comparison; what only some readers want is folded away.

    ``series`` are its looks, oldest first, at least one. ``alike`` are sentences that tell whether the arms were alike before;
    ``total`` is how many looks there were, where ``series`` is a sample of them.
    """
    last = series[-1]
    with ui.element("section").classes("w-full").props(f"id={last.metric}"), card(metric_words(last.metric)):
        _verdict(last)
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
            if any(look.ratio for look in series):
                _ratio(series, bounds(last.detail, settings))
            _evidence(series, settings)
        _decision(last)
        facts(_behind_it(last, total or len(series)))
        _late(series)
        _folded(last, alike)


def _verdict(last: Looked) -> None:
    with ui.row().classes("items-center gap-3"):
        ui.badge(last.verdict.replace("_", " "), color=COLORS.get(last.verdict, "grey-7")).classes("text-sm q-pa-sm")
        if last.ratio:
            of_what = OF_CONTROL.get(str(last.detail.get("kind")), "the rate of the control")
            ui.label(f"× {number(last.ratio)} {of_what} ({number(last.low)} to {number(last.high)})")
    ui.label(last.why)


def _ratio(series: Sequence[Looked], held: Bounds) -> None:
    with ui.column().classes("w-full gap-0 min-w-0"):
        _heading("Ratio to the control, in an interval that holds at all looks together")
        ratio_chart(series, held)
        margin = f", and the margin {number(held.margin)}" if held.margin != 1.0 else ""
        _caption(
            f"Shaded green: as good as the control ({number(held.same_low)} to {number(held.same_high)}). Lines: 1{margin}."
        )


def _evidence(series: Sequence[Looked], settings: Settings) -> None:
    last = series[-1]
    needed = last.detail.get("needed")
    with ui.column().classes("w-full gap-0 min-w-0"):
        _heading("Evidence that it is worse (e-process)")
        evidence_chart(series, watch_share=watch_share(settings))
        among = f" Among all that is watched now it takes {needed:,.0f}." if needed else ""
        now = f"Now {evidence(last.e)}." if last.e > 0 else "No test may speak yet."
        _caption(
            f"{now} A release that is no worse passes {ALONE:.0f} by chance at most once in twenty, "
            f"however often one looks.{among}"
        )


def _decision(last: Looked) -> None:
    """What would be needed for a decision, while there is none."""
    decision = last.detail.get("decision")
    if last.verdict not in OPEN or not decision or not decision.get("says") or decision["says"] in last.why:
        return
    with ui.row().classes("items-baseline gap-2"):
        ui.label("What would settle it:").classes("font-semibold")
        ui.label(str(decision["says"]))


def _late(series: Sequence[Looked]) -> None:
    """The detector of late regressions, where the watch runs one."""
    last = series[-1]
    late = last.detail.get("late")
    if not late:
        return
    with _fold("Late regression: has it become worse since?", opened=late_adds(last)):
        ui.label(late_says(last)).classes("text-negative" if late_adds(last) else "")
        late_chart(series)
        _caption(
            f"The same evidence, begun anew every day and added up; now {evidence(late.get('e') or 0.0)}. Where nothing changes, "
            f"{late.get('threshold') or 180:.0f} is reached once in as many days of a metric, or less often."
        )


def _behind_it(last: Looked, total: int) -> dict[str, str]:
    unit = str(last.detail.get("unit") or "")
    amounts = f"{number_of(last.events_treatment)} and {number_of(last.events_control)}"
    return {
        "Devices": f"{last.devices_treatment:,} on it, {last.devices_control:,} beside it",
        "Device-hours": f"{last.hours_treatment:,.0f} and {last.hours_control:,.0f}",
        ("Total" if last.detail.get("kind") == "mean" else "Events"): f"{amounts} {unit}".strip(),
        "Looked at": f"{moment(last.at)} UTC, {total:,} looks",
    }


def _folded(last: Looked, alike: Sequence[str]) -> None:
    detail = last.detail
    amounts = "Events" if detail.get("kind") != "mean" else "Amount"
    if detail.get("strata"):
        with _fold("Where it shows", opened=last.verdict == "worse"):
            ui.label("Each stratum against its own control at the same time.").classes("hw-quiet text-sm")
            strata_table(detail["strata"], amounts=amounts, less_is_worse=detail.get("direction") == "less")
    if detail.get("contributors"):
        with _fold("Which devices move it"):
            contributors_table(detail["contributors"], amounts=amounts)
    with _fold("How it was tested, and whether the devices were alike before" if alike else "How it was tested"):
        tests_table(last)
        for said in alike:
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
