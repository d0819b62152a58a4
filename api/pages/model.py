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
from api.pages.language import Speaker, speaker
from api.pages.models import COLORS, decisions_table
from api.pages.tables import table, worded
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
    say = speaker(visit.request)
    report = await visit.load(_load, number_in_path(visit.request, "version_id"))
    _head(visit, say, report)
    _figures(say, report)
    told = report.card
    if told.get("intended_use") or told.get("limits"):
        with card(say("What it is for, and what not to conclude from it")):
            if told.get("intended_use"):
                ui.label(say.retell(str(told["intended_use"])))
            for limit in told.get("limits", ()):
                ui.label(f"• {say.retell(str(limit))}").classes("hw-quiet")
    _evidence(say, report)
    _race(say, report)
    with card(say("Its test"), say("On days and devices that the judged candidate had not learned from.")):
        pairs(worth(told, say)) if told.get("evaluation") else sentence(say("This kind of model has no such test."))
        _reliability(say, told.get("evaluation", {}).get("reliability", ()))
    _drift(say, report)
    with card(say("What was decided"), say("Of all versions of this name.")):
        decisions_table(say, report.decisions, named=False)
    with card(say("What it is made of")):
        pairs(facts(report, say))
        _others(say, told)
        with ui.expansion(say("{count} features", count=len(told.get("features", ())))).classes("w-full"):
            ui.label(", ".join(str(name) for name in told.get("features", ()))).classes("break-words text-sm")


def _head(visit: Visit, say: Speaker, report: ModelReport) -> None:
    with card(say("{name}, version {number}", name=report.name, number=report.id)):
        with ui.row().classes("items-center gap-3"):
            ui.badge(say.word(report.role), color=COLORS.get(report.role))
            ui.label(say(ROLES[report.role]) if report.role in ROLES else "")
        if report.unreadable:
            ui.label(say("It cannot be used: {why}.", why=say.retell(report.unreadable))).classes("text-negative")
        method = say.retell(str(report.card.get("method", "")))
        sentence(
            say("Trained {at} UTC. {method}.", at=moment(report.trained_at), method=method[:1].upper() + method[1:])
        )
        with ui.row().classes("items-center gap-4"):
            ui.link(say("Card (Markdown)"), f"/api/v1/models/{report.id}/card.md").classes("hw-link")
            ui.link(say("All of it (JSON)"), f"/api/v1/models/{report.id}").classes("hw-link")
            if visit.person.role in ENGINEERS and report.role != "champion" and not report.unreadable:
                _promote(visit, say, report)


def _promote(visit: Visit, say: Speaker, report: ModelReport) -> None:
    why = ui.input(say("Why"), placeholder=say("why it should work")).props("dense outlined maxlength=400")

    async def promote() -> None:
        reason = (why.value or "").strip()
        if not reason:
            ui.notify(say("Say why: it is written down with your name."), type="warning")
            return
        because = Because(visit.context.clock.now(), visit.person.name, reason)
        done = say("It is the champion now")
        await perform(visit.context, lambda c: promote_by_hand(c, report.id, because), done)

    ui.button(say("Make it the champion"), on_click=promote).props("no-caps outline")


def _figures(say: Speaker, report: ModelReport) -> None:
    test = report.card.get("evaluation", {}).get("test", {})
    kept = report.card.get("evaluation", {}).get("observed_expected") or {}
    with ui.row().classes("w-full gap-4"):
        if test.get("average_precision") is not None:
            age = number(report.card["evaluation"].get("baseline", {}).get("average_precision"))
            figure(say("Average precision"), number(test["average_precision"]), say("by age alone {value}", value=age))
        if kept.get("ratio") is not None:
            between = say("95 % {low} to {high}", low=number(kept["low"]), high=number(kept["high"]))
            figure(say("Observed / expected, in its test"), number(kept["ratio"]), between)
        seen = report.newest("calibration")
        month = seen.detail.get("horizons", {}).get("30") if seen else None
        if month:
            note = say(
                "failed within 30 days, where it said {expected}; {labels} labels",
                expected=number(month["expected"], 1),
                labels=f"{month['labels']:,}",
            )
            figure(say("At work"), f"{month['observed']:,}", note)
        visits = report.newest("no_fault")
        if visits and visits.detail.get("visits"):
            found = say("{part} of {whole}", part=visits.detail["no_fault"], whole=visits.detail["visits"])
            figure(say("Visits that found no fault"), found)
        held = report.held_out
        if held:
            note = say("failed with nobody told, where it said {expected}", expected=number(held.expected, 1))
            figure(say("Held out"), say("{part} of {whole}", part=held.failed, whole=held.known), note)


def _evidence(say: Speaker, report: ModelReport) -> None:
    series: dict[str, Points] = {}
    kinds = (("calibration", say("calibration")), ("no_fault", say("no fault found")), ("scores", say("scores")))
    for kind, name in kinds:
        points = [(one.at, max(one.e, SMALLEST_E)) for one in report.looks if one.kind == kind and one.e is not None]
        if points:
            series[name] = points
    note = say(
        "Evidence against it, day by day. A model that is right reaches the line once in twenty lives (scores: a hundred)."
    )
    with card(say("How it does at work"), note):
        if not series:
            sentence(say("Nothing yet: it is looked at once a day, while it is the champion."))
            return
        _over_time(series, say("acted upon"), say("Evidence against the model over time"))
        _by_firmware(say, report)
        for kind in ("calibration", "scores", "no_fault"):
            look = report.newest(kind)
            if look is not None and look.e is not None:
                told = say(
                    "{question} e {e}, acted upon from {alarm} on.",
                    question=say(QUESTIONS[kind]),
                    e=evidence(look.e),
                    alarm=f"{ALARMS[kind]:g}",
                )
                sentence(told)


