"""Charts of a backtest: what a budget of alerts buys, how early, when, and whether risks came true as said. Numbers and dates only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from api.pages.charts import GRID, INK, PALETTE, SHORT, Options, rounded, show
from api.pages.language import Speaker

OURS, AGE, MISSED, FALSE = PALETTE[0], PALETTE[1], "#c9c4b6", PALETTE[5]
Rows = Sequence[Mapping[str, Any]]


def by_budget(say: Speaker, budgets: Rows) -> ui.echart:
    """Failures foretold at each budget, by our model and by age alone."""
    series = [
        _bars(say("foretold"), [one["foretold"] for one in budgets], OURS),
        _bars(say("by age alone"), [one["by_age"] for one in budgets], AGE),
    ]
    names = [f"{one['budget']:g}" for one in budgets]
    below, label = say("alerts per 1,000 device-weeks"), say("Failures foretold at each budget of alerts.")
    return show(_chart(names, series, below), label=label)


def by_lead(say: Speaker, leads: Rows) -> ui.echart:
    """How many failures were foretold how many days ahead."""
    series = [_bars(say("failures"), [one["failures"] for one in leads], OURS)]
    names = [str(one["days"]) for one in leads]
    return show(_chart(names, series, say("days ahead")), label=say("How early failures were foretold"))


def by_week(say: Speaker, weeks: Rows) -> ui.echart:
    """Failures foretold and missed, and false alarms, of each week after the cut."""
    series = [
        {**_bars(say("foretold"), [one["foretold"] for one in weeks], OURS), "stack": "failures"},
        {**_bars(say("missed"), [one["missed"] for one in weeks], MISSED), "stack": "failures"},
        _bars(say("false alarms"), [one["false_alarms"] for one in weeks], FALSE),
    ]
    below, label = say("week from"), say("Failures and false alarms of each week")
    return show(_chart([one["from"] for one in weeks], series, below), label=label)


def by_risk(say: Speaker, bands: Rows) -> ui.echart:
    """What was said against what happened, band by band, on logarithmic axes; on the line they agree."""
    points = [
        [rounded(one["said"]), rounded(one["observed"])] for one in bands if one["said"] > 0 and one["observed"] > 0
    ]
    ends = [value for point in points for value in point if value]
    low, high = (min(ends), max(ends)) if ends else (1e-4, 1.0)
    axis: Options = {
        "type": "log",
        "axisLabel": {"color": INK, ":formatter": SHORT},
        "splitLine": {"lineStyle": {"color": GRID}},
        "min": low / 2,
        "max": min(high * 2, 1.0),
    }
    options = {
        "animation": False,
        "grid": {"left": 56, "right": 16, "top": 16, "bottom": 44},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": {
            **axis,
            "name": say("probability said"),
            "nameLocation": "middle",
            "nameGap": 26,
            "nameTextStyle": {"color": INK},
        },
        "yAxis": {**axis, "name": ""},
        "series": [
            {
                "type": "scatter",
                "name": say("share that failed"),
                "data": points,
                "symbolSize": 9,
                "itemStyle": {"color": OURS},
            },
            {
                "type": "line",
                "data": [[low / 2, low / 2], [min(high * 2, 1.0), min(high * 2, 1.0)]],
                "showSymbol": False,
                "silent": True,
                "lineStyle": {"color": INK, "type": "dashed", "width": 1},
            },
        ],
    }
    return show(options, label=say("Probabilities said against the share that failed"))


def _bars(name: str, values: Sequence[int], color: str) -> Options:
    return {"type": "bar", "name": name, "data": list(values), "itemStyle": {"color": color}, "barMaxWidth": 36}


def _chart(names: Sequence[str], series: list[Options], below: str) -> Options:
    return {
        "animation": False,
        "grid": {"left": 44, "right": 16, "top": 32, "bottom": 44},
        "legend": {
            "top": 0,
            "left": 0,
            "textStyle": {"color": INK, "fontSize": 11},
            "icon": "roundRect",
            "itemHeight": 4,
            "itemWidth": 14,
            "data": [one["name"] for one in series],
        },
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {
            "type": "category",
            "data": list(names),
            "name": below,
            "nameLocation": "middle",
            "nameGap": 26,
            "nameTextStyle": {"color": INK},
            "axisLabel": {"color": INK, "hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "minInterval": 1,
            "axisLabel": {"color": INK},
            "splitLine": {"lineStyle": {"color": GRID}},
        },
        "series": series,
    }
