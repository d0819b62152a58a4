"""How do the models at work do? Once a day, for each hazard: its calibration, its scores, its visits, and its race.

Order of judgement: a champion that went wrong is demoted, to the last good version or to none, in which case the part is told by age and
use alone. Otherwise its challenger may take its place. All of a name's looks, decisions and roles are written in one
transaction: after a kill there is either the day before or the day after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.labels import read_labels
from analytics.model_life.calibration_watch import ALARM_AT as CALIBRATION_ALARM
from analytics.model_life.calibration_watch import HORIZONS_WATCHED, verdict, watched
from analytics.model_life.complaints import DEMOTE_AT, complaints, opened_findings
from analytics.model_life.history import History, read_history
from analytics.model_life.race import Standing, e_value, standing
from analytics.model_life.scores import ALARM_AT as SCORES_ALARM
from analytics.model_life.scores import score_log_e
from analytics.model_life.truth import Truth, read_truth
from analytics.panel import day_number, day_start
from analytics.training.names import FAMILY
from hearthwatch.records import findings, model_decisions, model_looks, model_versions, said_days
from hearthwatch.records.database import Database
from hearthwatch.records.model_decisions import ModelDecision
from hearthwatch.records.model_looks import Kind, ModelLook
from hearthwatch.records.model_versions import Because, ModelVersion
from hearthwatch.values import Finding, Observation

RACE, WATCH = "race", "watch"
RACE_DAYS = 180
"""A challenger that has not shown to be better by then makes room."""
KEPT = timedelta(days=400)
MODE = "model_drift"


@dataclass(slots=True)
class Result:
    """What one run did, by the names of the models."""

    promoted: list[str] = field(default_factory=list)
    demoted: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    judged: int = 0

    def told(self) -> dict[str, Any]:
        """As the job's result."""
        return {name: getattr(self, name) for name in ("judged", "promoted", "demoted", "retired", "alarms")}


def watch_models(database: Database, now: datetime, *, no_fault_allowed: float, relapse: timedelta) -> dict[str, Any]:
    """Judge every hazard at work. The same day twice changes nothing more."""
    with database.reading() as connection:
        labels = read_labels(connection, now)
        truth = read_truth(connection, labels, now)
        names = [one.name for one in model_versions.champions(connection) if one.name.startswith(FAMILY)]
        opened = opened_findings(connection)
    result = Result()
    for name in names:
        with database.transaction() as connection:
            champion = model_versions.champion(connection, name)
            if champion is not None:
                mine = opened.get(champion.id, ())
                _Judged(connection, champion, truth, mine, now, result, no_fault_allowed, relapse).judge()
    with database.transaction() as connection:
        said_days.forget(connection, now - KEPT)
    return result.told()


