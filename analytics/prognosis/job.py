"""What the champions say of every device today: probabilities of failure within 7, 30 and 90 days, with reasons, or why they do not say.

A model speaks only about what it knows: enough days of the device, a champion for the device's model, inputs like those it learned from.
A finding opens when the 30-day probability reaches its line twice in a row, and stays until it falls below 0.6 of it; where the line
lies and how many may open is analytics.decision's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.decision.cost_file import CostSheet
from analytics.decision.rule import Rule
from analytics.early_life import early_lives
from analytics.model_life.shadow import open_shadow
from analytics.panel import day_number, day_start
from analytics.prognosis.alarms import decide, openings, still_in_alarm
from analytics.prognosis.by_age import METHOD, ByAge
from analytics.prognosis.known import load_known, loaded, loaded_wear, read_panel
from analytics.prognosis.remaining import with_remaining_life
from analytics.prognosis.speaking import Round
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import findings, prognoses
from hearthwatch.records.database import Database


def prognose(
    store: TelemetryStore,
    database: Database,
    now: datetime,
    *,
    alarm: float,
    relapse: timedelta,
    costs: CostSheet | None = None,
    per_1000_and_week: float = 0.0,
) -> dict[str, Any]:
    """Prognoses of all devices that reported lately. The same day twice gives the same rows.

    ``alarm`` is the 30-day probability that makes a finding where there are no ``costs``; at most ``per_1000_and_week`` findings may open
    within a week for each 1,000 devices (0: any number).
    """
    rule = Rule(alarm, costs, per_1000_and_week)
    known = load_known(database, now)
    artifacts = {key: loaded(version) for key, version in known.champions.items()}
    shadow = open_shadow(database, known.champions, now)
    panel = read_panel(store, known, artifacts, now, shadow.metrics)
    early = early_lives(store, database, known.labels, panel, now)
    wear = {key: loaded_wear(version) for key, version in known.wear.items()}
    work = Round(known, artifacts, panel, early, ByAge.of(store, known.labels, now), shadow, now, rule)
    with threadpool_limits(1):  # some hundred rows are done before a second thread has woken up
        for model in sorted(known.labels.by_model):
            work.take_model(model)
        work.rows = with_remaining_life(store, known.labels, wear, work.rows, now)
    decided = decide(known, work.said, rule, openings(database, now), now)
    observations = [*decided.observations, *still_in_alarm(known, work.rows, now)]
    rows = [replace(row, decision=decided.states.get((row.device_id, row.part))) for row in work.rows]
    with database.transaction(alone=False) as connection:
        early.save(connection, now)
        prognoses.put(connection, rows)
        shadow.save(connection)
        for observation in observations:
            findings.observe(connection, observation, relapse=relapse)
    said = [row.p30 for row in work.rows if row.p30 is not None]
    return {
        "day": day_start(day_number(now) - 1).date().isoformat(),
        "prognoses": len(said),
        "by_age_alone": sum(row.p30 is not None and row.method == METHOD for row in work.rows),
        "remaining_lives": sum(row.rul_p50 is not None for row in work.rows),
        "abstained": dict(sorted(work.abstained.items())),
        "in_alarm": len(observations),
        **decided.account(),
        "highest": round(max(said), 4) if said else None,
    }
