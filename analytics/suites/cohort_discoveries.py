"""Many releases at once: how often an alarm among 200 streams is false, with e-BH and with what people use today.

Fifty releases with four metrics each, whose devices' frailties are correlated; ten releases are bad in two metrics each. An alarm latches:
a stream once chosen stays chosen, which is how a page or a ticket works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analytics.sequential.ebh import e_bh
from analytics.suites import cohort_rivals as rivals
from analytics.suites.cohort_cells import HORIZON
from analytics.suites.cohort_fleets import Floats, correlated_metrics
from analytics.suites.cohort_trials import GUARD, Watch, watch_all

COHORTS, METRICS, BAD_COHORTS = 50, 4, 10
RATIOS = (1.3, 1.5, 2.0, 3.0)
"""Of bad streams, in turn."""

CLEAR = 1.5
"""The ratio from which on a bad stream is to be found."""

CONTROL = 2000
FEWEST, MOST = 100, 1000  # treated devices of a release, log-uniform
PER_DAY = 0.5
PAGE, STRICT = 0.10, 0.05

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Streams:
    """The true ratios, shape (streams,), and what is seen of every stream at every look, shape (streams, looks)."""

    ratios: Floats
    days: Floats
    log_e: Floats
    p: Floats  # of the clustered z


def simulate(rng: np.random.Generator, *, cohorts: int = COHORTS, bad: int = BAD_COHORTS) -> Streams:
    """All streams of one replication."""
    ratios = np.ones((cohorts, METRICS))
    turn = 0
    for cohort in range(bad):
        for metric in rng.choice(METRICS, 2, replace=False):
            ratios[cohort, metric] = RATIOS[turn % len(RATIOS)]
            turn += 1
    log_e, p = [], []
    days = np.zeros(0)
    for cohort in range(cohorts):
        treated = round(float(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST)))))
        fleets = correlated_metrics(rng, treated=treated, control=CONTROL, ratios=ratios[cohort], per_day=PER_DAY)
        for fleet, trial in zip(fleets, watch_all(fleets, Watch()), strict=True):
            counts = rivals.tally(fleet)
            days = trial.days
            log_e.append(trial.combined)
            p.append(np.where(counts.open(GUARD), stats.norm.sf(rivals.clustered_z(counts)), 1.0))
    return Streams(ratios.ravel(), days, np.array(log_e), np.array(p))


def flagged(streams: Streams) -> dict[str, Floats]:
    """Day on which each rule first chose each stream, nan for never."""
    return {
        "hearthwatch": _first_days(streams, np.array([e_bh(column, PAGE) for column in streams.log_e.T]).T),
        "hearthwatch_strict": _first_days(streams, np.array([e_bh(column, STRICT) for column in streams.log_e.T]).T),
        "each_e_alone": _first_days(streams, streams.log_e >= -np.log(STRICT)),
        "clustered": _first_days(streams, streams.p < STRICT),
        "bh_on_repeated_p": _first_days(streams, stats.false_discovery_control(streams.p, axis=0) < STRICT),
    }


def judged(streams: Streams) -> dict[str, dict[str, float]]:
    """For each rule: the share of false ones among all ever chosen, the share of clear ones chosen, and mean days (missed = 14)."""
    bad, clear = streams.ratios > 1.0, streams.ratios >= CLEAR
    told = {}
    for rule, day in flagged(streams).items():
        chosen = np.isfinite(day)
        told[rule] = {
            "false_share": float((chosen & ~bad).sum() / max(1, chosen.sum())),
            "false_alarms": float((chosen & ~bad).sum()),
            "found": float(chosen[clear].mean()),
            "found_any": float(chosen[bad].mean()),
            "days": float(np.where(chosen, day, HORIZON)[clear].mean()),
        }
    return told


def _first_days(streams: Streams, flags: Flags) -> Floats:
    ever = flags.any(axis=1)
    result: Floats = np.where(ever, streams.days[flags.argmax(axis=1)], np.nan)
    return result


def mean_of(found: Sequence[Mapping[str, float]], key: str) -> tuple[float, float]:
    """Mean over replications and its standard error."""
    values = np.array([one[key] for one in found])
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else 0.0
