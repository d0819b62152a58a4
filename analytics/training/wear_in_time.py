"""What a wear model would have been worth had it been learned earlier: learned from what was known by a day, judged by what came after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from analytics.labels import Labels
from analytics.panel import Panel, day_start
from analytics.remaining_life.fleet import PartModel, learn, tell
from analytics.remaining_life.parts import PartLife

PAST_SHARE = 0.7
"""So many of the days are learned from; what came in the others judges."""

LivesOf = Callable[[Panel, Labels], list[PartLife]]


def in_time(panel: Panel, labels: Labels, lives_of: LivesOf, min_failures: int) -> dict[str, Any] | None:
    """How many parts at work on the last day learned from failed sooner than their P10, and by their P50: a tenth and a half are meant.

    A quantile is judged where the data reach so far ahead, which depends on the forecast alone. A part that was replaced while it worked
    or that vanished before is left out. None where nothing could have been learned by that day.
    """
    days = int(PAST_SHARE * panel.days)
    past = _until(panel, days)
    lives = lives_of(past, _known_by(labels, panel.first_day + days - 1))
    model = learn(lives, min_failures=min_failures)
    if not isinstance(model, PartModel):
        return None
    came = _numbered(lives_of(panel, labels))
    at_work = [(key, life) for key, life in _numbered(lives).items() if life.at_work]
    told = [
        (said, float(life.history.age[-1]), came[key])
        for (key, life), said in zip(at_work, tell(model, lives, panel.devices), strict=True)
        if said.why is None and key in came
    ]
    reach = float(panel.days - days)
    sooner = [_failed_within(said.p10 or 0.0, age, life, reach) for said, age, life in told]
    middle = [_failed_within(said.p50 or 0.0, age, life, reach) for said, age, life in told]
    return {
        "learned_until": day_start(panel.first_day + days - 1).date().isoformat(),
        "told": len(told),
        **_share("sooner_than_p10", sooner),
        **_share("by_p50", middle),
    }


def _until(panel: Panel, days: int) -> Panel:
    return replace(
        panel,
        values={name: values[:, :days] for name, values in panel.values.items()},
        totals={name: values[:, :days] for name, values in panel.totals.items()},
        firmware=panel.firmware[:, :days],
        present=panel.present[:, :days],
    )


def _known_by(labels: Labels, last: int) -> Labels:
    """As the labels stood at the end of a day."""
    failures, renewed = (
        {key: [day for day in days if day <= last] for key, days in of.items()}
        for of in (labels.failures, labels.renewed)
    )
    return Labels(labels.by_model, failures, renewed)


def _numbered(lives: Sequence[PartLife]) -> dict[tuple[int, int], PartLife]:
    """Lives by device and place among the device's: the same life has the same number however far it is known."""
    found: dict[tuple[int, int], PartLife] = {}
    for life in lives:
        place = 0
        while (life.device, place) in found:
            place += 1
        found[life.device, place] = life
    return found


def _failed_within(days: float, age: float, life: PartLife, reach: float) -> bool | None:
    """Whether a part of an age failed within some days; None where that cannot be known."""
    if days > reach:
        return None
    if life.history.failed_at is not None:
        return bool(life.history.failed_at - age <= days)
    return False if life.history.known_until - age >= days else None


def _share(name: str, judged: Sequence[bool | None]) -> dict[str, Any]:
    known = [each for each in judged if each is not None]
    return {name: round(sum(known) / len(known), 3) if known else None, f"{name}_judged": len(known)}
