"""Was a release, a batch or a hardware revision worse? Asked of a history, day by day, with the tests of the live watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analytics.cohorts.days import FAILURES, DeviceDays, device_days
from analytics.cohorts.decision import Decision
from analytics.cohorts.dimension_words import Basis, basis_of, with_basis
from analytics.cohorts.group import Contrast, Followed, Group, groups_of
from analytics.cohorts.history_detail import decision_of, devices_of, strata_of
from analytics.cohorts.spec import BY_NAME, Metric
from analytics.cohorts.verdict import Standing, judge
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import NO_EVIDENCE, Weight, weigh
from analytics.sequential.ebh import e_bh
from analytics.sequential.mixture import Floats
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS, mode_of_metric
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.reader import read_history
from hearthwatch.history.values import HistoryMetric
from hearthwatch.said import Said
from hearthwatch.values import Assignment

LEAST_DEVICES = 30
MARGIN = 1.05
GUARD = 30
PAGE_FDR, WATCH_FDR = 0.10, 0.20
LOOKS = 120
OTHERS = "all others"


@dataclass(frozen=True, slots=True)
class _Course:
    """One comparison over time: ``log_e`` and whether the interval lay on the worse side at the end of each of ``days`` (since 1970)."""

    group: Group
    treatment: str
    metric: Metric
    basis: Basis
    days: Sequence[int]
    log_e: Floats
    above: Sequence[bool]
    weight: Weight
    decision: Decision | None
    strata: Sequence[Mapping[str, Any]]
    contributors: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Question:
    """What is compared of which value."""

    group: Group
    value: int
    metrics: Sequence[Metric]


def compare_history(path: Path, mapping: Path, by: str, assignment: Assignment | None = None) -> Mapping[str, Any]:
    """Compare each value of the column ``by`` that has at least 30 devices with all others of its model on the same days.

    ``assignment`` says how devices came to another value; absent, the mapping does. Returns ``comparisons``, ready for JSON, the most
    telling first. Raises `Invalid` naming file, column or what is missing.
    """
    given = read_mapping(mapping)
    assigned = assignment or given.cohorts.assignment
    found = device_days(read_history(path, given), by)
    metrics = _metrics(found)
    questions = [question for group in groups_of(found) for question in _questions(group, metrics)]
    if not questions:
        raise Invalid(_nothing(found, by), where=f"--by {by}")
    count = sum(len(question.metrics) for question in questions)
    courses = [course for question in questions for course in _courses(question, found, by, assigned, count)]
    alarms = _alarms(courses)
    order = sorted(range(len(courses)), key=lambda index: -courses[index].weight.log_e)
    return {
        "by": by,
        "assignment": assigned,
        "stratified_by": list(found.strata) + ([] if by == "firmware" or not found.firmware else ["firmware"]),
        "left_out": [{"metric": name, "why": why} for name, why in found.compared.left_out],
        "comparisons": [_comparison(courses[index], by, alarms[index], len(courses)) for index in order],
    }


def _metrics(found: DeviceDays) -> list[Metric]:
    """What is compared: what happened, days on which counters grew, and gauges."""
    counters = {metric.name: metric for metric in found.compared.counters}
    happened = [
        _growth(counters[name]) if name in counters else _events(name)
        for name, days in found.happened.items()
        if days.size
    ]
    return happened + [_gauge(metric) for metric in found.compared.gauges if metric.name in found.gauges]


def _events(name: str) -> Metric:
    if name == UNEXPECTED_REBOOTS:
        return BY_NAME[name]
    says = "fail" if name == FAILURES else "report {name}"
    return Metric(name, source="reboots", mode=name, says=says, repeats=True)


def _growth(metric: HistoryMetric) -> Metric:
    says = "have days on which {name} grows"
    return Metric(
        metric.name, "counter", mode_of_metric(metric.name).id, says, repeats=True, unit="days", of=metric.name
    )


def _gauge(metric: HistoryMetric) -> Metric:
    falls = metric.measure == "fall"
    return Metric(
        metric.name,
        source=metric.measure,
        mode=mode_of_metric(metric.name).id,
        says="lose {name}" if falls else "show {name}",
        repeats=True,
        kind="mean",
        direction="less" if metric.direction == "low" else "more",
        unit=metric.unit or "",
        how="fast" if falls else "high",
        of=metric.name,
    )


def _questions(group: Group, metrics: Sequence[Metric]) -> Iterator[_Question]:
    for value in group.values:
        contrast = group.contrast(value)
        if contrast is not None and min(contrast.sizes) >= LEAST_DEVICES:
            yield _Question(group, value, [metric for metric in metrics if contrast.tells(metric)])


def _nothing(found: DeviceDays, by: str) -> str:
    """Why nothing can be compared."""
    least = f"no value of {by} has {LEAST_DEVICES} devices beside {LEAST_DEVICES} others of its model on the same days"
    if by != "model" and np.unique(found.models).size > 1:
        return f"{least}; where it comes with the model, what differs is the model: try --by model"
    return least


def _courses(question: _Question, found: DeviceDays, by: str, assignment: Assignment, count: int) -> Iterator[_Course]:
    contrast = question.group.contrast(question.value)
    if contrast is None:
        return
    adopted = question.group.was_adopted(question.value)
    basis = basis_of(adopted=adopted, randomised=assignment == "randomised")
    for metric in question.metrics:
        yield _course(question, contrast, metric, basis, found, by, count / PAGE_FDR)


def _course(
    question: _Question, contrast: Contrast, metric: Metric, basis: Basis, found: DeviceDays, by: str, needed: float
) -> _Course:
    """Follow one comparison through the history."""
    # What devices never changed is compared as if it had been drawn by lot: "it does not matter" makes them exchangeable.
    assigned: Assignment = "unknown" if basis == "own_past" else "randomised"
    days: list[int] = []
    weights: list[Weight] = []
    kept: list[Followed] = []  # half-way and now, to tell the pace
    middle = (contrast.first + contrast.last) // 2
    for followed in contrast.follow(metric, MARGIN, LOOKS):
        weights.append(weigh(followed.stream, assigned, margin=MARGIN, guard=GUARD))
        days.append(followed.day)
        kept = [*(kept[:1] if kept and kept[0].day >= middle else []), followed]
    ratios = [weight.ratio for weight in weights]
    return _Course(
        group=question.group,
        treatment=found.values[question.value],
        metric=metric,
        basis=basis,
        days=days,
        log_e=np.array([weight.log_e for weight in weights]),
        above=[ratio is not None and ratio.facing(metric.direction).low > 1.0 for ratio in ratios],
        weight=weights[-1],
        decision=decision_of(kept, contrast, weights[-1], needed=needed, guard=GUARD, margin=MARGIN),
        strata=strata_of(found, contrast, kept[-1], weights[-1], by),
        contributors=devices_of(found, contrast, kept[-1], weights[-1]),
    )


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
    weight, group, decision = course.weight, course.group, course.decision
    standing = Standing(
        paged=alarm is not None and weight.log_e >= np.log(count / PAGE_FDR),
        watched=weight.log_e >= np.log(count / WATCH_FDR),
        latched=alarm is not None,
        needed=count / PAGE_FDR,
    )
    names = Names(Said("{dimension} {value}", dimension=Said(by), value=course.treatment), Said(OTHERS))
    verdict = with_basis(
        judge(course.metric, weight, standing, names, guard=GUARD, margin=MARGIN, final=True, decision=decision),
        course.basis,
        by,
    )
    ratio = verdict.ratio
    return {
        "model": group.model,
        "by": by,
        "treatment": course.treatment,
        "control": OTHERS,
        "metric": course.metric.name,
        "kind": course.metric.kind,
        "unit": course.metric.unit,
        "basis": course.basis,
        "verdict": verdict.word,
        "ratio": ratio.value if ratio and np.isfinite(ratio.value) else None,
        "low": ratio.low if ratio else None,
        "high": ratio.high if ratio and np.isfinite(ratio.high) else None,
        "e": float(np.exp(min(weight.log_e, 700.0))),
        "needed": standing.needed,
        "devices": weight.devices[0],
        "exposure_hours": weight.hours[0],
        "events": weight.events[0],
        "control_devices": weight.devices[1],
        "control_exposure_hours": weight.hours[1],
        "control_events": weight.events[1],
        "first_alarm_at": _end_of(alarm, group) if alarm is not None and verdict.word == "worse" else None,
        "why": verdict.why,
        "decision": asdict(decision) if decision is not None else None,
        "strata": list(course.strata),
        "contributors": list(course.contributors),
    }


def _end_of(day: int, group: Group) -> str:
    end = (day + 1) * group.hours * 3600
    return datetime.fromtimestamp(end, UTC).isoformat().replace("+00:00", "Z")
