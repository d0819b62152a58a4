"""The suite `asd` as lines for people: each series and the mean, ours beside its rivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.suites import goals


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Average precision / hit_at_3 of every method, then how far ours is ahead with 95 % intervals."""
    methods: dict[str, Mapping[str, Any]] = {"hearthwatch": answer["results"], **answer["baselines"]}
    yield " | ".join(("average precision / hit_at_3", "segments", *methods))
    for name, row in answer["results"].items():
        yield " | ".join((name, str(row["segments"]), *(_said(of[name]) for of in methods.values())))
    yield ""
    for name, of in methods.items():
        yield f"{name}: {_said(of['mean'])}{_ranges(of['mean'])}"
    yield ""
    for rival, ahead in answer["results"]["mean"]["ahead_of"].items():
        yield f"ahead of {rival}: " + "; ".join(
            f"{measure} {_number(row['difference'], '+')} (series drawn anew {_range(row['by_series'])}, "
            f"segments {_range(row['by_segments'])})"
            for measure, row in ahead.items()
        )
    yield ""
    yield from goals.lines(answer["goals"])


def _said(row: Mapping[str, Any]) -> str:
    return f"{_number(row['average_precision'])} / {_number(row['hit_at_3'])}"


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3f}"


def _ranges(row: Mapping[str, Any]) -> str:
    return ", 95 % with series drawn anew {} / {}, with segments drawn anew {} / {}".format(
        *(_range(row[way][measure]) for way in ("by_series", "by_segments") for measure in row[way])
    )


def _range(ends: list[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
