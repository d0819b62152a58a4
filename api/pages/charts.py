"""Charts of the staff pages, as ECharts options: times (UTC) on the x axis, quiet grids, one colour a meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

Points = Sequence[tuple[datetime, float | None]]
Options = dict[str, Any]

PALETTE = ("#17605a", "#b4692b", "#4a6fa5", "#8a5a83", "#7a8b3c", "#a34a4a", "#5d6864", "#c98a1b")
CROWDED, MANY = 4, 6
"""So many lines have a legend of two rows on a phone; with more than that it is turned over like a page."""
GRID = "#e4e1d8"
INK = "#5d6864"
WARNING = "#a34a4a"

SHORT = "value => value >= 1e5 || (value > 0 && value < 1e-3) ? value.toExponential(0).replace('+', '') : String(+value.toPrecision(3))"
"""JavaScript that writes a number of an axis in few characters."""
FRACTIONS = "value => value < 1 ? '1/' + Math.round(1 / value) : String(value)"
"""The same for powers of two on the axis of a ratio."""


def lines(
    series: Mapping[str, Points],
    *,
    height: str = "h-64",
    log: bool = False,
    marks: Mapping[str, float] | None = None,
    moments: Mapping[str, datetime] | None = None,
    label: str = "",
) -> ui.echart:
    """Lines over time. ``marks`` are named horizontal lines, ``moments`` named vertical ones; ``label`` is what a screen reader says."""
    drawn = [line(name, points, PALETTE[index % len(PALETTE)]) for index, (name, points) in enumerate(series.items())]
    if drawn and (marks or moments):
        drawn[0]["markLine"] = mark_lines(marks or {}, moments or {})
    return show(options(drawn, log=10 if log else None), height=height, label=label or ", ".join(series))


def show(described: Options, *, label: str, height: str = "h-64") -> ui.echart:
    """A chart across its column. ``label`` says to a screen reader what the picture shows."""
    chart = ui.echart(described).classes(f"w-full {height}")
    chart.props["role"] = "img"
    chart.props["aria-label"] = label
    return chart


def line(name: str, points: Points, color: str, *, width: float = 1.8, dashed: str = "solid") -> Options:
    """One line; None is a gap. ``dashed`` is ECharts' type of a line."""
    data = [[stamp(at), rounded(value)] for at, value in points]
    return {
        "type": "line",
        "name": name,
        "data": data,
        "showSymbol": sum(1 for _, value in data if value is not None) < 3,
        "connectNulls": False,
        "lineStyle": {"width": width, "type": dashed},
        "itemStyle": {"color": color},
    }


def stamp(at: datetime) -> str:
    """A time as the charts read it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rounded(value: float | None) -> float | None:
    """What a picture can show of a number."""
    return None if value is None else float(f"{value:.4g}")


def mark_lines(marks: Mapping[str, float], moments: Mapping[str, datetime]) -> Options:
    """Named horizontal and vertical lines through a series."""
    horizontal = [
        {"yAxis": value, "name": name, "label": {"formatter": name, "position": "insideStartTop"}}
        for name, value in marks.items()
    ]
    vertical = [
        {"xAxis": stamp(at), "name": name, "label": {"formatter": name, "position": "insideEndTop"}}
        for name, at in moments.items()
    ]
    return {
        "symbol": "none",
        "lineStyle": {"color": WARNING, "type": "dashed"},
        "label": {"color": INK},
        "data": [*horizontal, *vertical],
        "silent": True,
    }


def options(
    series: list[Options],
    *,
    log: int | None = None,
    low: float | None = None,
    high: float | None = None,
    written: str = SHORT,
) -> Options:
    """A whole chart. ``log`` is the base of a logarithmic y axis; ``low`` and ``high`` bound it, ``written`` writes
    its numbers (JavaScript)."""
    axis = {
        "axisLine": {"show": False},
        "splitLine": {"lineStyle": {"color": GRID}},
        "axisLabel": {"color": INK, ":formatter": written},
        "minorSplitLine": {"show": False},
    }
    scale: Options = {"type": "log", "logBase": log} if log else {"type": "value", "scale": True}
    names = [one["name"] for one in series if not one.get("hidden")]
    bounds = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    return {
        "animation": False,
        "useUTC": True,
        "grid": {"left": 48, "right": 16, "top": 36 if len(names) < CROWDED else 56, "bottom": 28},
        "legend": {
            "top": 0,
            "left": 0,
            "textStyle": {"color": INK, "fontSize": 11},
            "icon": "roundRect",
            "itemHeight": 4,
            "itemWidth": 14,
            "itemGap": 8,
            **({"type": "scroll"} if len(names) > MANY else {}),
            "data": names,
        },
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {"type": "time", "axisLabel": {"color": INK, "hideOverlap": True}, "splitLine": {"show": False}},
        "yAxis": {**scale, **bounds, **axis},
        "series": [{key: value for key, value in one.items() if key != "hidden"} for one in series],
    }
