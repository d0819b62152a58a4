"""Simulated fleets for the tests of model life: what two models say of devices week by week, and when the devices fail."""

from __future__ import annotations

import numpy as np

from analytics.model_life.betting import RATIOS, log_bets, log_e, tilted
from analytics.model_life.calibration_watch import ALARM_AT as CALIBRATION_ALARM
from analytics.model_life.calibration_watch import MARGIN
from analytics.model_life.complaints import DEMOTE_AT, weigh
from analytics.model_life.race import Matured, standing
from analytics.model_life.scores import ALARM_AT as SCORES_ALARM
from analytics.model_life.scores import Scores, score_log_e
from analytics.panel import Floats

HORIZON, LAG, WEEKS = 30, 7, 26


def race(
    random: np.random.Generator,
    *,
    devices: int,
    noise: tuple[float, float],
    hazard: float = 7e-4,
    crowd: int = 1,
) -> dict[str, float] | None:
    """A race of half a year, looked at weekly: the week in which the challenger won, and failing devices by then; None if it did not.

    Each device has a risk of its own that stays; a model knows its logarithm up to ``noise`` of its own, three quarters of which stay with
    the device. Failures come in crowds of about ``crowd`` on one day.
    """
    log_rate = np.log(hazard) + random.normal(scale=1.2, size=devices)
    fails_on = (random.exponential(size=devices) / np.exp(log_rate)).astype(np.int64)
    if crowd > 1:
        fails_on = (fails_on // crowd) * crowd
    said = [_said(random, log_rate, one) for one in noise]
    for week in range((HORIZON + LAG) // 7 + 1, WEEKS):
        now = standing(_matured(fails_on, said, week * 7 - HORIZON - LAG))
        if now.is_won:
            return {"week": week, "failing": now.failing}
    return None


def _said(random: np.random.Generator, log_rate: Floats, noise: float) -> Floats:
    """Probabilities (weeks, devices), in the mean as high as the truth."""
    lasting = random.normal(scale=noise * 0.75**0.5, size=len(log_rate))
    passing = random.normal(scale=noise * 0.25**0.5, size=(WEEKS, len(log_rate)))
    rate = np.exp(log_rate + lasting + passing - noise**2 / 2)
    return np.asarray(1 - np.exp(-HORIZON * rate))


def _matured(fails_on: np.ndarray, said: list[Floats], until: int) -> Matured:
    weeks = np.arange(until // 7 + 1)
    week, device = np.nonzero(fails_on[None, :] > weeks[:, None] * 7)
    failed = fails_on[device] <= week * 7 + HORIZON
    return Matured(
        device,
        week,
        said[0][week, device],
        said[1][week, device],
        failed,
        np.where(failed, fails_on[device], -1),
        np.ones(len(device)),
    )


def calibration_alarm(
    random: np.random.Generator, *, ratio: float, crowd: int = 1, devices: int = 300, windows: int = 12
) -> dict[str, float] | None:
    """A year of monthly windows; from the first on the odds of failure are ``ratio`` times what was said. Failures known at the alarm,
    and the month; None if there was none. The dispersion of crowds is taken as known, as training measures it.

    Labels are looked at one by one, in the order in which they come: an alarm comes with the failure that decides it.
    """
    bets, failures = np.zeros((2, len(RATIOS))), 0
    log_odds = random.normal(-3.9, 1.2, size=devices)
    group = np.arange(devices) // crowd
    for month in range(windows):
        p = 1 / (1 + np.exp(-log_odds - random.normal(scale=0.3, size=devices)))
        chance = (np.bincount(group, weights=tilted(p, ratio)) / np.bincount(group))[group]
        p = tilted(chance, 1 / ratio)
        failed = random.random(group[-1] + 1)[group] < chance
        for part in np.array_split(random.permutation(group[-1] + 1), 10):
            mine = np.isin(group, part)
            bets += log_bets(p[mine], failed[mine], MARGIN, float(crowd))
            failures += int(failed[mine].sum())
            if log_e(bets).max() - np.log(2) >= np.log(CALIBRATION_ALARM):
                return {"failures": failures, "month": month}
    return None


def score_alarm(
    random: np.random.Generator, *, shift: float, devices: int = 1000, weeks: int = 52, at: int = 8
) -> dict[str, float] | None:
    """A year of weekly scores; from week ``at`` on their logits lie ``shift`` spreads higher. The weeks from then to the alarm."""
    lasting = random.normal(scale=0.8, size=devices)
    days = []
    for week in range(weeks):
        logit = -4 + lasting + random.normal(scale=0.6, size=devices) + (shift if week >= at else 0.0)
        days.append(Scores(week * 7, 1 / (1 + np.exp(-logit)), np.ones(devices)))
    for day, evidence in score_log_e(days, int(random.integers(10**6))):
        if evidence >= np.log(SCORES_ALARM):
            return {"weeks": day // 7 - at}
    return None


def no_fault_demotion(
    random: np.random.Generator, *, share: float, allowed: float = 0.4, tickets: int = 150
) -> dict[str, float] | None:
    """Closed tickets one after the other, of which ``share`` found no fault. How many there were at the demotion."""
    nothing = random.random(tickets) < share
    for number in range(5, tickets + 1, 2):  # two are closed a day
        if weigh(nothing[:number], np.full(number, 0.7), allowed).log_e >= np.log(DEMOTE_AT):
            return {"tickets": number}
    return None
