"""Charts of the staff pages, as ECharts options: times on the x axis, quiet grids, one colour a meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nicegui import ui

Points = Sequence[tuple[datetime, float | None]]

PALETTE = ("#17605a", "#b4692b", "#4a6fa5", "#8a5a83", "#7a8b3c", "#a34a4a", "#5d6864", "#c98a1b")
GRID = "#e4e1d8"
INK = "#5d6864"


def lines(
    series: Mapping[str, Points],
    *,
    height: str = "h-64",
    log: bool = False,
    marks: Mapping[str, float] | None = None,
    moments: Mapping[str, datetime] | None = None,
) -> ui.echart:
    """Lines over time. ``marks`` are named horizontal lines, ``moments`` named vertical ones."""
    drawn = [_line(name, points, PALETTE[index % len(PALETTE)]) for index, (name, points) in enumerate(series.items())]
    if drawn and (marks or moments):
        drawn[0]["markLine"] = _mark_lines(marks or {}, moments or {})
    return ui.echart(_options(drawn, log=log)).classes(f"w-full {height}")


def band(
    middle: Points,
    low: Points,
    high: Points,
    *,
    name: str,
    marks: Mapping[str, float] | None = None,
    height: str = "h-64",
) -> ui.echart:
    """An estimate over time inside its interval, on a logarithmic axis because it is a ratio."""
    drawn = [
        {**_line("upper end", high, GRID), "lineStyle": {"color": "#9db8b3", "width": 1}},
        _line(name, middle, PALETTE[0]),
        {**_line("lower end", low, GRID), "lineStyle": {"color": "#9db8b3", "width": 1}},
    ]
    if marks:
        drawn[1]["markLine"] = _mark_lines(marks, {})
    return ui.echart(_options(drawn, log=True)).classes(f"w-full {height}")


def _line(name: str, points: Points, color: str) -> dict[str, Any]:
    data = [[at.isoformat(), value] for at, value in points]
    return {
        "type": "line",
        "name": name,
        "data": data,
        "showSymbol": len(data) < 3,
        "connectNulls": False,
        "lineStyle": {"width": 1.8},
        "itemStyle": {"color": color},
    }


def _mark_lines(marks: Mapping[str, float], moments: Mapping[str, datetime]) -> dict[str, Any]:
    horizontal = [
        {"yAxis": value, "name": name, "label": {"formatter": name, "position": "insideEndTop"}}
        for name, value in marks.items()
    ]
    vertical = [
        {"xAxis": at.isoformat(), "name": name, "label": {"formatter": name, "position": "insideEndTop"}}
        for name, at in moments.items()
    ]
    return {
        "symbol": "none",
        "lineStyle": {"color": "#a34a4a", "type": "dashed"},
        "data": [*horizontal, *vertical],
        "silent": True,
    }


def _options(series: list[dict[str, Any]], *, log: bool) -> dict[str, Any]:
    axis = {"axisLine": {"show": False}, "splitLine": {"lineStyle": {"color": GRID}}, "axisLabel": {"color": INK}}
    return {
        "animation": False,
        "grid": {"left": 56, "right": 24, "top": 44, "bottom": 32},
        "legend": {
            "type": "scroll",
            "top": 0,
            "left": 0,
            "textStyle": {"color": INK},
            "icon": "roundRect",
            "itemHeight": 4,
        },
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "time", "axisLabel": {"color": INK}, "splitLine": {"show": False}},
        "yAxis": {"type": "log" if log else "value", "scale": True, **axis},
        "series": series,
    }
