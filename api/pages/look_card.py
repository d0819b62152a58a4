"""The card of one metric of a comparison: verdict, evidence, ratio, what would settle it, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from api.levels import ALONE, Bounds, bounds, watch_share
from api.pages.frame import card, facts
from api.pages.language import Speaker
from api.pages.look_charts import Looked, evidence_chart, late_chart, ratio_chart
from api.pages.look_tables import contributors_table, strata_table
from api.pages.look_tests import tests_table
from api.pages.wording import COLORS, evidence, moment, number
from api.release_verdict import late_adds, late_says, metric_words
from hearthwatch.settings import Settings

OPEN = ("too_early", "confounded")


def look_card(
    say: Speaker, series: Sequence[Looked], settings: Settings, *, alike: Sequence[str] = (), total: int | None = None
) -> None:
    """The card of one metric of any comparison; what only some readers want is folded away.

    ``series`` are its looks, oldest first, at least one. ``alike`` are sentences that tell whether the arms were alike before;
    ``total`` is how many looks there were, where ``series`` is a sample of them.
    """
    last = series[-1]
    with ui.element("section").classes("w-full").props(f"id={last.metric}"), card(metric_words(last.metric, say)):
        _verdict(say, last)
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
            if any(look.ratio for look in series):
                _ratio(say, series, bounds(last.detail, settings))
            _evidence(say, series, settings)
        _decision(say, last)
        facts(_behind_it(say, last, total or len(series)))
        _late(say, series)
        _folded(say, last, alike)


def _verdict(say: Speaker, last: Looked) -> None:
    with ui.row().classes("items-center gap-3"):
        ui.badge(say.word(last.verdict), color=COLORS.get(last.verdict, "grey-7")).classes("text-sm q-pa-sm")
        if last.ratio:
            told = {"ratio": number(last.ratio), "low": number(last.low), "high": number(last.high)}
            ui.label(_effect(say, str(last.detail.get("kind")), told))
    ui.label(say.told(last.detail.get("said"), last.why))


def _effect(say: Speaker, kind: str, told: Mapping[str, str]) -> str:
    if kind == "mean":
        return say("× {ratio} the control's ({low} to {high})", **told)
    if kind == "first_event":
        return say("× {ratio} the hazard of the control ({low} to {high})", **told)
    return say("× {ratio} the rate of the control ({low} to {high})", **told)


def _ratio(say: Speaker, series: Sequence[Looked], held: Bounds) -> None:
    with ui.column().classes("w-full gap-0 min-w-0"):
        _heading(say("Ratio to the control, in an interval that holds at all looks together"))
        ratio_chart(say, series, held)
        margin = say(", and the margin {ratio}", ratio=number(held.margin)) if held.margin != 1.0 else ""
        _caption(
            say(
                "Shaded green: as good as the control ({low} to {high}). Lines: 1{margin}.",
                low=number(held.same_low),
                high=number(held.same_high),
                margin=margin,
            )
        )


def _evidence(say: Speaker, series: Sequence[Looked], settings: Settings) -> None:
    last = series[-1]
    needed = last.detail.get("needed")
    with ui.column().classes("w-full gap-0 min-w-0"):
        _heading(say("Evidence that it is worse (e-process)"))
        evidence_chart(say, series, watch_share=watch_share(settings))
        parts = [
            say("Now {e}.", e=evidence(last.e)) if last.e > 0 else say("No test may speak yet."),
            say(
                "A release that is no worse passes {e} by chance at most once in twenty, however often one looks.",
                e=f"{ALONE:.0f}",
            ),
        ]
        if needed:
            parts.append(say("Among all that is watched now it takes {e}.", e=f"{needed:,.0f}"))
        _caption(say.joined(parts))


def _decision(say: Speaker, last: Looked) -> None:
    """What would be needed for a decision, while there is none."""
    decision = last.detail.get("decision")
    if last.verdict not in OPEN or not decision or not decision.get("says") or decision["says"] in last.why:
        return
    with ui.row().classes("items-baseline gap-2"):
        ui.label(say("What would settle it:")).classes("font-semibold")
        ui.label(say.told([decision["said"]] if "said" in decision else None, str(decision["says"])))


def _late(say: Speaker, series: Sequence[Looked]) -> None:
    """The detector of late regressions, where the watch runs one."""
    last = series[-1]
    late = last.detail.get("late")
    if not late:
        return
    with _fold(say("Late regression: has it become worse since?"), opened=late_adds(last)):
        ui.label(late_says(last, say)).classes("text-negative" if late_adds(last) else "")
        late_chart(say, series)
        _caption(
            say(
                "The same evidence, begun anew every day and added up; now {e}. Where nothing changes, "
                "{threshold} is reached once in as many days of a metric, or less often.",
                e=say(evidence(late.get("e") or 0.0)),
                threshold=f"{late.get('threshold') or 180:.0f}",
            )
        )


def _behind_it(say: Speaker, last: Looked, total: int) -> dict[str, str]:
    told = {"new": number_of(last.events_treatment), "control": number_of(last.events_control)}
    unit = say.word(str(last.detail.get("unit") or ""))
    amounts = say("{new} and {control} {unit}", **told, unit=unit) if unit else say("{new} and {control}", **told)
    return {
        say("Devices"): say(
            "{new} on it, {control} beside it", new=f"{last.devices_treatment:,}", control=f"{last.devices_control:,}"
        ),
        say("Device-hours"): say(
            "{new} and {control}", new=f"{last.hours_treatment:,.0f}", control=f"{last.hours_control:,.0f}"
        ),
        (say("Total") if last.detail.get("kind") == "mean" else say("Events seen")): amounts,
        say("Looked at"): say("{at} UTC, {count} looks", at=moment(last.at), count=f"{total:,}"),
    }


def _folded(say: Speaker, last: Looked, alike: Sequence[str]) -> None:
    detail = last.detail
    mean = detail.get("kind") == "mean"
    if detail.get("strata"):
        with _fold(say("Where it shows"), opened=last.verdict == "worse"):
            ui.label(say("Each stratum against its own control at the same time.")).classes("hw-quiet text-sm")
            less = detail.get("direction") == "less"
            strata_table(say, detail["strata"], mean=mean, less_is_worse=less)
    if detail.get("contributors"):
        with _fold(say("Which devices move it")):
            contributors_table(say, detail["contributors"], mean=mean)
    with _fold(
        say("How it was tested, and whether the devices were alike before") if alike else say("How it was tested")
    ):
        tests_table(say, last)
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
