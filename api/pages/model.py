"""One trained model: its card, how it keeps its word, its race, its drift, and what was decided of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from analytics.model_life.promotion import promote_by_hand
from analytics.model_life.report import ALARMS, QUESTIONS, ModelReport, facts, read_report, worth
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.charts import PALETTE, Points, line, mark_lines, options, show
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, figure, sentence
from api.pages.frame import facts as pairs
from api.pages.models import COLORS, decisions_table
from api.pages.tables import table
from api.pages.wording import evidence, moment, number, share
from api.security import ENGINEERS
from hearthwatch.records.model_versions import Because

ROLES = {
    "champion": "It works: what is said of devices comes from it.",
    "challenger": "It waits. It is scored beside the champion, and nobody hears it, until it has shown to be better.",
    "retired": "It is out of work.",
}
SMALLEST_E = 1e-2
BANDS = (
    ("band", "Said", "left"),
    ("rows", "Device-days", "right"),
    ("failing_devices", "Failing devices", "right"),
    ("said", "Said, mean", "right"),
    ("came", "Came", "right"),
)
FIRMWARES = (
    ("firmware", "Firmware that day", "left"),
    ("labels", "Outcomes known", "right"),
    ("observed", "Failed within 30 days", "right"),
    ("expected", "Said", "right"),
)
SHIFTS = (
    ("column", "Looks at", "left"),
    ("psi", "Stability index", "right"),
    ("js", "Jensen-Shannon", "right"),
    ("means", "", "left"),
)


async def model_page(visit: Visit) -> None:
    """Everything that is known of one version."""
    report = await visit.load(_load, number_in_path(visit.request, "version_id"))
    _head(visit, report)
    _figures(report)
    told = report.card
    if told.get("intended_use") or told.get("limits"):
        with card("What it is for, and what not to conclude from it"):
            if told.get("intended_use"):
                ui.label(str(told["intended_use"]))
            for limit in told.get("limits", ()):
                ui.label(f"• {limit}").classes("hw-quiet")
    _evidence(report)
    _race(report)
    with card("Its test", "On days and devices that the judged candidate had not learned from."):
        pairs(worth(told)) if told.get("evaluation") else sentence("This kind of model has no such test.")
        _reliability(told.get("evaluation", {}).get("reliability", ()))
    _drift(report)
    with card("What was decided", "Of all versions of this name."):
        decisions_table(report.decisions, named=False)
    with card("What it is made of"):
        pairs(facts(report))
        _others(told)
        with ui.expansion(f"{len(told.get('features', ()))} features").classes("w-full"):
            ui.label(", ".join(str(name) for name in told.get("features", ()))).classes("break-words text-sm")


def _head(visit: Visit, report: ModelReport) -> None:
    with card(f"{report.name}, version {report.id}"):
        with ui.row().classes("items-center gap-3"):
            ui.badge(report.role, color=COLORS.get(report.role))
            ui.label(ROLES.get(report.role, ""))
        if report.unreadable:
            ui.label(f"It cannot be used: {report.unreadable}.").classes("text-negative")
        sentence(f"Trained {moment(report.trained_at)} UTC. {str(report.card.get('method', '')).capitalize()}.")
        with ui.row().classes("items-center gap-4"):
            ui.link("Card (Markdown)", f"/api/v1/models/{report.id}/card.md").classes("hw-link")
            ui.link("All of it (JSON)", f"/api/v1/models/{report.id}").classes("hw-link")
            if visit.person.role in ENGINEERS and report.role != "champion" and not report.unreadable:
                _promote(visit, report)


def _promote(visit: Visit, report: ModelReport) -> None:
    why = ui.input("Why", placeholder="why it should work").props("dense outlined maxlength=400")

    async def promote() -> None:
        reason = (why.value or "").strip()
        if not reason:
            ui.notify("Say why: it is written down with your name.", type="warning")
            return
        because = Because(visit.context.clock.now(), visit.person.name, reason)
        done = "It is the champion now"
        await perform(visit.context, lambda c: promote_by_hand(c, report.id, because), done)

    ui.button("Make it the champion", on_click=promote).props("no-caps outline")


def _figures(report: ModelReport) -> None:
    test = report.card.get("evaluation", {}).get("test", {})
    kept = report.card.get("evaluation", {}).get("observed_expected") or {}
    with ui.row().classes("w-full gap-4"):
        if test.get("average_precision") is not None:
            age = number(report.card["evaluation"].get("baseline", {}).get("average_precision"))
            figure("Average precision", number(test["average_precision"]), f"by age alone {age}")
        if kept.get("ratio") is not None:
            between = f"95 % {number(kept['low'])} to {number(kept['high'])}"
            figure("Observed / expected, in its test", number(kept["ratio"]), between)
        seen = report.newest("calibration")
        month = seen.detail.get("horizons", {}).get("30") if seen else None
        if month:
            note = f"failed within 30 days, where it said {number(month['expected'], 1)}; {month['labels']:,} labels"
            figure("At work", f"{month['observed']:,}", note)
        visits = report.newest("no_fault")
        if visits and visits.detail.get("visits"):
            figure("Visits that found no fault", f"{visits.detail['no_fault']} of {visits.detail['visits']}")
        held = report.held_out
        if held:
            note = f"failed with nobody told, where it said {number(held.expected, 1)}"
            figure("Held out", f"{held.failed} of {held.known}", note)


def _evidence(report: ModelReport) -> None:
    series: dict[str, Points] = {}
    for kind, name in (("calibration", "calibration"), ("no_fault", "no fault found"), ("scores", "scores")):
        points = [(one.at, max(one.e, SMALLEST_E)) for one in report.looks if one.kind == kind and one.e is not None]
        if points:
            series[name] = points
    note = "Evidence against it, day by day. A model that is right reaches the line once in twenty lives (scores: a hundred)."
    with card("How it does at work", note):
        if not series:
            sentence("Nothing yet: it is looked at once a day, while it is the champion.")
            return
        _over_time(series, "acted upon", "Evidence against the model over time")
        _by_firmware(report)
        for kind in ("calibration", "scores", "no_fault"):
            look = report.newest(kind)
            if look is not None and look.e is not None:
                sentence(f"{QUESTIONS[kind]} e {evidence(look.e)}, acted upon from {ALARMS[kind]:g} on.")


def _by_firmware(report: ModelReport) -> None:
    seen = report.newest("calibration")
    rows = seen.detail.get("by_firmware", ()) if seen else ()
    if rows:
        told = [
            {**one, "id": place, "firmware": one["firmware"] or "unknown", "expected": number(one["expected"], 1)}
            for place, one in enumerate(rows)
        ]
        table(FIRMWARES, told)


def _race(report: ModelReport) -> None:
    looks = [one for one in report.looks if one.kind == "race"]
    if not looks:
        return
    last = looks[-1].detail
    with card(
        "Its race",
        f"Against version {last.get('against')}, on the same devices and days, of which the outcome is known.",
    ):
        series: dict[str, Points] = {
            "better": [(one.at, max(float(one.detail["e_better"]), SMALLEST_E)) for one in looks],
            "worse": [(one.at, max(float(one.detail["e_worse"]), SMALLEST_E)) for one in looks],
        }
        _over_time(series, "decided", "Evidence that the challenger is better, and that it is worse")
        pairs(
            {
                "Outcomes known": f"{last['rows']:,} of {last['devices']:,} devices, {last['failing']} of which failed",
                "Log loss": f"{number(last['loss_challenger'], 5)}; of the champion {number(last['loss_champion'], 5)}",
                "Precision": f"{share(last['precision_challenger'])} of the 5 in 1,000 that it would name each week; "
                f"of the champion {share(last['precision_champion'])}",
            }
        )


def _over_time(series: Mapping[str, Points], mark: str, label: str) -> None:
    """Evidence on a logarithmic axis that always reaches beyond the line at which something is done."""
    drawn = [line(name, points, PALETTE[place]) for place, (name, points) in enumerate(series.items())]
    drawn[0]["markLine"] = mark_lines({mark: ALARMS["calibration"]}, {})
    highest = max(value for points in series.values() for _, value in points if value is not None)
    show(options(drawn, log=10, low=SMALLEST_E, high=max(100.0, 2 * highest)), label=label)


def _reliability(bands: Sequence[Mapping[str, Any]]) -> None:
    if not bands:
        return
    rows = [
        {
            **band,
            "id": place,
            "band": f"{share(band['from'])} to {share(band['to'])}",
            "said": share(band["said"], 2),
            "came": share(band["came"], 2),
        }
        for place, band in enumerate(bands)
    ]
    table(BANDS, rows)


def _drift(report: ModelReport) -> None:
    look = report.newest("features")
    if look is None:
        return
    note = "Against its training, once a week; only shown, nothing is done about it. Above 0.1 is worth a look, above 0.25 is much."
    with card(f"What it looks at, on {look.at:%Y-%m-%d}", note):
        if not look.detail.get("columns"):
            sentence("Too few devices to compare.")
            return
        table(SHIFTS, [_shift(one) for one in look.detail["columns"]])
        for firmware, told in look.detail.get("by_firmware", {}).items():
            moved = ", ".join(f"{one['column']} {one['psi']:.2f}" for one in told["columns"])
            sentence(f"Firmware {firmware or 'unknown'} ({told['devices']:,} devices): {moved}")


def _shift(one: Mapping[str, Any]) -> dict[str, Any]:
    means = "much" if one["psi"] > 0.25 else "worth a look" if one["psi"] > 0.1 else ""
    return {**one, "id": one["column"], "psi": number(one["psi"]), "js": number(one["js"]), "means": means}


_KNOWN = frozenset(
    {
        *(
            "model",
            "part",
            "method",
            "intervals_days",
            "horizons_days",
            "data_from",
            "data_until",
            "devices",
            "device_days",
        ),
        *("rows", "failures", "features", "calibration", "evaluation", "beats_age_alone", "intended_use", "limits"),
        *("provenance", "seed"),
    }
)


def _others(told: Mapping[str, Any]) -> None:
    """What a card holds beyond what every card has."""
    more = {
        name.replace("_", " "): str(value)
        for name, value in told.items()
        if name not in _KNOWN and isinstance(value, (int, float, str)) and value != ""
    }
    if more:
        pairs(more)
    for name, value in told.items():
        if name not in _KNOWN and isinstance(value, list) and value and isinstance(value[0], Mapping):
            ui.label(name.replace("_", " ")).classes("hw-quiet text-sm")
            given = [(key, key.replace("_", " "), "right") for key in value[0]]
            table(given, [{"id": place, **one} for place, one in enumerate(value)])


def _load(context: ApiContext, version: int) -> ModelReport:
    with context.database.reading() as connection:
        return read_report(connection, version, context.clock.now())