@dataclass(slots=True)
class _Judged:
    """A champion, what it and its challenger said, and what came of it."""

    connection: Connection
    champion: ModelVersion
    truth: Truth
    opened: Sequence[Finding]
    now: datetime
    result: Result
    no_fault_allowed: float
    relapse: timedelta

    def judge(self) -> None:
        self.result.judged += 1
        history = read_history(self.connection, self.champion, self.truth, day_number(self.now))
        why = self._calibration(history) or self._visits(history)
        self._scores(history)
        if why is not None:
            self._demote(*why)
        else:
            self._race(history)

    # -- what is seen

    def _look(self, version: ModelVersion, kind: Kind, e: float | None, detail: dict[str, Any]) -> None:
        at = day_start(day_number(self.now))
        model_looks.append(self.connection, [ModelLook(version.name, version.id, kind, at, e, detail)])

    def _calibration(self, history: History) -> tuple[str, dict[str, Any]] | None:
        """Why the champion is to be demoted for what it said, or None."""
        dispersion = float(self.champion.card.get("failures_per_crowd", 1.0))
        by_horizon = {
            horizon: watched(history.windows(self.champion.id, horizon), dispersion) for horizon in HORIZONS_WATCHED
        }
        e, detail = verdict(by_horizon)
        self._look(self.champion, "calibration", e, {**detail, "by_firmware": history.by_firmware(self.champion.id)})
        if e < CALIBRATION_ALARM:
            return None
        more = detail["e_more"] >= detail["e_less"]
        side = "log_e_more" if more else "log_e_less"
        horizon, seen = max(by_horizon.items(), key=lambda one: float(getattr(one[1], side)))
        words = f"{'more' if more else 'fewer'} devices fail than it said: {seen.observed} within {horizon} days of"
        return f"{words} {seen.labels} labels, where {seen.expected:.1f} were expected (e {e:.3g})", detail

    def _visits(self, history: History) -> tuple[str, dict[str, Any]] | None:
        """Why the champion is to be demoted for what technicians found, or None."""
        found = complaints(self.connection, self.opened, history.since, allowed=self.no_fault_allowed)
        detail = found.told()
        self._look(self.champion, "no_fault", detail["e"], detail)
        if detail["e"] < DEMOTE_AT:
            return None
        words = f"{found.no_fault} of {found.visits} visits found no fault, where at most {found.allowed:.1f} would be"
        return f"{words} in order (e {detail['e']:.3g})", detail

    def _scores(self, history: History) -> None:
        """Look at the scores; what moved them is for people to find out, so that an alarm takes no model out of work."""
        told = score_log_e(history.scores(self.champion.id), self.champion.id)
        if not told:
            return
        e, highest = e_value(told[-1][1]), e_value(max(log_e for _, log_e in told))
        self._look(self.champion, "scores", e, {"days": len(told) + 1, "highest": highest})
        if highest < SCORES_ALARM:
            return
        why = f"its scores no longer look like those of its first days at work (e {highest:.3g})"
        decisions = model_decisions.list_decisions(self.connection, version_id=self.champion.id)
        if not any(one.what == "alarm" and one.at >= history.since for one in decisions):
            self._decide("alarm", why, {"e": highest})
            self.result.alarms.append(self.champion.name)
        self._tell(f"{self.champion.name}, version {self.champion.id}: {why}", {"e": highest})

    # -- what is done

    def _demote(self, why: str, evidence: dict[str, Any]) -> None:
        name = self.champion.name
        now_at_work = model_versions.demote(self.connection, self.champion.id, Because(self.now, WATCH, why, evidence))
        takes_over = "age and use alone" if now_at_work is None else f"version {now_at_work.id}"
        self.result.demoted.append(name)
        self._tell(f"{name}, version {self.champion.id}, was demoted: {why}; now {takes_over} speaks", evidence)

    def _race(self, history: History) -> None:
        challenger = next(iter(history.challengers), None)
        if challenger is None:
            return
        stands = standing(history.matured(self.champion.id, challenger.id))
        self._look(challenger, "race", e_value(stands.log_e_better), stands.told() | {"against": self.champion.id})
        if stands.is_won:
            why = _won(stands, self.champion.id)
            model_versions.promote(self.connection, challenger.id, Because(self.now, RACE, why, stands.told()))
            self.result.promoted.append(challenger.name)
        elif stands.is_lost or (self.now - challenger.trained_at) > timedelta(days=RACE_DAYS):
            why = (
                f"worse than version {self.champion.id}"
                if stands.is_lost
                else f"not shown to be better in {RACE_DAYS} days"
            )
            model_versions.retire(self.connection, challenger.id, Because(self.now, RACE, why, stands.told()))
            self.result.retired.append(challenger.name)

    def _decide(self, what: str, why: str, evidence: dict[str, Any]) -> None:
        told = ModelDecision(self.champion.name, self.champion.id, self.now, what, WATCH, why, evidence)
        model_decisions.append(self.connection, told)

    def _tell(self, text: str, evidence: dict[str, Any]) -> None:
        """Engineers hear of it as of an incident of the device model; no customer does, and no ticket opens."""
        card = self.champion.card
        told = {"metrics": [], "reasons": [text], "model_version": self.champion.id, "model": card["model"], **evidence}
        subject = f"group:{card['model']}/{card['part']}"
        observation = Observation("incident", "group", subject, MODE, "warning", self.now, told, part=card["part"])
        findings.observe(self.connection, observation, relapse=self.relapse)


def _won(stands: Standing, champion: int) -> str:
    less = 1 - stands.loss_challenger / stands.loss_champion
    e = e_value(stands.log_e_better)
    return f"better than version {champion}: {100 * less:.1f} % less log loss on {stands.failing} failing devices (e {e:.3g})"
