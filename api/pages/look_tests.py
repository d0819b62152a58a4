"""How one metric was tested: rate against first events, with and without the past, and the placebo on the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from api.pages.language import Speaker
from api.pages.look_charts import Looked
from api.pages.tables import table, worded
from api.pages.wording import evidence, number
from hearthwatch.values import Release

COLUMNS = (
    ("test", "Test", "left"),
    ("e", "Evidence e", "right"),
    ("ratio", "Ratio", "right"),
    ("interval", "95 % at all looks", "right"),
)


def tests_table(say: Speaker, look: Looked) -> ui.table:
    """The tests behind the evidence, one a row."""
    return table(worded(say, COLUMNS), rows(say, look)).props("wrap-cells")


def rows(say: Speaker, look: Looked) -> list[dict[str, Any]]:
    """The rows of `tests_table`."""
    detail = look.detail
    randomised = detail.get("assignment") == "randomised"
    mean = detail.get("kind") == "mean"
    rate = None if look.e_rate is None else (look.ratio, look.low, look.high)
    both = look.e_rate is not None and look.e_first is not None
    together = say("Together: the larger one, halved") if both else say("Together")
    found = [_row(say, "together", together, look.e, None)]
    if detail.get("kind") != "first_event":
        found.append(_row(say, "rate", _rate(say, mean=mean, randomised=randomised), look.e_rate, rate))
    if not mean:
        found.append(_row(say, "first", say("First events of devices"), look.e_first, detail.get("first")))
    if detail.get("unadjusted"):
        what = (
            say("Mean, without regard to the past (for comparison only)")
            if mean
            else say("Rate, without regard to the past (for comparison only)")
        )
        found.append(_row(say, "plain", what, None, detail["unadjusted"]) | {"e": "–"})
    return found


def _rate(say: Speaker, *, mean: bool, randomised: bool) -> str:
    if mean:
        return (
            say("Mean, made sharper by each device's own past")
            if randomised
            else say("Mean, each device against its own past")
        )
    return (
        say("Rate, made sharper by each device's own past")
        if randomised
        else say("Rate, each device against its own past")
    )


def _row(say: Speaker, key: str, test: str, e: float | None, ratio: Sequence[float | None] | None) -> dict[str, Any]:
    value, low, high = ratio or (None, None, None)
    return {
        "id": key,
        "test": test,
        "e": say("may not speak") if e is None else say(evidence(e)),
        "ratio": "–" if value is None else f"× {number(value)}",
        "interval": "–" if low is None else interval(say, low, high),
    }


def interval(say: Speaker, low: float | None, high: float | None) -> str:
    """An interval of ratios; without an upper end it is open above."""
    return say("{low} to {high}", low=number(low), high=say("any number") if high is None else number(high))


def ratio_within(say: Speaker, look: Looked) -> str:
    """The ratio of a look, with its interval where one is known."""
    within = f" ({interval(say, look.low, look.high)})" if look.low is not None else ""
    return f"× {number(look.ratio)}{within}"


def placebo_says(say: Speaker, release: Release, look: Looked, guard: int) -> list[str]:
    """Whether the devices were alike before the release, and what follows from it. ``guard`` is the devices with events that are needed."""
    detail = look.detail
    before, differed = detail.get("before"), bool(detail.get("arms_differed"))
    said = []
    if detail.get("arms_drifted"):
        said.append(
            say(
                "Placebo: even the two halves of the time before the release moved apart between those devices and the others. "
                "So nothing they do now can be laid to the release."
            )
        )
    if detail.get("kind") == "first_event":
        said.append(
            say("First events of devices are compared with nothing before the release: they need waves drawn by lot.")
        )
    elif before is None:
        said.append(
            say(
                "Placebo: the time before the release can not be compared, because it is too short or has too few events "
                "({guard} devices with events in each arm are needed).",
                guard=guard,
            )
        )
    elif differed:
        said.append(
            say(
                "Placebo: before the release, the devices that now run it had {ratio} times the rate of the others, "
                "which is more than chance. They were different devices from the start.",
                ratio=number(before),
            )
        )
    else:
        said.append(
            say(
                "Placebo: over the time before the release the same comparison gives × {ratio}, which may be chance. "
                "The devices were alike as far as their past can tell.",
                ratio=number(before),
            )
        )
    return [*said, _assignment_says(say, release, believed=str(detail.get("assignment") or release.assignment))]


def _assignment_says(say: Speaker, release: Release, *, believed: str) -> str:
    if release.assignment == "randomised" and believed != "randomised":
        return say(
            "The waves were announced as drawn by lot; the past refutes it, so each device is compared with its own past instead, "
            "and first events may not speak."
        )
    if release.assignment == "randomised":
        return say("The waves were drawn by lot, so rates and first events may both speak.")
    return say(
        "It is not known that the waves were drawn by lot, so only the comparison of each device with its own past may say that the "
        "release is worse: who updates first is often not like the others."
    )
