"""The suite `cmapss` for people: a line for each method and set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.suites import goals

HEADING = (
    "method | set | judged on | engines | RMSE [95 %] | NASA score | P10-P90 coverage [95 %] | below P10, above P90 | "
    "left out: RMSE, coverage"
)


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Ours first, then the baselines; cycles, per cent of engines, and beside each what training engines that were left out gave."""
    yield f"remaining life capped at {answer['cap']:g} cycles"
    yield HEADING
    for method, told in (("hearthwatch", answer["results"]), *answer["baselines"].items()):
        for name, row in told.items():
            yield " | ".join((method, name, row["protocol"], *_figures(row)))
    yield from goals.lines(answer["goals"])


def _figures(row: Mapping[str, Any]) -> Iterator[str]:
    low, high = row["rmse_95"]
    yield str(row["engines"])
    yield f"{row['rmse']:.2f} [{low:.2f}, {high:.2f}]"
    yield f"{row['score']:.0f}"
    low, high = row["coverage_95"]
    yield f"{100 * row['coverage']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    yield f"{100 * row['below_p10']:.1f} %, {100 * row['above_p90']:.1f} %"
    yield f"{row['left_out']['rmse']:.2f}, {100 * row['left_out']['coverage']:.1f} %"
