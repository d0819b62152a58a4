"""From what was weighed to what is said and written down: for looks at releases and at standing comparisons alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.cohorts.decision import decide
from analytics.cohorts.look_rows import Look, row_of
from analytics.cohorts.verdict import Standing, Verdict, judge
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import NO_EVIDENCE
from analytics.sequential.detector import RUN_LENGTH_DAYS
from analytics.sequential.ebh import e_bh
from hearthwatch.records.look_ledger import RecordedLook

_DECIDED = frozenset({"worse", "better", "same"})


@dataclass(frozen=True, slots=True)
class Rules:
    """How strict the watch is: ``margin`` as a ratio, ``guard`` in devices with events, and the shares of false discoveries allowed among
    what is called worse and on the watch list."""

    margin: float
    guard: int
    page_fdr: float
    watch_fdr: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A look with what is said about it, and its numbers as they are written down."""

    look: Look
    verdict: Verdict
    row: RecordedLook


def may_speak(look: Look) -> bool:
    """Whether the stream can ever say anything: known from the assignment, so it costs the others nothing where it can not."""
    return look.metric.repeats or look.release.assignment == "randomised"


def live_evidence(looks: Iterable[Look]) -> list[float]:
    """Natural logarithms of the e-values of those that may speak, for e-BH."""
    return [look.weight.log_e for look in looks if may_speak(look)]


def recorded_evidence(e: float) -> float:
    """The natural logarithm of an e-value as it was written down."""
    return float(np.log(e)) if e > 0 else NO_EVIDENCE


def stand(looks: Sequence[Look], latched: Sequence[bool], others: Iterable[float], rules: Rules) -> list[Standing]:
    """e-BH over all streams being watched: these looks, and the ``others`` by their log e-values. ``latched``: called worse before."""
    log_e = np.array([*live_evidence(looks), *others])
    paged, watched = e_bh(log_e, rules.page_fdr), e_bh(log_e, rules.watch_fdr)
    standings, place = [], 0
    for look, before in zip(looks, latched, strict=True):
        speaks = may_speak(look)
        standings.append(
            Standing(
                paged=speaks and bool(paged[place]),
                watched=speaks and bool(watched[place]),
                latched=before,
                needed=log_e.size / rules.page_fdr,
                late_needed=log_e.size * RUN_LENGTH_DAYS,
            )
        )
        place += speaks
    return standings


def judged(look: Look, standing: Standing, names: Names, hour: int, rules: Rules) -> Judged:
    """The verdict of a look at the hour (since 1970); what a decision needs is told while there is none."""
    evidence = look.evidence
    decision = decide(
        look.stream,
        look.weight,
        needed_e=standing.needed,
        until=evidence.until,
        first_wave=evidence.first_wave,
        guard=rules.guard,
        margin=rules.margin,
    )
    verdict = judge(
        look.metric, look.weight, standing, names, guard=rules.guard, margin=rules.margin, decision=decision
    )
    needed = None if verdict.word in _DECIDED else decision
    return Judged(look, verdict, row_of(look, verdict, standing, needed, hour, rules.margin))
