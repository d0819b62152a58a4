"""What a champion and its challenger said since it works, joined with what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from analytics.model_life.blocks import Block
from analytics.model_life.calibration_watch import Window, apart
from analytics.model_life.race import Matured
from analytics.model_life.scores import Scores
from analytics.model_life.truth import Truth
from analytics.panel import day_number
from analytics.training.names import HORIZONS, JUDGED_AT
from hearthwatch.records import model_decisions, model_versions, said_days
from hearthwatch.records.model_versions import ModelVersion

AHEAD = HORIZONS.index(JUDGED_AT)
FIRMWARES_SHOWN = 6


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What the ``versions`` of a name said on a day since 1970-01-01."""

    day: int
    versions: Sequence[int]
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Of one name: what was said, oldest first; the champion works ``since``; ``today`` is the day of judgement."""

    part: str
    since: datetime
    today: int
    days: Sequence[Day]
    challengers: Sequence[ModelVersion]
    truth: Truth

    def windows(self, version: int, horizon: int) -> list[Window]:
        """What a version said at a horizon since it works, on days so far apart that no failure counts twice, and what came."""
        mine = {one.day: one for one in self._said_by(version) if self._is_ripe(one.day, horizon)}
        windows = []
        for day in apart(sorted(mine), horizon):
            one = mine[day]
            answer, _ = self.truth.answers(one.block.devices, self.part, day, horizon)
            p = one.block.p[one.versions.index(version), :, HORIZONS.index(horizon)]
            known = ~np.isnan(answer) & ~np.isnan(p)
            windows.append(Window(day, p[known], answer[known] == 1))
        return windows

    def by_firmware(self, version: int) -> list[dict[str, Any]]:
        """Failures within 30 days beside what was said of them, by the firmware that devices ran that day; the most frequent first."""
        seen: dict[str, list[float]] = {}
        ripe = {one.day: one for one in self._said_by(version) if self._is_ripe(one.day, JUDGED_AT)}
        for day in apart(sorted(ripe), JUDGED_AT):
            block = ripe[day].block
            answer, _ = self.truth.answers(block.devices, self.part, day, JUDGED_AT)
            p = block.p[ripe[day].versions.index(version), :, AHEAD]
            known = ~np.isnan(answer) & ~np.isnan(p)
            for code, firmware in enumerate(block.firmwares):
                mine = known & (block.firmware == code)
                sums = seen.setdefault(firmware, [0.0, 0.0, 0.0])
                for place, value in enumerate((mine.sum(), answer[mine].sum(), p[mine].sum())):
                    sums[place] += float(value)
        told: list[dict[str, Any]] = [
            {"firmware": name, "labels": int(labels), "observed": int(observed), "expected": round(expected, 2)}
            for name, (labels, observed, expected) in seen.items()
            if labels
        ]
        return sorted(told, key=lambda one: (-one["labels"], one["firmware"]))[:FIRMWARES_SHOWN]

    def scores(self, version: int) -> list[Scores]:
        """The 30-day probabilities of a version since it works."""
        found = []
        for one in self._said_by(version):
            p = one.block.p[one.versions.index(version), :, AHEAD]
            known = ~np.isnan(p)
            found.append(Scores(one.day, p[known], one.block.weight[known]))
        return found

    def matured(self, champion: int, challenger: int) -> Matured:
        """All rows of both versions of which the answer is known."""
        parts: list[tuple[NDArray[Any], ...]] = []
        names: dict[str, int] = {}
        for one in self.days:
            if champion not in one.versions or challenger not in one.versions or not self._is_ripe(one.day, JUDGED_AT):
                continue
            answer, failed_on = self.truth.answers(one.block.devices, self.part, one.day, JUDGED_AT)
            ours, theirs = (one.block.p[one.versions.index(version), :, AHEAD] for version in (champion, challenger))
            known = ~np.isnan(answer) & ~np.isnan(ours) & ~np.isnan(theirs)
            code = np.array([names.setdefault(device, len(names)) for device in one.block.devices], dtype=np.int64)
            week = np.full(len(code), one.day // 7)
            columns = (code, week, ours, theirs, answer == 1, failed_on, one.block.weight)
            parts.append(tuple(column[known] for column in columns))
        if not parts:
            return Matured(*(np.zeros(0, dtype=kind) for kind in ("i8", "i8", "f8", "f8", "?", "i8", "f8")))
        return Matured(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _said_by(self, version: int) -> list[Day]:
        since = day_number(self.since)
        return [one for one in self.days if version in one.versions and one.day >= since - 1]

    def _is_ripe(self, day: int, horizon: int) -> bool:
        return day + horizon + self.truth.lag < self.today


def read_history(connection: Connection, champion: ModelVersion, truth: Truth, today: int) -> History:
    """What is kept of a champion's name."""
    decisions = model_decisions.list_decisions(connection, version_id=champion.id)
    since = next((one.at for one in decisions if one.what in model_decisions.TO_WORK), champion.trained_at)
    days = [
        Day(day_number(one.at), list(one.versions), Block.unpack(one.block))
        for one in said_days.list_days(connection, champion.name)
    ]
    waiting = [one for one in model_versions.challengers(connection) if one.name == champion.name]
    return History(str(champion.card["part"]), since, today, days, waiting, truth)
