"""What repeated looks at one comparison show over time: evidence against its thresholds, the ratio in its interval, adoption.

For comparisons of any kind: a look is whatever has the attributes of `Looked`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from nicegui import ui

from api.levels import ALONE, Bounds
from api.pages.charts import FRACTIONS, INK, PALETTE, WARNING, Options, Points, line, mark_lines, options, show
from api.pages.language import Speaker
from api.pages.wording import evidence, moment, number

WATCH = "#c98a1b"
SAME = "#2f7d4f"
SMALLEST_E = 1e-3
WIDEST = 32.0
"""Early intervals reach from next to nothing to thousands; the picture ends here."""


class Looked(Protocol):
    """A look at a comparison. ``detail`` may hold what the charts, tables and cards of looks show, and need not."""

    @property
    def metric(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def verdict(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def e(self) -> float: ...
    @property
    def e_rate(self) -> float | None: ...
    @property
    def e_first(self) -> float | None: ...
    @property
    def ratio(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def devices_treatment(self) -> int: ...
    @property
    def devices_control(self) -> int: ...
    @property
    def hours_treatment(self) -> float: ...
    @property
    def hours_control(self) -> float: ...
    @property
    def events_treatment(self) -> float: ...
    @property
    def events_control(self) -> float: ...
    @property
    def detail(self) -> Mapping[str, Any]: ...


def evidence_chart(say: Speaker, series: Sequence[Looked], *, watch_share: float | None = None) -> ui.echart:
    """The e-process of one comparison, and what it must reach: alone, with all comparisons watched at the same time, for the watch list.

    ``watch_share`` is the watch list's threshold as a share of the one that pages.
    """
    drawn = [line("e", [(look.at, _e(look.e)) for look in series], PALETTE[0], width=2.4)]
    both = any(look.e_rate is not None for look in series) and any(look.e_first is not None for look in series)
    if both:
        drawn.append(line(say("rate"), [(look.at, _e(look.e_rate)) for look in series], PALETTE[2], width=1))
        drawn.append(line(say("first events"), [(look.at, _e(look.e_first)) for look in series], PALETTE[1], width=1))
    needed = [(look.at, _needed(look)) for look in series]
    if any(value is not None for _, value in needed):
        drawn.append(_level(say("worse from"), needed, WARNING, "dashed"))
        if watch_share is not None:
            watch: Points = [(at, None if value is None else value * watch_share) for at, value in needed]
            drawn.append(_level(say("watch list from"), watch, WATCH, "dotted"))
    drawn.append(
        _level(
            say("{e}: chance 1 in {e}", e=f"{ALONE:.0f}"), [(look.at, ALONE) for look in series], PALETTE[6], "dotted"
        )
    )
    drawn[0]["markLine"] = mark_lines({}, _first_worse(say, series))
    last = series[-1]
    label = say(
        "Evidence that it is worse, look by look; at {at} UTC it was {e}.", at=moment(last.at), e=say(evidence(last.e))
    )
    values = [value for look in series for value in (look.e, look.e_rate, look.e_first)]
    return show(options(drawn, log=10, low=_decade(values)), label=label)


def ratio_chart(say: Speaker, series: Sequence[Looked], bounds: Bounds) -> ui.echart:
    """The ratio inside its confidence sequence, on an axis of powers of two, with the equivalence bounds shaded and the margin drawn."""
    low, high = _range(series)
    inside = [(look.at, *_interval(look, low, high)) for look in series]
    middle = line(say("ratio"), [(look.at, look.ratio) for look in series], PALETTE[0], width=2.4)
    middle["markLine"] = mark_lines({}, _first_worse(say, series))
    middle["markLine"]["data"] += [_reference(value, color, kind) for value, color, kind in _references(bounds)]
    middle["markLine"]["label"] = {"show": False}
    middle["markArea"] = {
        "silent": True,
        "itemStyle": {"color": SAME, "opacity": 0.14},
        "data": [[{"yAxis": bounds.same_low}, {"yAxis": bounds.same_high}]],
    }
    drawn = [
        _filled("from", [(at, least) for at, least, _ in inside], opacity=0.0),
        _filled("to", [(at, _difference(least, most)) for at, least, most in inside], opacity=0.16),
        line(say("upper end"), [(look.at, look.high) for look in series], "#8fb0aa", width=1),
        middle,
        line(say("lower end"), [(look.at, look.low) for look in series], "#8fb0aa", width=1),
    ]
    last = series[-1]
    label = say(
        "Ratio to the control and its 95 % interval; last {ratio}, {low} to {high}.",
        ratio=number(last.ratio),
        low=number(last.low),
        high=number(last.high),
    )
    return show(options(drawn, log=2, low=low, high=high, written=FRACTIONS), label=label)


def late_chart(say: Speaker, series: Sequence[Looked]) -> ui.echart:
    """The detector of late regressions, which begins anew every day: its evidence and the level of its alarm."""
    told = [(look.at, look.detail.get("late")) for look in series]
    values: Points = [(at, _e(late.get("e")) if late else None) for at, late in told]
    drawn = [line(say("late e"), values, PALETTE[3], width=2.4)]
    for name, key, color in (
        (say("worse from"), "needed", WARNING),
        (say("watch list from"), "threshold", WATCH),
    ):
        levels: Points = [(at, late.get(key) if late else None) for at, late in told]
        if any(value is not None for _, value in levels):
            drawn.append(_level(name, levels, color, "dashed"))
    low = _decade([value for _, value in values])
    return show(
        options(drawn, log=10, low=low), label=say("Evidence of a late regression, look by look."), height="h-48"
    )


def adoption_chart(say: Speaker, series: Sequence[Looked]) -> ui.echart:
    """How many devices of the model run it."""
    told = [(look.at, look.detail["adoption"]) for look in series if look.detail.get("adoption")]
    on_it = line(say("on it"), [(at, float(pair[0])) for at, pair in told], PALETTE[0], width=2)
    on_it["areaStyle"] = {"opacity": 0.16}
    drawn = [on_it, line(say("of the model"), [(at, float(pair[1])) for at, pair in told], PALETTE[6], width=1)]
    label = say("Adoption")
    if told:
        label = say("Adoption; last {part} of {all} devices.", part=told[-1][1][0], all=told[-1][1][1])
    return show(options(drawn, low=0), label=label, height="h-48")


def _e(value: float | None) -> float | None:
    return None if value is None or value <= 0 else max(value, SMALLEST_E)


def _decade(values: Sequence[float | None]) -> float:
    """The power of ten below all e-values that are drawn, at most 0.1: where the axis begins."""
    drawn = [value for value in map(_e, values) if value is not None]
    return min(0.1, 10.0 ** math.floor(math.log10(min(drawn, default=1.0))))


def _needed(look: Looked) -> float | None:
    needed = look.detail.get("needed")
    return float(needed) if needed else None


def _level(name: str, points: Points, color: str, dashed: str) -> Options:
    return {**line(name, points, color, width=1.2, dashed=dashed), "step": "end", "showSymbol": False}


def _first_worse(say: Speaker, series: Sequence[Looked]) -> dict[str, datetime]:
    said = next((look.at for look in series if look.verdict == "worse"), None)
    return {say("called worse"): said} if said else {}


def _references(bounds: Bounds) -> list[tuple[float, str, str]]:
    """Horizontal lines: as good as the control, the margin, and where `same` ends."""
    margin = [(bounds.margin, WARNING, "dotted")] if bounds.margin != 1.0 else []
    return [(1.0, INK, "solid"), *margin, (bounds.same_low, SAME, "dashed"), (bounds.same_high, SAME, "dashed")]


def _reference(value: float, color: str, kind: str) -> Options:
    return {"yAxis": value, "lineStyle": {"color": color, "type": kind, "width": 1}}


def _range(series: Sequence[Looked]) -> tuple[float, float]:
    """The axis: powers of two around the later half of the intervals that have an estimate, at least from 1/2 to 2."""
    known = [look for look in series if look.ratio]
    later = known[len(known) // 2 :]
    least = min((look.low for look in later if look.low), default=0.5)
    most = max((look.high for look in later if look.high), default=2.0)
    estimates = [look.ratio for look in series if look.ratio]
    low = max(1 / WIDEST, min(0.5, least, *estimates))
    high = min(WIDEST, max(2.0, most, *estimates))
    return 2.0 ** math.floor(math.log2(low)), 2.0 ** math.ceil(math.log2(high))


def _interval(look: Looked, low: float, high: float) -> tuple[float | None, float | None]:
    """The interval as far as the axis goes; an end that is not told lies beyond it."""
    if look.low is None and look.high is None:
        return None, None
    least = low if look.low is None else min(max(look.low, low), high)
    return least, high if look.high is None else min(max(look.high, low), high)


def _difference(least: float | None, most: float | None) -> float | None:
    return None if least is None or most is None else most - least


def _filled(name: str, points: Points, *, opacity: float) -> Options:
    """A layer of the stack that fills the interval; neither a line nor an entry of the legend."""
    drawn = line(name, points, PALETTE[0], width=0)
    hidden = {"hidden": True, "stack": "interval", "stackStrategy": "all", "showSymbol": False, "silent": True}
    return drawn | hidden | {"areaStyle": {"opacity": opacity}, "tooltip": {"show": False}, "lineStyle": {"opacity": 0}}
