"""One look at the whole fleet: from what was known of every device to what is known now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.liveness import bridges as bridging
from analytics.liveness import flapping
from analytics.liveness.gaps import count, expected_interval
from analytics.liveness.hearing import heard_at, learned
from analytics.liveness.power import BATTERY_METRICS, MAINS_METRICS, TERMS, power_of
from analytics.liveness.spans import Blind
from analytics.liveness.states import SILENT, Evidence, Judgement, Word, judge
from hearthwatch.records import liveness
from hearthwatch.records.liveness import Bridge, Liveness, ReportingPlan, Watched
from hearthwatch.records.outages import PlannedOutage
from hearthwatch.values import Finding

ASK_AGAIN, ASK_AT_LAST = timedelta(hours=1), timedelta(days=7)
ALIVE = frozenset({"online", "asleep"})
_TELLING = BATTERY_METRICS | MAINS_METRICS
_NOBODY_SAID = ReportingPlan("", "", None, None, 0)


@dataclass(frozen=True, slots=True)
class Known:
    """What the records hold. ``ours`` is our own blindness, ``looked`` when the job ran last."""

    devices: Mapping[str, Watched]
    before: Mapping[str, Liveness]
    bridges: Mapping[str, Bridge]
    plans: Mapping[tuple[str, str], ReportingPlan]
    homes: Mapping[str, str]
    ours: tuple[Blind, ...]
    outages: Sequence[PlannedOutage]
    findings: Sequence[Finding]
    looked: datetime | None

    def with_bridges(self, bridges: Mapping[str, Bridge]) -> Known:
        """The same with other bridges."""
        return replace(self, bridges=bridges)


class Look:
    """The states of all devices at ``now`` in the making; `rows` is what will be written."""

    def __init__(self, known: Known, now: datetime, *, will_grace: timedelta, flaps: int) -> None:
        self.known = known
        self.now = now
        self.rows: dict[str, Liveness] = {}
        self.words: Mapping[str, Sequence[datetime]] = {}
        self.children = bridging.children(known.bridges)
        self._will_grace = will_grace
        self._flaps = flaps
        self._metrics: dict[str, Sequence[str]] = {}
        self._heard: dict[str, datetime | None] = {}

    # -- what is asked of the telemetry

    def wants_metrics(self) -> list[str]:
        """Devices of which nothing tells yet how they are powered: asked again after 1, 2, 4, ... hours, at last once a week."""
        wanting = []
        for device in self.known.devices:
            memory = self._memory(device)
            due = memory.get("ask")
            if not memory.get("metrics") and (due is None or datetime.fromisoformat(due) <= self.now):
                wanting.append(device)
        return wanting

    def learn_metrics(self, asked: Sequence[str], newest: Mapping[str, Mapping[str, Any]]) -> None:
        """Which of the telling metrics these devices have."""
        self._metrics = {device: sorted(_TELLING & newest.get(device, {}).keys()) for device in asked}

    # -- judging

    def judge_all(self) -> None:
        """Bridges before those that depend on them."""
        known = self.known
        for device, about in known.devices.items():
            before = known.before.get(device)
            seen = self._memory(device).get("seen")
            self._heard[device] = heard_at(
                about,
                before.heard_at if before else None,
                datetime.fromisoformat(seen) if seen else None,
                known.ours,
                known.looked,
                self.now,
            )
        for bridge, theirs in self.children.items():
            if bridge in self._heard:  # whoever is heard through it shows that it is there
                times = [at for name in (bridge, *theirs) if (at := self._heard.get(name)) is not None]
                self._heard[bridge] = max(times, default=None)
        for device in bridging.in_order(known.devices, known.bridges):
            self.rows[device] = self._judge(known.devices[device])

    def _judge(self, about: Watched) -> Liveness:
        evidence, memory, source = self._evidence(about)
        judged = judge(evidence, self.now)
        before = self.known.before.get(about.id)
        memory = self._remember(about, memory, judged, evidence)
        same = before is not None and before.state == judged.state
        since = before.since if before is not None and same else _within(judged.began, before, self.now)
        bridge = self.known.bridges.get(about.id)
        return Liveness(
            device_id=about.id,
            state=judged.state,
            since=since,
            until=judged.until,
            why=judged.why,
            power=evidence.power,
            power_from=source,
            interval_s=evidence.interval.total_seconds(),
            gaps=count(memory.get("gaps", {})),
            heard_at=evidence.heard_at,
            bridge_id=bridge.bridge_id if bridge else None,
            flapping=evidence.flapping,
            incident_id=before.incident_id if before else None,
            memory=memory,
            updated_at=self.now,
        )

    def _evidence(self, about: Watched) -> tuple[Evidence, dict[str, Any], str]:
        before, memory = self.known.before.get(about.id), dict(self._memory(about.id))
        if about.id in self._metrics:
            asked = int(memory.get("asked", 0))
            again = min(ASK_AGAIN * 2**asked, ASK_AT_LAST)
            memory |= {
                "metrics": self._metrics[about.id],
                "asked": min(asked + 1, 10),
                "ask": (self.now + again).isoformat(),
            }
        plan = self._plan(about)
        bridge = self.known.bridges.get(about.id)
        power, source = power_of(
            planned=plan.power,
            source=bridge.power_source if bridge else None,
            metrics=memory.get("metrics", ()),
            convention=about.convention,
        )
        heard, blind = self._heard[about.id], self._blindness(about.id)
        prior = TERMS[power].prior
        usual = Evidence(power, expected_interval(memory.get("gaps", {}), prior), heard)
        memory["gaps"] = learned(
            memory.get("gaps", {}),
            before.heard_at if before else None,
            heard,
            blind=blind,
            looked=self.known.looked,
            now=self.now,
            most=usual.offline_after,
        )
        interval = expected_interval(memory["gaps"], prior)
        if plan.interval_s is not None:
            interval = timedelta(seconds=plan.interval_s)
        word = (
            Word(about.online, min(about.presence_at, self.now))
            if about.online is not None and about.presence_at
            else None
        )
        evidence = Evidence(power, interval, heard, word, blind, will_grace=self._will_grace)
        goings = flapping.counted(self.words.get(about.id, ()), blind, self.now, evidence.grace)
        flaps = flapping.flaps(goings, before=bool(before and before.flapping), threshold=self._flaps)
        return replace(evidence, flapping=flaps, goings=goings), memory, source

    def _plan(self, about: Watched) -> ReportingPlan:
        own = self.known.plans.get(("device", about.id), _NOBODY_SAID)
        model = self.known.plans.get(("model", about.model or ""), _NOBODY_SAID)
        return replace(
            own,
            power=own.power or model.power,
            interval_s=own.interval_s if own.interval_s is not None else model.interval_s,
        )

    def _blindness(self, device: str) -> tuple[Blind, ...]:
        spans = list(self.known.ours)
        for bridge in bridging.chain(device, self.known.bridges):
            row = self.rows.get(bridge)
            if row is not None:
                sure = row.state == "offline" or row.why["text_key"] == "left"
                spans.extend(bridging.blindness(bridge, row.memory.get("away", ()), sure=sure))
        return tuple(spans)

    def _remember(
        self, about: Watched, memory: dict[str, Any], judged: Judgement, evidence: Evidence
    ) -> dict[str, Any]:
        """What the next look needs: what was seen, when it turned silent, and of a bridge when it was away."""
        if about.last_seen is not None:
            memory["seen"] = about.last_seen.isoformat()
        if judged.state in ALIVE:
            memory.pop("turned", None)
            memory.pop("old", None)
        elif judged.state in SILENT and "turned" not in memory:
            memory["turned"] = min(judged.began, self.now).isoformat()
            if about.id not in self.known.before:
                memory["old"] = True  # silent before anybody looked: nothing that happened now
        if about.id in self.children:
            gone_at = evidence.heard_at
            if judged.why["text_key"] in ("left", "gone") and evidence.word is not None:
                gone_at = evidence.word.at
            memory["away"] = bridging.followed(memory.get("away", ()), judged, gone_at, evidence.heard_at, self.now)
        return memory

    def _memory(self, device: str) -> Mapping[str, Any]:
        before = self.known.before.get(device)
        return before.memory if before is not None else {}

    # -- for incidents and findings

    def turned_at(self, device: str) -> datetime | None:
        """When a device that is silent turned so while it was watched; None for all others."""
        row = self.rows[device]
        if row.state not in SILENT or row.why["text_key"] == "left" or row.memory.get("old"):
            return None
        turned = row.memory.get("turned")
        return None if turned is None else datetime.fromisoformat(turned)

    def is_planned(self, device: str) -> bool:
        """Whether a planned outage explains anything about a device now."""
        about = self.known.devices[device]
        return any(
            one.model in {None, about.model} and one.region in {None, about.region} for one in self.known.outages
        )

    def mark(self, device: str, incident: int | None) -> None:
        """Make a device part of an incident, or of none."""
        self.rows[device] = replace(self.rows[device], incident_id=incident)

    # -- the end

    def save(self, connection: Connection) -> int:
        """Write what changed; returns how many changed their state."""
        before = self.known.before
        changed = [row for device, row in self.rows.items() if _differs(before.get(device), row)]
        liveness.put(connection, changed)
        turned = [row for row in changed if _is_news(before.get(row.device_id), row)]
        liveness.note(connection, [_entry(before.get(row.device_id), row) for row in turned])
        liveness.forget(connection, sorted(set(before) - set(self.rows)))
        return len(turned)


def _within(began: datetime, before: Liveness | None, now: datetime) -> datetime:
    """A new state begins when the evidence says, but not before the one before it, nor later than now."""
    return min(max(began, before.since) if before else began, now)


def _differs(before: Liveness | None, row: Liveness) -> bool:
    return before is None or replace(before, updated_at=row.updated_at) != row


def _is_news(before: Liveness | None, row: Liveness) -> bool:
    if before is None:
        return True
    told = (before.state, before.flapping, before.incident_id)
    return told != (row.state, row.flapping, row.incident_id)


def _entry(before: Liveness | None, row: Liveness) -> Mapping[str, Any]:
    return {
        "device_id": row.device_id,
        "at": row.updated_at,
        "state": row.state,
        "before": before.state if before else None,
        "why": dict(row.why),
        "incident_id": row.incident_id,
    }
