"""Who and what a comparison rests on: strata with ratios of their own, and the devices that contribute most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from api.pages.language import Speaker
from api.pages.tables import table
from api.pages.wording import number, share

STYLE = """
.hw-forest { position: relative; width: 9rem; height: 1rem;
  background: linear-gradient(#b9b4a6, #b9b4a6) center / 1px 100% no-repeat,
    linear-gradient(#e4e1d8, #e4e1d8) center / 100% 1px no-repeat; }
.hw-forest i { position: absolute; top: 50%; border-radius: 50%; background: #17605a; transform: translate(-50%, -50%); }
.hw-forest i.hw-worse { background: #b3362b; }
.hw-bar { width: 6rem; height: .5rem; background: #eceae2; border-radius: 4px; overflow: hidden; }
.hw-bar i { display: block; height: 100%; background: #17605a; }
"""
FOREST_CELL = """
<q-td :props="props"><div class="hw-forest" aria-hidden="true"><i v-if="props.row.place !== null"
  :class="props.row.above ? 'hw-worse' : ''"
  :style="{left: props.row.place + '%', width: props.row.size + 'px', height: props.row.size + 'px'}"></i></div></q-td>
"""
SHARE_CELL = """
<q-td :props="props"><div class="row items-center no-wrap justify-end gap-2">
<span>{{ props.value }}</span><div class="hw-bar" aria-hidden="true"><i :style="{width: props.row.part + '%'}"></i></div></div></q-td>
"""
REACH = 4.0
"""The forest's axis goes from a quarter of the control to four times as much."""


def strata_table(
    say: Speaker, strata: Sequence[Mapping[str, Any]], *, mean: bool = False, less_is_worse: bool = False
) -> ui.table:
    """Each stratum with its ratio as a number and as a dot: the larger the dot, the more of the result rests on it.

    ``mean``: amounts are compared, not events.
    """
    ui.add_css(STYLE)
    rows = [_stratum(say, index, one, less_is_worse) for index, one in enumerate(strata)]
    columns = (
        ("stratum", say("Stratum"), "left"),
        ("ratio", say("Ratio"), "right"),
        ("forest", say("From ÷ 4 to × 4"), "left"),
        ("events", say("Amount, treated and control") if mean else say("Events, treated and control"), "right"),
        ("devices", say("Devices, treated and control"), "right"),
        ("share", say("Share of the result"), "right"),
    )
    made = table(columns, rows)
    made.add_slot("body-cell-forest", FOREST_CELL)
    made.add_slot("body-cell-share", SHARE_CELL)
    return made


def contributors_table(say: Speaker, contributors: Sequence[Mapping[str, Any]], *, mean: bool = False) -> ui.table:
    """The devices that move the result most, each with a link to its page. ``mean``: amounts are compared, not events."""
    ui.add_css(STYLE)
    rows = [_contributor(say, index, one) for index, one in enumerate(contributors)]
    columns = (
        ("device", say("Device"), "left"),
        ("arm", say("Arm"), "left"),
        ("events", say("Amount") if mean else say("Events seen"), "right"),
        ("expected", say("Amount expected") if mean else say("Events expected"), "right"),
        ("share", say("Share of the result"), "right"),
    )
    made = table(columns, rows, links=("device",)).props("wrap-cells")
    made.add_slot("body-cell-share", SHARE_CELL)
    return made


def stratum_name(say: Speaker, stratum: Mapping[str, Any]) -> str:
    """What the devices of a stratum have in common."""
    numbers = {"ratio", "devices", "events", "share"}
    parts = [f"{value}" for name, value in stratum.items() if name not in numbers and value not in (None, "")]
    return " · ".join(parts) or say("all alike")


def _stratum(say: Speaker, index: int, stratum: Mapping[str, Any], less_is_worse: bool) -> dict[str, Any]:
    ratio, part = stratum.get("ratio"), _part(stratum.get("share"))
    drawn = ratio if ratio is not None and ratio > 0 else None
    return {
        "id": index,
        "stratum": stratum_name(say, stratum),
        "ratio": f"× {number(ratio)}" if ratio is not None else "–",
        "forest": "",
        "place": None if drawn is None else _place(drawn),
        "above": drawn is not None and (drawn < 1.0 if less_is_worse else drawn > 1.0),
        "size": round(6 + 10 * math.sqrt(part)),
        "events": _pair(stratum.get("events")),
        "devices": _pair(stratum.get("devices")),
        "share": share(stratum.get("share"), 0),
        "part": round(100 * part),
    }


def _contributor(say: Speaker, index: int, one: Mapping[str, Any]) -> dict[str, Any]:
    device = str(one.get("device") or "")
    return {
        "id": index,
        "device": device,
        "device_to": f"/devices/{quote(device, safe='')}",
        "arm": {"treatment": say("treated"), "control": say("control")}.get(str(one.get("arm")), "–"),
        "events": _amount(one.get("events")),
        "expected": _amount(one.get("expected")),
        "share": share(one.get("share"), 0),
        "part": round(100 * _part(one.get("share"))),
    }


def _part(value: float | None) -> float:
    return min(max(value or 0.0, 0.0), 1.0)


def _place(ratio: float) -> float:
    """Where a ratio's dot lies, per cent of the axis's length."""
    return round(50 + 50 * min(max(math.log(ratio) / math.log(REACH), -1.0), 1.0), 1)


def _pair(values: Sequence[float] | None) -> str:
    return " / ".join(_amount(value) for value in values) if values else "–"


def _amount(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:,.1f}"
