"""The suite `nab` as lines for people: the three scores of ours and of every rival, and how far ours can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.suites import goals

_SCORES = ("standard", "low_fp", "low_fn")


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """One line for each detector, then the variance of ours."""
    ours = answer["results"]
    free = ours["without_lengths"]
    yield (
        f"{ours['series']} series ({ours['missing']} more in the labels are not there, {ours['unlabelled']} files are in no label), "
        f"{ours['windows']} windows that count, {ours['gaps']} points without a value"
    )
    yield " | ".join(("detector", *_SCORES, "found", "false alarms"))
    yield _line("hearthwatch, NAB's protocol", ours)
    yield _line("hearthwatch, no length known", free)
    for name, told in answer["baselines"].items():
        yield _line(name if "published" in name else f"{name} (best threshold on these series)", told)
    yield ""
    yield from goals.lines(answer["goals"])
    for name, told in (("NAB's protocol", ours), ("no length known", free)):
        yield ""
        yield from _variance(name, told["variance"])
    for name, told in ours.get("perturbed", {}).items():
        yield f"{name}: NAB's protocol {_three(told['protocol'])}, no length known {_three(told['without_lengths'])}"


def _line(name: str, told: Mapping[str, Any]) -> str:
    cells = [f"{told[score]:.1f}" for score in _SCORES]
    cells += [f"{told['found']} of {told['windows']}", str(told["false_alarms"])] if "found" in told else ["", ""]
    return " | ".join((name, *cells))


def _variance(name: str, told: Mapping[str, Any]) -> Iterator[str]:
    spread = told["bootstrap"]
    intervals = (
        f"{of} {spread[of]['low']:.1f} to {spread[of]['high']:.1f} (sd {spread[of]['sd']:.1f})" for of in _SCORES
    )
    yield f"{name}, files drawn anew, 95 %: {', '.join(intervals)}"
    folds = told["folds"]
    parts = ", ".join("-" if part is None else f"{part:.1f}" for part in folds["standard"])
    yield f"{name}, standard by fifth of the files: {parts}; threshold from the other fifths: {folds['standard_with_those']:.1f}"
    for threshold, three in told["by_threshold"].items():
        yield f"{name}, threshold {threshold}: {_three(three)}"


def _three(scores: list[float]) -> str:
    return " / ".join(f"{score:.1f}" for score in scores)
