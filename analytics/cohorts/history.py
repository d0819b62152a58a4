"""Was a release, a batch or a hardware revision worse? Asked of a history, day by day, with the tests of the live watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analytics.cohorts.days import FAILURES, DeviceDays, device_days
from analytics.cohorts.group import Contrast, Group, groups_of
from analytics.cohorts.spec import BY_NAME, Metric
from analytics.cohorts.verdict import Names, Standing, judge
from analytics.cohorts.weighing import NO_EVIDENCE, Weight, weigh
from analytics.sequential.ebh import e_bh
from analytics.sequential.mixture import Floats
from hearthwatch.errors import Invalid
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.reader import read_history

LEAST_DEVICES = 30
MARGIN = 1.05
GUARD = 30
PAGE_FDR, WATCH_FDR = 0.10, 0.20
LOOKS = 120
OTHERS = "all others"


@dataclass(frozen=True, slots=True)
class _Course:
    """One comparison over time: ``log_e`` and whether the interval lay above 1 at the end of each of ``days`` (since 1970)."""

    group: Group
    treatment: str
    metric: Metric
    days: Sequence[int]
    log_e: Floats
    above: Sequence[bool]
    weight: Weight


def compare_history(path: Path, mapping: Path, by: str) -> Mapping[str, Any]:
    """Compare each value of the column ``by`` that has at least 30 devices with all others of its model on the same days.

    Returns ``comparisons``, ready for JSON, the most telling first. Raises `Invalid` naming file, column or what is missing.
    """
    found = device_days(read_history(path, read_mapping(mapping)), by)
    courses = [course for group in groups_of(found) for course in _courses(group, found)]
    if not courses:
        raise Invalid(f"no value of {by} has {LEAST_DEVICES} devices beside {LEAST_DEVICES} others on the same days")
    alarms = _alarms(courses)
    order = sorted(range(len(courses)), key=lambda index: -courses[index].weight.log_e)
    return {
        "by": by,
        "stratified_by": list(found.strata) + ([] if by == "firmware" else ["firmware"]),
        "comparisons": [_comparison(courses[index], by, alarms[index], len(courses)) for index in order],
    }


def _courses(group: Group, found: DeviceDays) -> Iterator[_Course]:
    for value in group.values:
        contrast = group.contrast(value)
        if contrast is None or min(contrast.sizes) < LEAST_DEVICES:
            continue
        for name in found.happened:
            yield _course(group, contrast, group.was_adopted(value), found.values[value], _metric(name))


def _course(group: Group, contrast: Contrast, adopted: bool, treatment: str, metric: Metric) -> _Course:
    """Follow one comparison through the history."""
    days, log_e, above = [], [], []
    for day, stream in contrast.follow(metric, MARGIN, LOOKS):
        # What devices never changed is compared as if it had been drawn by lot: "it does not matter" makes them exchangeable.
        weight = weigh(stream, "unknown" if adopted else "randomised", margin=MARGIN, guard=GUARD)
        days.append(day)
        log_e.append(weight.log_e)
        above.append(weight.ratio is not None and weight.ratio.low > 1.0)
    return _Course(group, treatment, metric, days, np.array(log_e), above, weight)


def _metric(name: str) -> Metric:
    says = "fail" if name == FAILURES else BY_NAME[name].says if name in BY_NAME else f"report {name}"
    return Metric(name, source="reboots", mode=name, says=says, repeats=True)


def _alarms(courses: Sequence[_Course]) -> list[int | None]:
    """The day after which e-BH first chose each comparison among all of them, or None."""
    first: list[int | None] = [None] * len(courses)
    for day in sorted({day for course in courses for day in course.days}):
        places = [int(np.searchsorted(course.days, day, side="right")) - 1 for course in courses]
        now = np.array(
            [course.log_e[at] if at >= 0 else NO_EVIDENCE for course, at in zip(courses, places, strict=True)]
        )
        for index in np.flatnonzero(e_bh(now, PAGE_FDR)).tolist():
            if first[index] is None and courses[index].above[places[index]]:
                first[index] = day
    return first


def _comparison(course: _Course, by: str, alarm: int | None, count: int) -> Mapping[str, Any]:
    weight, group = course.weight, course.group
    standing = Standing(
        paged=alarm is not None and weight.log_e >= np.log(count / PAGE_FDR),
        watched=weight.log_e >= np.log(count / WATCH_FDR),
        latched=alarm is not None,
        needed=count / PAGE_FDR,
    )
    names = Names(f"{by} {course.treatment}", OTHERS)
    verdict = judge(course.metric, weight, standing, names, guard=GUARD, margin=MARGIN, final=True)
    ratio = verdict.ratio
    return {
        "model": group.model,
        "by": by,
        "treatment": course.treatment,
        "control": OTHERS,
        "metric": course.metric.name,
        "verdict": verdict.word,
        "ratio": ratio.value if ratio and np.isfinite(ratio.value) else None,
        "low": ratio.low if ratio else None,
        "high": ratio.high if ratio and np.isfinite(ratio.high) else None,
        "e": float(np.exp(min(weight.log_e, 700.0))),
        "devices": weight.devices[0],
        "exposure_hours": weight.hours[0],
        "events": weight.events[0],
        "control_devices": weight.devices[1],
        "control_exposure_hours": weight.hours[1],
        "control_events": weight.events[1],
        "first_alarm_at": _end_of(alarm) if alarm is not None and verdict.word == "worse" else None,
        "why": verdict.why,
    }


def _end_of(day: int) -> str:
    return datetime.fromtimestamp((day + 1) * 86_400, UTC).isoformat().replace("+00:00", "Z")
