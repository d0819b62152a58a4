"""One backtest: the answer in words and figures, what a budget buys, examples with reasons, and how the data are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages import backtest_charts
from api.pages.actions import perform
from api.pages.backtests import STATE_COLORS
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, figure, sentence
from api.pages.going_on import watch
from api.pages.tables import Column, Row, table
from api.pages.wording import day, moment
from api.security import ENGINEERS
from hearthwatch.records import audit, backtests
from hearthwatch.records.backtests import OPEN, Backtest

BUDGETS: Sequence[Column] = (
    ("budget", "Alerts per 1,000 device-weeks", "right"),
    ("foretold", "Foretold", "right"),
    ("lead", "Half of them ahead by", "right"),
    ("false", "False per 1,000", "right"),
    ("precision", "Alerts that were right", "right"),
    ("age", "By age alone", "right"),
)
SCORES: Sequence[Column] = (
    ("of", "Of", "left"),
    ("average_precision", "Average precision", "right"),
    ("auc", "AUC", "right"),
    ("brier", "Brier", "right"),
    ("ece", "ECE", "right"),
    ("observed_expected", "Observed / expected", "right"),
)
REMARKS: Sequence[Column] = (
    ("said", "What", "left"),
    ("done", "What was done", "left"),
    ("where", "For example", "left"),
)
EXAMPLES = {
    "foretold": ("Foretold", "The surest first."),
    "missed": ("Missed", "Those that came nearest to an alert, and those that were farthest from one."),
    "false": ("False alarms", "The surest of those that did not fail within the horizon."),
}


async def backtest_page(visit: Visit) -> None:
    """One backtest."""
    one = await visit.load(_load, number_in_path(visit.request, "backtest_id"))
    _head(visit, one)
    report = one.report
    if report is None:
        return
    if report.get("answer"):
        _answer(report)
        _pictures(report)
        _tables(report)
        _examples(report["examples"])
    _refused(report["refused"])
    _quality(one, report["quality"])
    _further(one, report)


def _head(visit: Visit, one: Backtest) -> None:
    with card(one.folder):
        with ui.row().classes("items-center gap-3"):
            ui.badge(one.state, color=STATE_COLORS[one.state]).classes("text-sm q-pa-sm")
            progress = ui.label(one.progress or (one.why or "")).classes("min-w-0 break-words").props("role=status")
        took = (
            f"{(one.finished_at - one.started_at).total_seconds():.0f} s" if one.started_at and one.finished_at else "–"
        )
        facts(
            {
                "Mapping": one.mapping_file,
                "A failure counts within": f"{one.horizon_days} days",
                "Learned until": _cut(one),
                "Asked": f"{moment(one.asked_at)} UTC by {one.asked_by}",
                "Took": took,
            }
        )
        if visit.person.role in ENGINEERS and one.state not in OPEN:
            _again(visit, one)
    if one.state in OPEN:
        watch(visit, {one.id: one.state}, backtests.get, progress)


def _cut(one: Backtest) -> str:
    told = (one.report or {}).get("cut")
    return str(told)[:10] if told else day(one.cut) if one.cut else "60 % of the span"


def _again(visit: Visit, one: Backtest) -> None:
    async def again() -> None:
        now, name = visit.context.clock.now(), visit.person.name

        def work(connection: Any) -> None:
            backtests.again(connection, one.id, one.revision, now)
            audit.note(connection, at=now, actor=name, action="backtest.again", object=f"backtest:{one.id}")

        await perform(visit.context, work, "It waits for its turn")

    if one.asked_by != "command":
        ui.button("Start again", on_click=again).props("no-caps outline")


def _answer(report: Mapping[str, Any]) -> None:
    answer = report["answer"]
    lead = answer["lead_days"]
    with card("The answer"):
        for place, words in enumerate(answer["words"]):
            ui.label(words).classes("text-lg" if place == 0 else "").style("overflow-wrap: anywhere")
    with ui.row().classes("w-full gap-4"):
        share = f"{answer['share']:.0%} of those that could be judged" if answer["share"] is not None else ""
        figure("foretold", f"{answer['foretold']} of {answer['of']}", share)
        early = f"nine of ten: {lead['p10']:.1f} days or more" if lead["p10"] is not None else "half of them, or more"
        figure("days ahead", _number(lead["median"], ".1f"), early)
        figure("false alarms", _number(answer["false_per_1000_device_weeks"], ".1f"), "per 1,000 device-weeks")
        figure("by age alone", f"{answer['by_age']} of {answer['of']}", "without telemetry, at as many alerts")


def _pictures(report: Mapping[str, Any]) -> None:
    with ui.element("div").classes("grid grid-cols-1 md:grid-cols-2 gap-4 w-full"):
        with card("What a budget buys", "Failures foretold at each budget of alerts."):
            backtest_charts.by_budget(report["budgets"])
        with card("How early", "Days from the first alert to the failure."):
            if report["lead_days"]:
                backtest_charts.by_lead(report["lead_days"])
            else:
                sentence("No failure was foretold.")
        with card("When", "Each week after the model stopped learning."):
            backtest_charts.by_week(report["weeks"])
        with card(
            "Do risks come true?", "Each point is a band of device-days; on the line as many failed as was said."
        ):
            if report["calibration"]:
                backtest_charts.by_risk(report["calibration"])
            else:
                sentence("Too few failures to tell.")


def _tables(report: Mapping[str, Any]) -> None:
    with card("Budgets"):
        table(BUDGETS, [_budget(one) for one in report["budgets"]], key="budget")
    for title, key in (("By model", "by_model"), ("By part", "by_part")):
        if report[key]:
            columns: Sequence[Column] = (
                ("name", title.removeprefix("By ").capitalize(), "left"),
                ("foretold", "Foretold", "right"),
                ("share", "Share", "right"),
                ("lead", "Half of them ahead by", "right"),
            )
            with card(title):
                table(columns, [_group(one) for one in report[key]], key="name")
    with card("Scores", "Of probabilities, device-day by device-day."):
        names = {"All devices": "test", "Devices never seen in training": "unseen_devices", "By age alone": "baseline"}
        rows = [{"of": name, **_scores(report[key])} for name, key in names.items() if report[key]]
        table(SCORES, rows, key="of")
    if report["reasons"]:
        with card("What raises the risk", "Share of what sets the riskiest device-days apart."):
            facts({one["metric"]: f"{one['share']:.0%}" for one in report["reasons"]})


def _budget(one: Mapping[str, Any]) -> Row:
    return {
        "budget": f"{one['budget']:g}",
        "foretold": f"{one['foretold']} of {one['of']}",
        "lead": _days(one["lead_days_median"]),
        "false": _number(one["false_per_1000_device_weeks"], ".1f"),
        "precision": _number(one["precision"], ".0%"),
        "age": f"{one['by_age']}",
    }


def _group(one: Mapping[str, Any]) -> Row:
    return {
        "name": one["name"] or "(none)",
        "foretold": f"{one['foretold']} of {one['failures']}",
        "share": f"{one['share']:.0%}",
        "lead": _days(one["lead_days_median"]),
    }


def _scores(scores: Mapping[str, Any]) -> dict[str, str]:
    forms = {"average_precision": ".3f", "auc": ".3f", "brier": ".5f", "ece": ".5f", "observed_expected": ".2f"}
    return {name: _number(scores.get(name), form) for name, form in forms.items()}


def _examples(examples: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for name, (title, note) in EXAMPLES.items():
        if not examples[name]:
            continue
        with card(title, note), ui.element("div").classes("grid grid-cols-1 lg:grid-cols-2 gap-4 w-full"):
            for one in examples[name]:
                _example(name, one)


def _example(name: str, one: Mapping[str, Any]) -> None:
    with ui.column().classes("gap-0 min-w-0"):
        model = f" · {one['model']}" if one["model"] else ""
        ui.label(f"{one['device']}{model}").classes("font-semibold").style("overflow-wrap: anywhere")
        if name == "foretold":
            ahead = f"{one['lead_days']} day{'' if one['lead_days'] == 1 else 's'} ahead"
            ui.label(
                f"flagged {one['flagged_on']}, failed {one['failed_on']}: {ahead}, at a risk of {one['probability']:.1%}"
            )
        elif name == "missed":
            ui.label(
                f"failed {one['failed_on']}; its highest risk was {one['probability']:.2%}, on {one['highest_on']}"
            )
            ui.label(one["why"]).classes("hw-quiet")
        else:
            ui.label(f"flagged from {one['flagged_on']} to {one['until']}, at a risk of {one['probability']:.1%}")
        for reason in one["reasons"]:
            ui.label(f"– {reason['text']}").classes("text-sm").style("overflow-wrap: anywhere")


def _refused(refused: Sequence[Mapping[str, Any]]) -> None:
    if not refused:
        return
    with card("Not given", "Figures that there is too little to judge by, and what is missing."):
        columns: Sequence[Column] = (
            ("figure", "Figure", "left"),
            ("why", "Why", "left"),
            ("missing", "Missing", "left"),
        )
        table(columns, [dict(one) for one in refused], prose=("why",), key="figure").props("wrap-cells")


def _quality(one: Backtest, quality: Mapping[str, Any]) -> None:
    with card("The data"):
        facts(
            {
                "Files": f"{quality['files']:,}",
                "Rows": f"{quality['rows']:,}, of which {quality['readings']:,} were taken",
                "Left out": f"{quality['rejected_rows']:,} rows and {quality['rejected_values']:,} single values",
                "Span": f"{quality['days']:,} days, {quality['device_days']:,} device-days",
            }
        )
        if quality["remarks"]:
            rows = [{"id": place, **_remark(remark)} for place, remark in enumerate(quality["remarks"])]
            table(REMARKS, rows, prose=("said", "done")).props("wrap-cells")
            ui.link("As CSV", f"/api/v1/backtests/{one.id}/remarks.csv").classes("hw-link")
        else:
            sentence("Nothing odd was found.")


def _remark(remark: Mapping[str, Any]) -> Row:
    row = f"row {remark['row']}" if remark["row"] else None
    column = f"column {remark['column']}" if remark["column"] else None
    parts = [part for part in (remark["file"], row, column, remark["example"]) if part]
    return {"said": remark["said"], "done": remark["done"], "where": ", ".join(parts)}


def _further(one: Backtest, report: Mapping[str, Any]) -> None:
    with card("Mapping"):
        ui.label(one.mapping).classes("text-sm font-mono whitespace-pre-wrap").style("overflow-wrap: anywhere")
    if report.get("answer"):
        with card("Go on", "Take this history in, and the platform learns from it from the next training on:"):
            folder = one.folder if one.asked_by == "command" else f"HISTORY_DIR/{one.folder}"
            mapping = one.mapping_file if one.asked_by == "command" else f"{folder}/{one.mapping_file}"
            command = f"hearthwatch import {shlex.quote(folder)} --mapping {shlex.quote(mapping)}"
            ui.label(command).classes("text-sm font-mono").style("overflow-wrap: anywhere")


def _days(value: float | None) -> str:
    return "–" if value is None else f"{value:g} days"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _load(context: ApiContext, number: int) -> Backtest:
    with context.database.reading() as connection:
        return backtests.get(connection, number)
