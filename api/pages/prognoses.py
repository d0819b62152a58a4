"""What is said of a device's parts, in plain words: which fails first, by which method that is known, and how long each will last."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from analytics.survival.whole_device import WholeDevice, whole_device
from api.pages.frame import sentence
from api.pages.language import Speaker
from api.pages.tables import table
from api.pages.wording import reasons, share
from hearthwatch.reason_words import sentence as sentence_of
from hearthwatch.reasons import part_in_words
from hearthwatch.records.prognoses import Prognosis

FROM = {"hazard": "its own signs", "survival": "age alone", "wear": "its wear"}
STATES = {
    "flagged": "a finding stands",
    "unconfirmed": "first day above the line, becomes a finding if it stays",
    "waiting": "above the line, waits for the weekly budget of findings",
}
_TRACK = "position:relative;height:10px;border-radius:5px;background:#e4e1d8;width:100%"
_BAND = "position:absolute;top:0;bottom:0;left:{left:.1f}%;width:{width:.1f}%;border-radius:5px;background:#8fb9b3"
_TICK = (
    "position:absolute;top:-3px;bottom:-3px;left:calc({at:.1f}% - 2px);width:4px;border-radius:2px;background:#17403c"
)


def parts_at_risk(say: Speaker, known: Sequence[Prognosis]) -> None:
    """The parts of one device: the probable one first, then what is known of each, then how long those that wear will last."""
    if not known:
        sentence(
            say("No prognosis yet. It needs failures of this kind of device to learn from, and some days of telemetry.")
        )
        return
    whole = whole_device(known)
    if whole is not None:
        ui.label(probable_part(say, whole))
    table(
        (
            ("part", say("Part"), "left"),
            *((name, say("{days} days", days=days), "right") for name, days in (("p7", 7), ("p30", 30), ("p90", 90))),
            ("origin", say("Known from"), "left"),
            ("why", say("Why"), "left"),
        ),
        [
            {
                "id": one.part,
                "part": part_name(say, one.part),
                "p7": share(one.p7),
                "p30": share(one.p30),
                "p90": share(one.p90),
                "origin": origin(say, one),
                "why": _why(say, one),
            }
            for one in sorted(known, key=lambda one: (-(one.p30 or 0.0), one.part))
        ],
        prose=["why"],
    ).props("wrap-cells")
    if any(one.method == "survival" and one.p30 is not None for one in known):
        sentence(say("By age or use alone nobody knows which device will fail, only how many: it opens no finding."))
    _remaining_lives(say, [one for one in known if one.rul_p50 is not None or one.rul_abstained is not None])


def part_name(say: Speaker, part: str) -> str:
    """What a reader calls a part; a prognosis without one is of the whole device."""
    return part_in_words(part, say.reasons) if part else say("whole device")


def probable_part(say: Speaker, whole: WholeDevice) -> str:
    """The sentence about the device as a whole."""
    days, p, part = (30, whole.p30, whole.first[0].p30)
    if p is None:
        days, p, part = (7, whole.p7, whole.first[0].p7)
    names = {"part": part_name(say, whole.probable_part), "days": days, "share": share(p)}
    said = (
        say(
            "Probable part: {part}. Within {days} days the device fails with {share}, by this part first with {first}.",
            **names,
            first=share(part),
        )
        if len(whole.first) > 1
        else say("Probable part: {part}. Within {days} days the device fails with {share}.", **names)
    )
    if not whole.unsaid:
        return said
    unsaid = say(", ").join(part_name(say, one) for one in whole.unsaid)
    return say("{said} Nothing is said of: {parts}.", said=said, parts=unsaid)


def origin(say: Speaker, one: Prognosis) -> str:
    """What a row's probabilities come from."""
    if one.method == "survival" and one.clock not in (None, "age"):
        return say("use alone ({clock})", clock=one.clock)
    return say(FROM[one.method]) if one.method in FROM else "–"


def remaining_life(say: Speaker, one: Prognosis) -> str:
    """How long a part will last, in one sentence; at the cap nobody knows how much longer."""
    p10, p50, p90, cap = one.rul_p10, one.rul_p50, one.rul_p90, one.rul_cap
    if p10 is None or p50 is None or p90 is None or cap is None:
        why = say.retell(one.rul_abstained) if one.rul_abstained else say("nothing is known of it")
        return say("Not said: {why}.", why=why)
    names = {name: f"{days:.0f}" for name, days in (("p10", p10), ("p50", p50), ("p90", p90), ("cap", cap))}
    if p10 >= cap:
        return say("Nine in ten last more than {cap} days, which is as far as anything is known.", cap=names["cap"])
    if p50 >= cap:
        return say("Most likely more than {cap} days; one in ten sooner than {p10}.", **names)
    if p90 >= cap:
        return say("Most likely about {p50} days; one in ten sooner than {p10}, some longer than {cap}.", **names)
    return say("Most likely about {p50} days; one in ten sooner than {p10}, one in ten later than {p90}.", **names)


def _why(say: Speaker, one: Prognosis) -> str:
    if one.abstained is not None:
        return say("Nothing is said: {why}", why=say.retell(one.abstained))
    said = list(reasons({"reasons": one.reasons}, brief=True, language=say.reasons)[:2])
    state = STATES.get(str((one.decision or {}).get("state")))
    told = say("; ").join([*said, say(state)] if state else said)
    if not (said and one.against):
        return told
    return say("{told}. {against}", told=told, against=sentence_of(one.against, say.reasons))


def _remaining_lives(say: Speaker, wearing: Sequence[Prognosis]) -> None:
    if not wearing:
        return
    ui.label(say("How long parts that wear will last")).classes("font-semibold q-mt-sm").props(
        "role=heading aria-level=3"
    )
    for one in sorted(wearing, key=lambda one: (one.rul_p50 is None, one.rul_p50 or 0.0, one.part)):
        said = remaining_life(say, one)
        with ui.column().classes("w-full gap-1"):
            with ui.row().classes("w-full gap-2 items-baseline"):
                ui.label(part_name(say, one.part)).classes("font-semibold")
                ui.label(said).classes("grow basis-40")
            _bar(say, one, said)


def _bar(say: Speaker, one: Prognosis, said: str) -> None:
    """A line from today to as far as anything is known, with the band from P10 to P90 and a mark at P50."""
    if one.rul_p10 is None or one.rul_p50 is None or one.rul_p90 is None or not one.rul_cap:
        return
    left, at, right = (100 * min(each / one.rul_cap, 1.0) for each in (one.rul_p10, one.rul_p50, one.rul_p90))
    track = ui.element("div").style(_TRACK)
    track.props["role"] = "img"
    track.props["aria-label"] = f"{part_name(say, one.part)}: {said}"
    with track:
        ui.element("div").style(_BAND.format(left=min(left, 98.0), width=max(right - left, 2.0)))
        ui.element("div").style(_TICK.format(at=at))
    p10, p50, p90 = (_days(one, each) for each in (one.rul_p10, one.rul_p50, one.rul_p90))
    told = say(
        "P10 {p10} · P50 {p50} · P90 {p90} days, from {origin}; the line ends at {cap} days",
        p10=p10,
        p50=p50,
        p90=p90,
        origin=say(FROM[one.rul_method]) if one.rul_method in FROM else "–",
        cap=f"{one.rul_cap:.0f}",
    )
    ui.label(told).classes("hw-quiet text-xs")


def _days(one: Prognosis, days: float) -> str:
    return f"> {days:.0f}" if one.rul_cap is not None and days >= one.rul_cap else f"{days:.0f}"
