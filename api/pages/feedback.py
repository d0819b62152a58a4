"""Feedback to the product: what fails in the field, by what devices have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from alerts.learning.exposure import PART
from alerts.learning.feedback import WHATS, Feedback, Row, What, feedback
from alerts.remedies.money import told
from api.context import ApiContext
from api.pages.charts import lines
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from api.pages.wording import day
from api.routes.learning import span
from hearthwatch.records import parts

DIMENSIONS = ("model", "firmware", "hardware", "region", "batch", "supplier")
DRAWN = 5
"""Rows whose months are drawn."""
FEWEST_DRAWN = 3


async def feedback_page(visit: Visit) -> None:
    """A choice of dimension and kind, the sentence about the worst, the table and the trend."""
    say = speaker(visit.request)
    asked = visit.request.query_params
    by, model = asked.get("by", "model"), asked.get("model") or None
    what: What = next((one for one in WHATS if one == asked.get("what")), "failures")
    _choices(say, by, what, model, await visit.load(_kinds_of_parts))
    found = await visit.load(_load, by, what, model)
    sentence(
        say(
            "From {since} to {until}; rates per 1,000 device-months with their 95 % intervals.",
            since=day(found.since),
            until=day(found.until),
        )
    )
    if found.unplaced:
        sentence(say("{count} more are of devices that were not under observation then.", count=found.unplaced))
    if not found.rows:
        sentence(say("Nothing was seen in this time."))
        return
    for line in worse(say, found):
        ui.label(line[:1].upper() + line[1:]).classes("font-semibold")
    # By model, the model is the value.
    table(
        [one for one in _columns(say) if one[0] != "value" or found.by != "model"],
        [_row(say, one) for one in found.rows],
    )
    _trend(say, found)


def _load(context: ApiContext, by: str, what: What, model: str | None) -> Feedback:
    since, until = span(context, None, None)
    with context.database.reading() as connection:
        return feedback(connection, by=by, what=what, since=since, until=until, model=model)


def _kinds_of_parts(context: ApiContext) -> list[str]:
    with context.database.reading() as connection:
        return parts.kinds(connection)


def dimensions(say: Speaker, kinds: Sequence[str], by: str) -> dict[str, str]:
    """What one can ask by, in words: the usual ones, each kind of part, and whatever is asked by now."""
    names = {one: say.word(one) for one in DIMENSIONS}
    names |= {f"{PART}{kind}": say("Part: {part}", part=say.word(kind)) for kind in kinds}
    return names if by in names else {**names, by: by}


def _choices(say: Speaker, by: str, what: What, model: str | None, parts_known: Sequence[str]) -> None:
    def go(**changed: str) -> None:
        asked = {"by": by, "what": what, "model": model or "", **changed}
        ui.navigate.to(f"/feedback?{urlencode({name: value for name, value in asked.items() if value})}")

    names = dimensions(say, parts_known, by)
    kinds = {one: say.word(one) for one in WHATS}
    with ui.row().classes("items-center gap-2 w-full"):
        for label, options, value, name in ((say("By"), names, by, "by"), (say("Events"), kinds, what, "what")):
            ui.select(
                options, label=label, value=value, on_change=lambda event, name=name: go(**{name: str(event.value)})
            ).classes("w-44").props("dense outlined")
        field = ui.input(say("Device model"), value=model or "").classes("w-40").props("dense outlined clearable")
        field.on("keydown.enter", lambda: go(model=field.value or ""))
        asked = urlencode({"by": by, "what": what, **({"model": model} if model else {})})
        ui.link(say("As CSV"), f"/api/v1/feedback.csv?{asked}").classes("hw-link")


def worse(say: Speaker, found: Feedback) -> list[str]:
    """Sentences about rates that have clearly risen."""
    return [_risen(say, found, one) for one in found.rows if one.change.clear and (one.change.low or 0) > 1]


def _risen(say: Speaker, found: Feedback, one: Row) -> str:
    whose = one.model if found.by == "model" else f"{one.model} {one.value}"
    if one.change.ratio is None:
        return say(
            "{mode} of {whose} was not seen in the earlier half, and {count} times in the later one.",
            mode=say.word(one.mode),
            whose=whose,
            count=one.rate.count,
        )
    return say(
        "{mode} of {whose} has become {ratio} times as frequent ({low} to {high}).",
        mode=say.word(one.mode),
        whose=whose,
        ratio=_number(one.change.ratio),
        low=_number(one.change.low),
        high=_number(one.change.high),
    )


def _columns(say: Speaker) -> tuple[tuple[str, str, str], ...]:
    return (
        ("model", say("Device model"), "left"),
        ("value", say("Value"), "left"),
        ("mode", say("Failure mode"), "left"),
        ("count", say("Count"), "right"),
        ("devices", say("Devices"), "right"),
        ("months", say("Device-months"), "right"),
        ("rate", say("Per 1,000 device-months"), "right"),
        ("interval", say("95 % interval"), "right"),
        ("change", say("Later half / earlier half"), "right"),
        ("cost", say("Cost of remedies"), "right"),
    )


def _row(say: Speaker, one: Row) -> Mapping[str, Any]:
    return {
        "id": f"{one.model}/{one.value}/{one.mode}",
        "model": one.model,
        "value": one.value,
        "mode": say.word(one.mode),
        "count": one.rate.count,
        "devices": one.devices,
        "months": round(one.rate.months, 1),
        "rate": _number(one.rate.per_1000),
        "interval": f"{_number(one.rate.low)} – {_number(one.rate.high)}",
        "change": f"{_number(one.change.ratio)} ({_number(one.change.low)} – {_number(one.change.high)})",
        "cost": told(one.cost, one.currency, say.language) if one.cost is not None and one.currency else "–",
    }


def _trend(say: Speaker, found: Feedback) -> None:
    drawn = [one for one in found.rows if one.rate.count >= FEWEST_DRAWN][:DRAWN]
    if not drawn:
        return
    with card(say("By month"), say("Per 1,000 device-months; the most frequent ones.")):
        lines(
            {
                " ".join(dict.fromkeys((one.model, one.value, say.word(one.mode)))): [
                    (month.begin, month.rate.per_1000) for month in one.months
                ]
                for one in drawn
            }
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
