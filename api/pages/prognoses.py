"""What is said of a device's parts, in plain words: which fails first, by which method that is known, and how long each will last."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from analytics.survival.whole_device import WholeDevice, whole_device
from api.pages.frame import sentence
from api.pages.tables import table
from api.pages.wording import reasons, share
from hearthwatch.reason_words import sentence as sentence_of
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


def parts_at_risk(known: Sequence[Prognosis]) -> None:
    """The parts of one device: the probable one first, then what is known of each, then how long those that wear will last."""
    if not known:
        sentence(
            "No prognosis yet. It needs failures of this kind of device to learn from, and some days of telemetry."
        )
        return
    whole = whole_device(known)
    if whole is not None:
        ui.label(probable_part(whole))
    table(
        (
            ("part", "Part", "left"),
            ("p7", "7 days", "right"),
            ("p30", "30 days", "right"),
            ("p90", "90 days", "right"),
            ("origin", "Known from", "left"),
            ("why", "Why", "left"),
        ),
        [
            {
                "id": one.part,
                "part": one.part or "device",
                "p7": share(one.p7),
                "p30": share(one.p30),
                "p90": share(one.p90),
                "origin": origin(one),
                "why": _why(one),
            }
            for one in sorted(known, key=lambda one: (-(one.p30 or 0.0), one.part))
        ],
        prose=["why"],
    ).props("wrap-cells")
    if any(one.method == "survival" and one.p30 is not None for one in known):
        sentence("By age or use alone nobody knows which device will fail, only how many: it opens no finding.")
    _remaining_lives([one for one in known if one.rul_p50 is not None or one.rul_abstained is not None])


def probable_part(whole: WholeDevice) -> str:
    """The sentence about the device as a whole."""
    ahead, p, part = ("30 days", whole.p30, whole.first[0].p30)
    if p is None:
        ahead, p, part = ("7 days", whole.p7, whole.first[0].p7)
    said = f"Probable part: {whole.probable_part}. Within {ahead} the device fails with {share(p)}"
    if len(whole.first) > 1:
        said += f", by this part first with {share(part)}"
    return said + (f". Nothing is said of: {', '.join(whole.unsaid)}." if whole.unsaid else ".")


def origin(one: Prognosis) -> str:
    """What a row's probabilities come from."""
    if one.method == "survival" and one.clock not in (None, "age"):
        return f"use alone ({one.clock})"
    return FROM.get(one.method or "", "–")


def remaining_life(one: Prognosis) -> str:
    """How long a part will last, in one sentence; at the cap nobody knows how much longer."""
    p10, p50, p90, cap = one.rul_p10, one.rul_p50, one.rul_p90, one.rul_cap
    if p10 is None or p50 is None or p90 is None or cap is None:
        return f"Not said: {one.rul_abstained or 'nothing is known of it'}."
    if p10 >= cap:
        return f"Nine in ten last more than {cap:.0f} days, which is as far as anything is known."
    if p50 >= cap:
        return f"Most likely more than {cap:.0f} days; one in ten sooner than {p10:.0f}."
    later = f"some longer than {cap:.0f}" if p90 >= cap else f"one in ten later than {p90:.0f}"
    return f"Most likely about {p50:.0f} days; one in ten sooner than {p10:.0f}, {later}."


def _why(one: Prognosis) -> str:
    if one.abstained is not None:
        return f"Nothing is said: {one.abstained}"
    said = list(reasons({"reasons": one.reasons}, brief=True)[:2])
    state = STATES.get(str((one.decision or {}).get("state")))
    told = "; ".join([*said, state] if state else said)
    return f"{told}. {sentence_of(one.against)}" if said and one.against else told


def _remaining_lives(wearing: Sequence[Prognosis]) -> None:
    if not wearing:
        return
    ui.label("How long parts that wear will last").classes("font-semibold q-mt-sm").props("role=heading aria-level=3")
    for one in sorted(wearing, key=lambda one: (one.rul_p50 is None, one.rul_p50 or 0.0, one.part)):
        said = remaining_life(one)
        with ui.column().classes("w-full gap-1"):
            with ui.row().classes("w-full gap-2 items-baseline"):
                ui.label(one.part).classes("font-semibold")
                ui.label(said).classes("grow basis-40")
            _bar(one, said)


def _bar(one: Prognosis, said: str) -> None:
    """A line from today to as far as anything is known, with the band from P10 to P90 and a mark at P50."""
    if one.rul_p10 is None or one.rul_p50 is None or one.rul_p90 is None or not one.rul_cap:
        return
    left, at, right = (100 * min(each / one.rul_cap, 1.0) for each in (one.rul_p10, one.rul_p50, one.rul_p90))
    track = ui.element("div").style(_TRACK)
    track.props["role"] = "img"
    track.props["aria-label"] = f"{one.part}: {said}"
    with track:
        ui.element("div").style(_BAND.format(left=min(left, 98.0), width=max(right - left, 2.0)))
        ui.element("div").style(_TICK.format(at=at))
    p10, p50, p90 = (_days(one, each) for each in (one.rul_p10, one.rul_p50, one.rul_p90))
    told = f"P10 {p10} · P50 {p50} · P90 {p90} days, from {FROM.get(one.rul_method or '', '–')}"
    ui.label(f"{told}; the line ends at {one.rul_cap:.0f} days").classes("hw-quiet text-xs")


def _days(one: Prognosis, days: float) -> str:
    return f"> {days:.0f}" if one.rul_cap is not None and days >= one.rul_cap else f"{days:.0f}"
