"""Sentences of which the reason of a verdict is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.cohorts.panel import time_of
from analytics.cohorts.spec import Metric
from analytics.cohorts.weighing import Ratio, Weight
from analytics.sequential.detector import RUN_LENGTH_DAYS
from hearthwatch.said import Said

NO_PAST = Said(
    "But devices changed it at different times, and too few are known with events of their own before that: "
    "who changed first can not be told from what it does."
)


@dataclass(frozen=True, slots=True)
class Names:
    """How the arms are called in sentences; a `Said` where it is more than a name."""

    treatment: str
    control: str


def effect(metric: Metric, weight: Weight, names: Names) -> Said | None:
    """The effect with its interval; None where none can be given."""
    ratio = weight.ratio
    if ratio is None:
        return None
    how = Said("")
    if weight.rate is None and weight.first is not None:
        how = Said(", by first events")
    elif weight.rate is not None and weight.assignment != "randomised":
        how = Said(", each device against its own past")
    return Said(
        "Devices on {treatment} {says} {ratio} times as {how_much} as on {control} at the same time (95 %: {low} to {high}{by}).",
        treatment=names.treatment,
        control=names.control,
        says=metric.does,
        how_much=Said(metric.how),
        ratio=_number(ratio.value),
        low=_number(ratio.low),
        high=_number(ratio.high),
        by=how,
    )


def lately(metric: Metric, weight: Weight, names: Names) -> Said | None:
    """What the detector of late regressions saw, if it runs."""
    late = weight.late
    if late is None:
        return None
    return Said(
        "Since {day} devices on {treatment} {says} {ratio} times as {how_much} as on {control} at the same time{began}.",
        day=f"{time_of(late.since):%Y-%m-%d}",
        treatment=names.treatment,
        control=names.control,
        says=metric.does,
        how_much=Said(metric.how),
        ratio=_number(late.ratio),
        began=Said("") if late.whole else Said(": it began late"),
    )


def suspected(metric: Metric, ratio: Ratio, names: Names) -> Said:
    """A suspicion that no test may speak of."""
    return Said(
        "But devices on {treatment} {says} {ratio} times as {how_much} as the others.",
        treatment=names.treatment,
        says=metric.does,
        how_much=Said(metric.how),
        ratio=_number(ratio.value),
    )


def late_proof() -> Said:
    """What a late regression rests on."""
    return Said(
        "By chance this would be said of any release once in {days} days at most.", days=f"{RUN_LENGTH_DAYS:.0f}"
    )


def proof(weight: Weight, needed: float | None) -> Said:
    """What `worse` rests on; ``needed`` is the e-value that was enough, None where nothing is added to what was shown before."""
    if needed is not None:
        return Said(
            "Evidence {e} against chance; {needed} is enough.",
            e=_number(np.exp(min(weight.log_e, 700.0))),
            needed=_number(needed),
        )
    return Said("It was shown before and nothing has refuted it since.")


def meaning(metric: Metric, settled: str) -> Said:
    """What an interval has settled."""
    if settled == "better":
        below = metric.direction == "more"
        return Said("The whole interval lies below 1.") if below else Said("The whole interval lies above 1.")
    low, high = metric.bounds
    return Said("The whole interval lies within {low} to {high}.", low=f"{low:.2f}", high=f"{high:.2f}")


def drifted(names: Names) -> Said:
    """That the arms moved apart before."""
    return Said(
        "The devices that have {treatment} were already drifting away from the others before it came, "
        "so what they do now can not be laid at its door.",
        treatment=names.treatment,
    )


def differed(metric: Metric, weight: Weight, names: Names) -> Said:
    """That the arms differed before."""
    before = weight.before or 1.0
    told = {
        "treatment": names.treatment,
        "says": metric.does,
        "ratio": _number(before),
        "how_much": Said(metric.how),
    }
    if before > 1:
        return Said(
            "The devices that have {treatment} did {says} {ratio} times as {how_much} as the others already before it came.",
            **told,
        )
    return Said(
        "The devices that have {treatment} did {says} only {ratio} times as {how_much} already before it came.", **told
    )


def lacking(metric: Metric, weight: Weight, names: Names, guard: int) -> Sequence[Said | None]:
    """What there is too little of; the effect where it is only not settled."""
    treated, control = weight.devices
    if not treated or not control:
        missing = names.treatment if not treated else names.control
        return [Said("No hours on {missing} at a time when the other ran as well.", missing=missing)]
    open_ = [Said("Not settled yet."), effect(metric, weight, names)]
    few = min(weight.devices_with_events)
    if weight.assignment == "randomised":
        if few < guard and metric.repeats:
            exact = Said("only the exact test of first events may speak")
            return [
                Said(
                    "{seen} of the smaller arm: below {guard} {exact}.",
                    seen=_seen(metric, few),
                    guard=guard,
                    exact=exact if metric.has_first_events else Said("nothing is said"),
                )
            ]
        return open_
    if not metric.repeats:
        return [Said("First events can be compared only where the waves were randomised.")]
    if not weight.past_known:
        return [
            Said(
                "It is not known that the waves were randomised, and too few devices were seen with events before the update "
                "({guard} in each arm are needed), so who updated first can not be told from what the release does.",
                guard=guard,
            )
        ]
    if few < guard:
        return [
            Said(
                "{seen} of the smaller arm: {guard} are needed where the waves were not randomised.",
                seen=_seen(metric, few),
                guard=guard,
            )
        ]
    return open_


def _seen(metric: Metric, few: int) -> Said:
    if metric.kind == "mean":
        return Said("Measured on {few} devices", few=few)
    return Said("Events on {few} devices", few=few)


def _number(value: float) -> str:
    if not np.isfinite(value):
        return Said("any number")
    if value >= 1e5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}"
