"""The suite `backblaze` as lines for people: scores beside the rivals', intervals, goals, and what is not said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analytics.suites import goals

_COLUMNS = ("average_precision", "auc", "brier", "ece", "observed_expected")
_WAYS = ("by_device", "by_day", "by_both")


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """A table of scores, one of intervals for drives seen and unseen, then the goals and the other horizons."""
    results: Mapping[str, Any] = answer["results"]
    yield (
        f"{results['devices']} drives, {results['failures']} failures, cut {results['cut'][:10]}, "
        f"horizon {results['horizon_days']} days: {results['test']['positives']} of {results['test']['rows']} test rows fail"
    )
    yield " | ".join(("", *_COLUMNS))
    ours = {"hearthwatch": results["test"], "hearthwatch, unseen drives": results["unseen_devices"]}
    for name, row in {**ours, **answer["baselines"]}.items():
        yield " | ".join((name, *(_number(row[column]) for column in _COLUMNS)))
    for part, bounds in results["intervals"].items():
        yield ""
        yield " | ".join((f"{part}, 95 % intervals", "value", *_WAYS))
        for name, bound in bounds.items():
            yield " | ".join((name, _number(bound["value"]), *(_range(bound[way]) for way in _WAYS)))
    yield ""
    yield from goals.lines(answer["goals"])
    yield ""
    for days, told in results["other_horizons"].items():
        yield f"{days} days: {told['why'] if told['abstained'] else _number(told['test']['average_precision'])}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _range(ends: Sequence[float | None]) -> str:
    return f"{_number(ends[0])} to {_number(ends[1])}"
