"""The liveness job: every minute, what is known of every device becomes its state, and what that means becomes findings.

A run reads what changed in the stores, judges bridges before the devices behind them, looks for mass silence, and writes all of it in
one transaction. Running it twice at the same instant changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.liveness import bridges as bridging
from analytics.liveness import flapping, mass
from analytics.liveness.findings import Finder
from analytics.liveness.incidents import Incidents
from analytics.liveness.look import Known, Look
from analytics.liveness.spans import Blind
from hearthwatch.failure_modes import LIVENESS_MODES
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states, blindness, findings, liveness, outages
from hearthwatch.records.database import Database
from hearthwatch.records.liveness import Bridge

NAME = "liveness"
RUN = "run"
LOOK_BACK = timedelta(days=8)
LATE_EVENTS = timedelta(hours=6)
"""Events may be stored so long after they were received without being missed; after a blindness, as long as that lasted."""
AHEAD = timedelta(minutes=10)
"""Clocks of devices and of other machines may run ahead a little."""
EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """``will_grace``: for reconnecting after a last will. ``silent_after``: a device on the mains that is offline for longer is a finding.

    ``minimum``: units that fall silent at once before that is an incident. ``flaps``: goings within two hours that make flapping.
    """

    will_grace: timedelta = timedelta(seconds=120)
    silent_after: timedelta = timedelta(hours=24)
    minimum: int = 5
    flaps: int = 4
    relapse: timedelta = timedelta(days=7)


def watch_liveness(
    store: TelemetryStore, database: Database, now: datetime, options: Options | None = None
) -> dict[str, Any]:
    """Judge every device at ``now``. Returns what was found, counted."""
    chosen = options or Options()
    with database.reading() as connection:
        run: Mapping[str, Any] = analysis_states.load(connection, NAME).get(RUN, {})
        known = _load(connection, run, now)
    joined, left = bridging.told(store.events(_events_since(run, known.ours, now), now + AHEAD, kinds=["network"]))
    known = _with_bridges(known, joined, left)
    look = Look(known, now, will_grace=chosen.will_grace, flaps=chosen.flaps)
    look.words = _goings(store, now)
    wanting = look.wants_metrics()
    look.learn_metrics(wanting, store.latest(wanting) if wanting else {})
    look.judge_all()
    with database.transaction(alone=False) as connection:
        liveness.join(connection, joined.values())
        liveness.leave(connection, sorted(left))
        rates = mass.load(run.get("rates", ()))
        incidents = Incidents(connection, look, rates, minimum=chosen.minimum, relapse=chosen.relapse)
        incidents.follow()
        incidents.find()
        finder = Finder(connection, look, silent_after=chosen.silent_after, relapse=chosen.relapse)
        finder.find()
        written = look.save(connection)
        state = {"at": now.isoformat(), "rates": mass.dump(incidents.learned())}
        analysis_states.save(connection, NAME, {RUN: state}, now)
        states = liveness.counts(connection)
    return {**states, "changed": written, "incidents": incidents.opened, "findings": finder.opened}


def _load(connection: Connection, run: Mapping[str, Any], now: datetime) -> Known:
    spans = blindness.between(connection, now - LOOK_BACK, now + timedelta(microseconds=1), now)
    looked = run.get("at")
    return Known(
        devices={one.id: one for one in liveness.watched(connection, now)},
        before=liveness.load(connection),
        bridges=liveness.bridges(connection),
        plans=liveness.plans(connection),
        homes=liveness.homes(connection, now),
        ours=tuple(Blind(one.since, one.until, one.reason) for one in spans),
        outages=outages.at(connection, now),
        findings=[
            finding
            for mode in LIVENESS_MODES
            for finding in findings.list_findings(connection, mode=mode, states=findings.UNRECOVERED, limit=EVERYTHING)
        ],
        looked=None if looked is None else datetime.fromisoformat(looked),
    )


def _events_since(run: Mapping[str, Any], ours: tuple[Blind, ...], now: datetime) -> datetime:
    if "at" not in run:
        return datetime.fromtimestamp(0, now.tzinfo)
    since = datetime.fromisoformat(run["at"]) - LATE_EVENTS
    recent = [one.since for one in ours if one.ends(now) > since]
    return min([since, *recent])


def _with_bridges(known: Known, joined: Mapping[str, Bridge], left: set[str]) -> Known:
    kept = {device: one for device, one in known.bridges.items() if device not in left}
    return known.with_bridges({**kept, **joined})


def _goings(store: TelemetryStore, now: datetime) -> Mapping[str, Any]:
    table = store.presence(now - flapping.WINDOW, now + AHEAD)
    columns = (table.column(name).to_pylist() for name in ("device", "at", "online"))
    return flapping.goings(zip(*columns, strict=True))
