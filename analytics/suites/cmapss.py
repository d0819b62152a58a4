"""The suite `cmapss`: remaining life of NASA's turbofan engines by the product's own model, learned from the training part alone.

Remaining life is capped at 125 cycles, forecasts and truth alike (Heimes, PHM 2008; usual since). Where a set's test is there, its engines
are judged at their last cycle, once, by a model that was chosen on training engines. All sets are judged on training engines that were
left out, at each cycle from the 20th on, every engine weighing alike: as if it had been cut off at a random moment. Where a
set has no test files this stands in its place, and the protocol says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analytics.remaining_life.features import WITHOUT_OWN_START
from analytics.remaining_life.histories import History, in_order, targets_of
from analytics.remaining_life.model import fit_remaining_life, fold_of_units
from analytics.remaining_life.quantiles import crossed_bands
from analytics.suites import cmapss_rivals
from analytics.suites.cmapss_files import EngineSet, read_sets
from analytics.suites.cmapss_scores import Judged, Told, pooled
from analytics.suites.goals import Goal, at_most, within

CAP = 125.0
FIRST_JUDGED = 20
OURS = "hearthwatch"
WITHOUT = "trees_without_own_start"
METHODS = (OURS, WITHOUT, *cmapss_rivals.METHODS)
TEST, LEFT_OUT = "test", "training engines left out"
LARGEST_RMSE = {"FD001": 11.5, "FD002": 12.0, "FD003": 10.5, "FD004": 12.0}
COVERAGE, COVERAGE_POOLED = (0.72, 0.88), (0.76, 0.84)
"""Goals, cycles and shares of engines; of sets that are judged on engines left out, too, though they are about tests."""


@dataclass(frozen=True, slots=True, eq=False)
class _Verdict:
    """How one method did on one set: on training engines left out, and on the test where there is one."""

    left_out: Judged
    test: Judged | None

    @property
    def main(self) -> Judged:
        return self.left_out if self.test is None else self.test

    def numbers(self) -> dict[str, Any]:
        protocol = LEFT_OUT if self.test is None else TEST
        return {"protocol": protocol, **self.main.numbers(), "left_out": self.left_out.numbers()}


def evaluate(folder: Path) -> dict[str, Any]:
    """Figures of ours and of every baseline, for each set and pooled over the sets' engines."""
    sets = read_sets(folder)
    told = {name: _told([_judge(name, one) for one in sets], sets) for name in METHODS}
    ours = told.pop(OURS)
    return {"results": ours, "baselines": told, "cap": CAP, "goals": _goals(ours)}


def _goals(ours: Mapping[str, Any]) -> dict[str, Goal]:
    goals: dict[str, Goal] = {}
    for name, bound in LARGEST_RMSE.items():
        if name in ours:
            goals[f"{name}_rmse"] = at_most(bound, ours[name]["rmse"])
            goals[f"{name}_coverage"] = within(*COVERAGE, ours[name]["coverage"])
    return goals | {"pooled_coverage": within(*COVERAGE_POOLED, ours["pooled"]["coverage"])}


def _told(verdicts: Sequence[_Verdict], sets: Sequence[EngineSet]) -> dict[str, Any]:
    result: dict[str, Any] = {one.name: verdict.numbers() for one, verdict in zip(sets, verdicts, strict=True)}
    tested = [verdict.test for verdict in verdicts if verdict.test is not None]
    result["pooled"] = {
        "protocol": TEST if tested else LEFT_OUT,
        **pooled(tested or [verdict.left_out for verdict in verdicts]),
        "left_out": pooled([verdict.left_out for verdict in verdicts]),
    }
    return result


def _judge(name: str, engines: EngineSet) -> _Verdict:
    train = in_order(engines.train)
    of_train, of_test = _trees(name, train, engines.test) if name in (OURS, WITHOUT) else _rival(name, train, engines)
    targets = targets_of(train, CAP)
    row = np.concatenate([np.arange(len(unit.age)) for unit in train])
    left_out = Judged.of(of_train, targets.life, targets.unit, row >= FIRST_JUDGED - 1)
    if not engines.test:
        return _Verdict(left_out, None)
    every = np.arange(len(engines.test))
    life = np.minimum(engines.left, CAP)
    return _Verdict(left_out, Judged.of(of_test, life, every, np.ones(len(every), dtype=bool)))


def _rival(name: str, train: Sequence[History], engines: EngineSet) -> tuple[Told, Told]:
    return cmapss_rivals.told_by(name, train, engines.test, CAP)


def _trees(name: str, train: Sequence[History], test: Sequence[History]) -> tuple[Told, Told]:
    """The product's model, with its own features or without those of the engine's own past."""
    model = (
        fit_remaining_life(train, cap=CAP)
        if name == OURS
        else fit_remaining_life(train, cap=CAP, kinds=WITHOUT_OWN_START)
    )
    targets = model.targets
    fold = fold_of_units(train, len(model.trees))[targets.unit]
    bands = crossed_bands(model.left_out, targets.life, targets.weight, targets.unit, fold, CAP)
    if not test:
        return Told(model.left_out, bands), Told(np.empty(0), np.empty((0, 3)))
    forecast = model.of_features(np.stack([model.preparation.of(unit)[-1] for unit in test]))
    return Told(model.left_out, bands), Told(forecast.expected, forecast.quantiles)
