"""The answer of ``hearthwatch cohorts`` as a person reads it."""

from __future__ import annotations

from typing import Any

from hearthwatch.run.cohort_table import lines

ONE: dict[str, Any] = {
    "model": None,
    "treatment": "B7",
    "metric": "failures",
    "kind": "rate",
    "verdict": "too_early",
    "ratio": None,
    "low": None,
    "high": None,
    "e": 0.5,
    "needed": 180.0,
    "devices": 40,
    "control_devices": 400,
    "events": 3.0,
    "control_events": 12.0,
    "first_alarm_at": None,
    "why": "Not settled yet.",
    "strata": [],
    "contributors": [],
}
WORSE = ONE | {
    "verdict": "worse",
    "treatment": "B8",
    "ratio": 2.5,
    "low": 1.2,
    "high": None,
    "e": 900.0,
    "first_alarm_at": "2025-02-03T00:00:00Z",
    "why": "Devices on batch B8 fail 2.50 times as often.",
    "strata": [{"hardware": "A", "ratio": 3.0, "share": 0.8}, {"hardware": "B", "ratio": None, "share": 0.2}],
    "contributors": [
        {"device": "d-1", "arm": "treatment", "share": 0.25},
        {"device": "d-9", "arm": "control", "share": 0.1},
    ],
}


def printed(*found: dict[str, Any], left_out: Any = ()) -> str:
    answer = {"by": "batch", "stratified_by": ["hardware"], "left_out": list(left_out), "comparisons": list(found)}
    return "\n".join(lines(answer))


def test_a_value_that_writes_to_the_terminal_is_only_shown() -> None:
    told = printed(ONE | {"treatment": "\x1b[31mB7\x07", "why": "a\nb\x1b[2J"})
    assert "\x1b" not in told
    assert "\x07" not in told


def test_the_gravest_stands_first_with_what_it_rests_on() -> None:
    told = printed(ONE, WORSE).splitlines()
    assert told[0] == "By batch, each value against all others on the same days, within hardware: 1 worse, 1 too early."
    assert "180 alone is enough" in told[1]
    assert told[4].split() == [
        "worse",
        "B8",
        "failures",
        "2.50",
        "1.20",
        "..",
        "any",
        "900",
        "40",
        "400",
        "3",
        "12",
        "2025-02-03",
    ]
    assert "  where it shows: A: x 3.00 (80%); B: x - (20%)" in told
    assert "  devices that count most: d-1 (25%), d-9 (other, 10%)" in told


def test_what_is_too_early_with_little_evidence_is_counted_and_not_listed() -> None:
    told = printed(*(ONE | {"treatment": f"B{number}"} for number in range(20)))
    assert "and 8 more that are too early" in told
    assert sum(line.startswith("too early ") for line in told.splitlines()) == 12


def test_a_metric_that_can_not_be_compared_is_named_with_the_reason() -> None:
    assert "Not compared: heat; it has no zero." in printed(ONE, left_out=[{"metric": "heat", "why": "it has no zero"}])
