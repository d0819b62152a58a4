"""Device-days of a backtest: which of them have an answer, what is seen of each, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from analytics.backtest.case import Case
from analytics.backtest.refusals import Refusal, TooLittle
from analytics.features import matrices
from analytics.lives import labelled
from analytics.panel import Flags, Floats, Ints

EVERY = 4
FEWEST_FAILING = 5
"""Devices that must fail on either side of the cut; below that no figure means anything."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some device-days: where they are, their features, and what came of them."""

    device: Ints
    day: Ints
    features: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    failed: Flags
    to_failure: Floats
    to_end: Floats
    left: Floats
    age: Floats
    weight: Floats


def _days(case: Case, *, test: bool) -> tuple[Ints, Ints]:
    """The labelled device-days on one side of the cut."""
    lives = case.lives if test else case.past
    known, _ = labelled(lives, case.horizon)
    day = np.arange(case.panel.days)
    side = (day >= case.cut) if test else (day <= case.cut - case.horizon)
    chosen = known & side[None, :]
    if not test:  # far from a failure one day in `EVERY` teaches as much, with a weight of as many
        turn = np.array([crc32(device.encode()) % EVERY for device in case.panel.devices])
        chosen &= (lives.to_failure <= 2 * case.horizon) | ((day[None, :] + turn[:, None]) % EVERY == 0)
    device, when = np.nonzero(chosen)
    return device.astype(np.int64), when.astype(np.int64)


def rows_of(case: Case) -> tuple[Rows, Rows]:
    """The rows to learn from and the rows to judge by."""
    chosen = _days(case, test=False), _days(case, test=True)
    train, test = matrices(case.panel, case.background, case.columns, chosen)
    return _rows(case, train, *chosen[0], test=False), _rows(case, test, *chosen[1], test=True)


def _rows(
    case: Case, features: np.ndarray[tuple[int, int], np.dtype[np.float32]], device: Ints, day: Ints, *, test: bool
) -> Rows:
    lives = case.lives if test else case.past
    to_failure = lives.to_failure[device, day]
    return Rows(
        device,
        day,
        features,
        to_failure <= case.horizon,
        to_failure,
        lives.to_end[device, day],
        lives.left[day],
        np.maximum(case.panel.first_day + day - case.background.born[device], 0.0),
        np.where(test | (to_failure <= 2 * case.horizon), 1.0, float(EVERY)),
    )


def check_failures(case: Case) -> None:
    """Raises `TooLittle` where too few devices fail on a side of the cut."""
    refused = []
    for side, lives, test in (("before", case.past, False), ("after", case.lives, True)):
        device, day = _days(case, test=test)
        failing = len(np.unique(device[lives.to_failure[device, day] <= case.horizon]))
        if failing < FEWEST_FAILING:
            why = (
                f"{failing or 'no'} device{'' if failing == 1 else 's'} with a failure in a whole {case.horizon}-day window {side} the "
                f"cut: too little to judge, {FEWEST_FAILING} are needed"
            )
            lacking = FEWEST_FAILING - failing
            missing = f"{lacking} more device{'' if lacking == 1 else 's'} that fail {side} the cut"
            refused.append(Refusal("test", why, missing, "--cut"))
    if refused:
        raise TooLittle.of(refused)


def unseen_refused(case: Case, train: Rows) -> list[Refusal]:
    """Why nothing is said of devices never seen in training: the model of some fold had too few failing devices to learn from."""
    failing = np.unique(train.device[train.failed])
    left = [int((case.fold[failing] != fold).sum()) for fold in np.unique(case.fold)]
    if min(left) >= FEWEST_FAILING:
        return []
    fewest = min(left)
    why = f"models that have not seen a fifth of the devices learn from {fewest} failing ones: {FEWEST_FAILING} are needed"
    return [
        Refusal(
            "unseen_devices",
            why,
            f"{FEWEST_FAILING - fewest} more device{'s' * (FEWEST_FAILING - fewest > 1)} that fail before the cut",
        )
    ]