def _by_firmware(say: Speaker, report: ModelReport) -> None:
    seen = report.newest("calibration")
    rows = seen.detail.get("by_firmware", ()) if seen else ()
    if rows:
        told = [
            {**one, "id": place, "firmware": one["firmware"] or say("unknown"), "expected": number(one["expected"], 1)}
            for place, one in enumerate(rows)
        ]
        table(worded(say, FIRMWARES), told)


def _race(say: Speaker, report: ModelReport) -> None:
    looks = [one for one in report.looks if one.kind == "race"]
    if not looks:
        return
    last = looks[-1].detail
    with card(
        say("Its race"),
        say(
            "Against version {number}, on the same devices and days, of which the outcome is known.",
            number=last.get("against"),
        ),
    ):
        series: dict[str, Points] = {
            say("better"): [(one.at, max(float(one.detail["e_better"]), SMALLEST_E)) for one in looks],
            say("worse"): [(one.at, max(float(one.detail["e_worse"]), SMALLEST_E)) for one in looks],
        }
        label = say("Evidence that the challenger is better, and that it is worse")
        _over_time(series, say("decided"), label)
        pairs(
            {
                say("Outcomes known"): say(
                    "{rows} of {devices} devices, {failing} of which failed",
                    rows=f"{last['rows']:,}",
                    devices=f"{last['devices']:,}",
                    failing=last["failing"],
                ),
                say("Log loss"): say(
                    "{own}; of the champion {champion}",
                    own=number(last["loss_challenger"], 5),
                    champion=number(last["loss_champion"], 5),
                ),
                say("Precision"): say(
                    "{own} of the 5 in 1,000 that it would name each week; of the champion {champion}",
                    own=share(last["precision_challenger"]),
                    champion=share(last["precision_champion"]),
                ),
            }
        )


def _over_time(series: Mapping[str, Points], mark: str, label: str) -> None:
    """Evidence on a logarithmic axis that always reaches beyond the line at which something is done."""
    drawn = [line(name, points, PALETTE[place]) for place, (name, points) in enumerate(series.items())]
    drawn[0]["markLine"] = mark_lines({mark: ALARMS["calibration"]}, {})
    highest = max(value for points in series.values() for _, value in points if value is not None)
    show(options(drawn, log=10, low=SMALLEST_E, high=max(100.0, 2 * highest)), label=label)


def _reliability(say: Speaker, bands: Sequence[Mapping[str, Any]]) -> None:
    if not bands:
        return
    rows = [
        {
            **band,
            "id": place,
            "band": say("{low} to {high}", low=share(band["from"]), high=share(band["to"])),
            "said": share(band["said"], 2),
            "came": share(band["came"], 2),
        }
        for place, band in enumerate(bands)
    ]
    table(worded(say, BANDS), rows)


def _drift(say: Speaker, report: ModelReport) -> None:
    look = report.newest("features")
    if look is None:
        return
    note = say(
        "Against its training, once a week; only shown, nothing is done about it. Above 0.1 is worth a look, above 0.25 is much."
    )
    with card(say("What it looks at, on {day}", day=f"{look.at:%Y-%m-%d}"), note):
        if not look.detail.get("columns"):
            sentence(say("Too few devices to compare."))
            return
        table(worded(say, SHIFTS), [_shift(say, one) for one in look.detail["columns"]])
        for firmware, told in look.detail.get("by_firmware", {}).items():
            moved = ", ".join(f"{one['column']} {one['psi']:.2f}" for one in told["columns"])
            told_of = say(
                "Firmware {firmware} ({count} devices): {moved}",
                firmware=firmware or say("unknown"),
                count=f"{told['devices']:,}",
                moved=moved,
            )
            sentence(told_of)


def _shift(say: Speaker, one: Mapping[str, Any]) -> dict[str, Any]:
    means = say("much") if one["psi"] > 0.25 else say("worth a look") if one["psi"] > 0.1 else ""
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


def _others(say: Speaker, told: Mapping[str, Any]) -> None:
    """What a card holds beyond what every card has."""
    more = {
        say.word(name): say.retell(str(value))
        for name, value in told.items()
        if name not in _KNOWN and isinstance(value, (int, float, str)) and value != ""
    }
    if more:
        pairs(more)
    for name, value in told.items():
        if name not in _KNOWN and isinstance(value, list) and value and isinstance(value[0], Mapping):
            ui.label(say.word(name)).classes("hw-quiet text-sm")
            given = [(key, say.word(key), "right") for key in value[0]]
            table(given, [{"id": place, **one} for place, one in enumerate(value)])


def _load(context: ApiContext, version: int) -> ModelReport:
    with context.database.reading() as connection:
        return read_report(connection, version, context.clock.now())
