"""One backtest: the answer in words and figures, what a budget buys, examples with reasons, and how the data are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages import backtest_charts
from api.pages.actions import perform
from api.pages.backtests import STATE_COLORS, state_in_words
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, figure, sentence
from api.pages.going_on import watch
from api.pages.language import Speaker, speaker
from api.pages.tables import Column, Row, table, worded
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
OF_GROUP: Sequence[Column] = (
    ("foretold", "Foretold", "right"),
    ("share", "Share", "right"),
    ("lead", "Half of them ahead by", "right"),
)
REFUSED: Sequence[Column] = (
    ("figure", "Figure", "left"),
    ("why", "Why", "left"),
    ("missing", "Missing", "left"),
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
    ("said", "What is odd", "left"),
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
    say = speaker(visit.request)
    one = await visit.load(_load, number_in_path(visit.request, "backtest_id"))
    _head(visit, say, one)
    report = one.report
    if report is None:
        return
    if report.get("answer"):
        _answer(say, report)
        _pictures(say, report)
        _tables(say, report)
        _examples(say, report["examples"])
    _refused(say, report["refused"])
    _quality(say, one, report["quality"])
    _further(say, one, report)


def _head(visit: Visit, say: Speaker, one: Backtest) -> None:
    with card(one.folder):
        with ui.row().classes("items-center gap-3"):
            ui.badge(state_in_words(say, one.state), color=STATE_COLORS[one.state]).classes("text-sm q-pa-sm")
            progress = (
                ui.label(say.retell(one.progress or one.why or "")).classes("min-w-0 break-words").props("role=status")
            )
        facts(
            {
                say("Mapping"): one.mapping_file,
                say("A failure counts within"): say("{days} days", days=one.horizon_days),
                say("Learned until"): _cut(say, one),
                say("Asked for"): say("{at} UTC by {who}", at=moment(one.asked_at), who=one.asked_by),
                say("Took"): _took(say, one),
            }
        )
        if visit.person.role in ENGINEERS and one.state not in OPEN:
            _again(visit, say, one)
    if one.state in OPEN:
        watch(visit, {one.id: one.state}, backtests.get, progress, say.retell)


def _took(say: Speaker, one: Backtest) -> str:
    if one.started_at is None or one.finished_at is None:
        return "–"
    return say("{count} s", count=f"{(one.finished_at - one.started_at).total_seconds():.0f}")


def _cut(say: Speaker, one: Backtest) -> str:
    told = (one.report or {}).get("cut")
    return str(told)[:10] if told else day(one.cut) if one.cut else say("60 % of the span")


def _again(visit: Visit, say: Speaker, one: Backtest) -> None:
    async def again() -> None:
        now, name = visit.context.clock.now(), visit.person.name

        def work(connection: Any) -> None:
            backtests.again(connection, one.id, one.revision, now)
            audit.note(connection, at=now, actor=name, action="backtest.again", object=f"backtest:{one.id}")

        await perform(visit.context, work, say("It waits for its turn"))

    if one.asked_by != "command":
        ui.button(say("Start again"), on_click=again).props("no-caps outline")


def _answer(say: Speaker, report: Mapping[str, Any]) -> None:
    answer = report["answer"]
    lead = answer["lead_days"]
    with card(say("The answer")):
        for place, words in enumerate(answer["words"]):
            ui.label(say.retell(words)).classes("text-lg" if place == 0 else "").style("overflow-wrap: anywhere")
    with ui.row().classes("w-full gap-4"):
        share = (
            say("{share} of those that could be judged", share=f"{answer['share']:.0%}")
            if answer["share"] is not None
            else ""
        )
        figure(say("foretold"), say("{part} of {whole}", part=answer["foretold"], whole=answer["of"]), share)
        early = (
            say("nine of ten: {days} days or more", days=f"{lead['p10']:.1f}")
            if lead["p10"] is not None
            else say("half of them, or more")
        )
        figure(say("days ahead"), _number(lead["median"], ".1f"), early)
        false = _number(answer["false_per_1000_device_weeks"], ".1f")
        figure(say("false alarms"), false, say("per 1,000 device-weeks"))
        by_age = say("{part} of {whole}", part=answer["by_age"], whole=answer["of"])
        figure(say("by age alone"), by_age, say("without telemetry, at as many alerts"))


def _pictures(say: Speaker, report: Mapping[str, Any]) -> None:
    with ui.element("div").classes("grid grid-cols-1 md:grid-cols-2 gap-4 w-full"):
        with card(say("What a budget buys"), say("Failures foretold at each budget of alerts.")):
            backtest_charts.by_budget(say, report["budgets"])
        with card(say("How early"), say("Days from the first alert to the failure.")):
            if report["lead_days"]:
                backtest_charts.by_lead(say, report["lead_days"])
            else:
                sentence(say("No failure was foretold."))
        with card(say("When"), say("Each week after the model stopped learning.")):
            backtest_charts.by_week(say, report["weeks"])
        with card(
            say("Do risks come true?"),
            say("Each point is a band of device-days; on the line as many failed as was said."),
        ):
            if report["calibration"]:
                backtest_charts.by_risk(say, report["calibration"])
            else:
                sentence(say("Too few failures to tell."))


def _tables(say: Speaker, report: Mapping[str, Any]) -> None:
    with card(say("Budgets")):
        table(worded(say, BUDGETS), [_budget(say, one) for one in report["budgets"]], key="budget")
    for title, name, key in (
        (say("By model"), say("Device model"), "by_model"),
        (say("By part"), say("Part"), "by_part"),
    ):
        if report[key]:
            columns = [("name", name, "left"), *worded(say, OF_GROUP)]
            with card(title):
                table(columns, [_group(say, one) for one in report[key]], key="name")
    with card(say("Scores"), say("Of probabilities, device-day by device-day.")):
        names = {
            say("All devices"): "test",
            say("Devices never seen in training"): "unseen_devices",
            say("By age alone"): "baseline",
        }
        rows = [{"of": name, **_scores(report[key])} for name, key in names.items() if report[key]]
        table(worded(say, SCORES), rows, key="of")
    if report["reasons"]:
        with card(say("What raises the risk"), say("Share of what sets the riskiest device-days apart.")):
            facts({say.retell(one["metric"]): f"{one['share']:.0%}" for one in report["reasons"]})


def _budget(say: Speaker, one: Mapping[str, Any]) -> Row:
    return {
        "budget": f"{one['budget']:g}",
        "foretold": say("{part} of {whole}", part=one["foretold"], whole=one["of"]),
        "lead": _days(say, one["lead_days_median"]),
        "false": _number(one["false_per_1000_device_weeks"], ".1f"),
        "precision": _number(one["precision"], ".0%"),
        "age": f"{one['by_age']}",
    }


def _group(say: Speaker, one: Mapping[str, Any]) -> Row:
    return {
        "name": one["name"] or say("(none)"),
        "foretold": say("{part} of {whole}", part=one["foretold"], whole=one["failures"]),
        "share": f"{one['share']:.0%}",
        "lead": _days(say, one["lead_days_median"]),
    }


def _scores(scores: Mapping[str, Any]) -> dict[str, str]:
    forms = {"average_precision": ".3f", "auc": ".3f", "brier": ".5f", "ece": ".5f", "observed_expected": ".2f"}
    return {name: _number(scores.get(name), form) for name, form in forms.items()}


def _examples(say: Speaker, examples: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for name, (title, note) in EXAMPLES.items():
        if not examples[name]:
            continue
        with card(say(title), say(note)), ui.element("div").classes("grid grid-cols-1 lg:grid-cols-2 gap-4 w-full"):
            for one in examples[name]:
                _example(say, name, one)


def _example(say: Speaker, name: str, one: Mapping[str, Any]) -> None:
    with ui.column().classes("gap-0 min-w-0"):
        model = f" · {one['model']}" if one["model"] else ""
        ui.label(f"{one['device']}{model}").classes("font-semibold").style("overflow-wrap: anywhere")
        if name == "foretold":
            told = say(
                "flagged {flagged}, failed {failed}: {ahead}, at a risk of {risk}",
                flagged=one["flagged_on"],
                failed=one["failed_on"],
                ahead=say("1 day ahead") if one["lead_days"] == 1 else say("{days} days ahead", days=one["lead_days"]),
                risk=f"{one['probability']:.1%}",
            )
            ui.label(told)
        elif name == "missed":
            told = say(
                "failed {failed}; its highest risk was {risk}, on {highest}",
                failed=one["failed_on"],
                risk=f"{one['probability']:.2%}",
                highest=one["highest_on"],
            )
            ui.label(told)
            ui.label(say.retell(one["why"])).classes("hw-quiet")
        else:
            told = say(
                "flagged from {since} to {until}, at a risk of {risk}",
                since=one["flagged_on"],
                until=one["until"],
                risk=f"{one['probability']:.1%}",
            )
            ui.label(told)
        for reason in one["reasons"]:
            ui.label(f"– {say.retell(reason['text'])}").classes("text-sm").style("overflow-wrap: anywhere")


def _refused(say: Speaker, refused: Sequence[Mapping[str, Any]]) -> None:
    if not refused:
        return
    with card(say("Not given"), say("Figures that there is too little to judge by, and what is missing.")):
        rows = [{**one, **{name: say.retell(one[name] or "") for name in ("why", "missing")}} for one in refused]
        table(worded(say, REFUSED), rows, prose=("why",), key="figure").props("wrap-cells")


def _quality(say: Speaker, one: Backtest, quality: Mapping[str, Any]) -> None:
    counted = {name: f"{value:,}" for name, value in quality.items() if isinstance(value, int)}
    with card(say("The data")):
        facts(
            {
                say("Files"): counted["files"],
                say("Rows"): say("{rows}, of which {readings} were taken", **counted),
                say("Left out"): say("{rejected_rows} rows and {rejected_values} single values", **counted),
                say("Span"): say("{days} days, {device_days} device-days", **counted),
            }
        )
        if quality["remarks"]:
            rows = [{"id": place, **_remark(say, remark)} for place, remark in enumerate(quality["remarks"])]
            table(worded(say, REMARKS), rows, prose=("said", "done")).props("wrap-cells")
            ui.link(say("As CSV"), f"/api/v1/backtests/{one.id}/remarks.csv").classes("hw-link")
        else:
            sentence(say("Nothing odd was found."))


def _remark(say: Speaker, remark: Mapping[str, Any]) -> Row:
    row = say("row {number}", number=remark["row"]) if remark["row"] else None
    column = say("column {name}", name=remark["column"]) if remark["column"] else None
    parts = [part for part in (remark["file"], row, column, _example_of(say, remark["example"])) if part]
    said, done = (say.retell(remark[name]) for name in ("said", "done"))
    return {"said": said, "done": done, "where": say(", ").join(parts)}


def _example_of(say: Speaker, example: str | None) -> str | None:
    """A value as it stands in the data, or a device with its day."""
    found = re.fullmatch(r"(.+) on (\d{4}-\d\d-\d\d)", example or "")
    return say("{device} on {day}", device=found[1], day=found[2]) if found else example


def _further(say: Speaker, one: Backtest, report: Mapping[str, Any]) -> None:
    with card(say("Mapping")):
        ui.label(one.mapping).classes("text-sm font-mono whitespace-pre-wrap").style("overflow-wrap: anywhere")
    if report.get("answer"):
        with card(
            say("Go on"), say("Take this history in, and the platform learns from it from the next training on:")
        ):
            folder = one.folder if one.asked_by == "command" else f"HISTORY_DIR/{one.folder}"
            mapping = one.mapping_file if one.asked_by == "command" else f"{folder}/{one.mapping_file}"
            command = f"hearthwatch import {shlex.quote(folder)} --mapping {shlex.quote(mapping)}"
            ui.label(command).classes("text-sm font-mono").style("overflow-wrap: anywhere")


def _days(say: Speaker, value: float | None) -> str:
    return "–" if value is None else say("{days} days", days=f"{value:g}")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _load(context: ApiContext, number: int) -> Backtest:
    with context.database.reading() as connection:
        return backtests.get(connection, number)
