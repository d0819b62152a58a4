"""How one metric was tested: rate against first events, with and without the past, and the placebo on the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from api.pages.look_charts import Looked
from api.pages.tables import table
from api.pages.wording import evidence, number
from hearthwatch.values import Release

COLUMNS = (
    ("test", "Test", "left"),
    ("e", "Evidence e", "right"),
    ("ratio", "Ratio", "right"),
    ("interval", "95 % at all looks", "right"),
)
SILENT = "may not speak"


def tests_table(look: Looked) -> ui.table:
    """The tests behind the evidence, one a row."""
    return table(COLUMNS, rows(look)).props("wrap-cells")


def rows(look: Looked) -> list[dict[str, Any]]:
    """The rows of `tests_table`."""
    detail = look.detail
    randomised = detail.get("assignment") == "randomised"
    what = "Mean" if detail.get("kind") == "mean" else "Rate"
    past = "made sharper by each device's own past" if randomised else "each device against its own past"
    rate = None if look.e_rate is None else (look.ratio, look.low, look.high)
    both = look.e_rate is not None and look.e_first is not None
    found = [_row("together", "Together: the larger one, halved" if both else "Together", look.e, None)]
    if detail.get("kind") != "first_event":
        found.append(_row("rate", f"{what}, {past}", look.e_rate, rate))
    if detail.get("kind") != "mean":
        found.append(_row("first", "First events of devices", look.e_first, detail.get("first")))
    if detail.get("unadjusted"):
        plain = _row("plain", f"{what}, without regard to the past (for comparison only)", None, detail["unadjusted"])
        found.append(plain | {"e": "–"})
    return found


def _row(key: str, test: str, e: float | None, ratio: Sequence[float | None] | None) -> dict[str, Any]:
    value, low, high = ratio or (None, None, None)
    return {
        "id": key,
        "test": test,
        "e": SILENT if e is None else evidence(e),
        "ratio": "–" if value is None else f"× {number(value)}",
        "interval": "–" if low is None else f"{number(low)} to {'any number' if high is None else number(high)}",
    }


def placebo_says(release: Release, look: Looked, guard: int) -> list[str]:
    """Whether the devices were alike before the release, and what follows from it. ``guard`` is the devices with events that are needed."""
    detail = look.detail
    before, differed = detail.get("before"), bool(detail.get("arms_differed"))
    said = []
    if detail.get("arms_drifted"):
        said.append(
            "Placebo: even the two halves of the time before the release moved apart between those devices and the others. "
            "So nothing they do now can be laid to the release."
        )
    if detail.get("kind") == "first_event":
        said.append(
            "First events of devices are compared with nothing before the release: they need waves drawn by lot."
        )
    elif before is None:
        said.append(
            "Placebo: the time before the release can not be compared, because it is too short or has too few events "
            f"({guard} devices with events in each arm are needed)."
        )
    elif differed:
        said.append(
            f"Placebo: before the release, the devices that now run it had {number(before)} times the rate of the others, "
            "which is more than chance. They were different devices from the start."
        )
    else:
        said.append(
            f"Placebo: over the time before the release the same comparison gives × {number(before)}, which may be chance. "
            "The devices were alike as far as their past can tell."
        )
    return [*said, _assignment_says(release, believed=str(detail.get("assignment") or release.assignment))]


def _assignment_says(release: Release, *, believed: str) -> str:
    if release.assignment == "randomised" and believed != "randomised":
        return (
            "The waves were announced as drawn by lot; the past refutes it, so each device is compared with its own past instead, "
            "and first events may not speak."
        )
    if release.assignment == "randomised":
        return "The waves were drawn by lot, so rates and first events may both speak."
    return (
        "It is not known that the waves were drawn by lot, so only the comparison of each device with its own past may say that the "
        "release is worse: who updates first is often not like the others."
    )
