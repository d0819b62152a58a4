"""The answer of ``hearthwatch cohorts`` for a person: a table of all comparisons, and sentences about those that say something."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_HEAD = ("verdict", "model", "value", "metric", "ratio", "95 %", "e", "devices", "others", "events", "others", "alarm")
_RIGHT = frozenset({4, 5, 6, 7, 8, 9, 10})
_GRAVITY = ("worse", "confounded", "better", "same", "too_early")
_LONGEST = 28
_NUMBERS = frozenset({"ratio", "devices", "events", "share"})
_EARLY = 12
"""So many of those that are too early are in the table: the ones with most evidence."""
_NEAR = 3
"""So many of the comparisons that are too early are explained: those nearest to a decision."""


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """The lines to print."""
    found = sorted(answer["comparisons"], key=lambda one: (_GRAVITY.index(one["verdict"]), -one["e"]))
    within = ", ".join(answer["stratified_by"])
    counts = ", ".join(f"{_count(found, word)} {word.replace('_', ' ')}" for word in _GRAVITY if _count(found, word))
    yield f"By {answer['by']}, each value against all others on the same days{f', within {within}' if within else ''}: {counts}."
    needed = found[0]["needed"]
    yield (
        f"Evidence e of {needed:.0f} alone is enough for worse ({len(found)} comparisons, one false discovery in ten allowed); "
        "above 1 is worse, below 1 better."
    )
    yield ""
    said = [one for one in found if one["verdict"] != "too_early"]
    early = [one for one in found if one["verdict"] == "too_early"]
    shown = [*said, *early[:_EARLY]]
    without_model = all(one["model"] is None for one in shown)
    yield from _table([_HEAD, *(_cells(one) for one in shown)], without_model=without_model)
    if len(early) > _EARLY:
        yield f"and {len(early) - _EARLY} more that are too early, with less evidence"
    for one in (*said, *(one for one in early[:_NEAR] if one["e"] > 1.0)):
        yield ""
        yield from _paragraph(one)
    for one in answer["left_out"]:
        yield ""
        yield f"Not compared: {_plain(one['metric'])}; {one['why']}."
    yield ""
    yield "Strata, contributing devices and all numbers: --json. What the words mean: docs/cohorts.md."


def _count(found: Sequence[Mapping[str, Any]], word: str) -> int:
    return sum(one["verdict"] == word for one in found)


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    events = ".0f" if one["kind"] != "mean" else ".4g"
    return (
        one["verdict"].replace("_", " "),
        _plain(one["model"] or "-"),
        _plain(one["treatment"]),
        _plain(one["metric"]),
        _number(one["ratio"]),
        f"{_number(one['low'])} .. {_number(one['high'], unbounded='any')}" if one["low"] is not None else "-",
        f"{one['e']:.3g}",
        str(one["devices"]),
        str(one["control_devices"]),
        f"{one['events']:{events}}",
        f"{one['control_events']:{events}}",
        (one["first_alarm_at"] or "-")[:10],
    )


def _table(rows: Sequence[Sequence[str]], *, without_model: bool) -> Iterator[str]:
    shown = [place for place in range(len(_HEAD)) if not (without_model and place == 1)]
    widths = {place: max(len(row[place]) for row in rows) for place in shown}
    for row in rows:
        cells = [
            row[place].rjust(widths[place]) if place in _RIGHT else row[place].ljust(widths[place]) for place in shown
        ]
        yield "  ".join(cells).rstrip()


def _paragraph(one: Mapping[str, Any]) -> Iterator[str]:
    model = f"{_plain(one['model'])}, " if one["model"] else ""
    yield f"{one['verdict'].replace('_', ' ')}: {model}{_plain(one['treatment'])}, {_plain(one['metric'])}"
    yield from textwrap.wrap(_plain(one["why"], 2000), width=110, initial_indent="  ", subsequent_indent="  ")
    if one["verdict"] in {"worse", "confounded"}:
        yield from _where(one)


def _where(one: Mapping[str, Any]) -> Iterator[str]:
    """The strata and devices that count most, each in a line."""
    strata = [f"{_stratum(each)}: x {_number(each['ratio'])} ({each['share']:.0%})" for each in one["strata"][:_NEAR]]
    if len(one["strata"]) > 1:
        yield f"  where it shows: {'; '.join(strata)}"
    moving = [
        f"{_plain(each['device'])} ({'' if each['arm'] == 'treatment' else 'other, '}{each['share']:.0%})"
        for each in one["contributors"][:_NEAR]
    ]
    if moving:
        yield f"  devices that count most: {', '.join(moving)}"


def _stratum(one: Mapping[str, Any]) -> str:
    names = [str(value) for name, value in one.items() if name not in _NUMBERS and value is not None]
    return _plain(", ".join(names) or "all")


def _number(value: float | None, unbounded: str = "-") -> str:
    return unbounded if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _plain(text: str, longest: int = _LONGEST) -> str:
    """A text of the data as a terminal may show it: no control characters, not too long."""
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
