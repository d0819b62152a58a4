"""Mass silences in the making, standing and over: one finding for all of their devices, which are marked with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median_high
from typing import Any, cast

from sqlalchemy import Connection

from analytics.liveness import mass
from analytics.liveness.look import ALIVE, Look
from analytics.liveness.mass import ALL, Group, Member, Outbreak, Rate
from hearthwatch.failure_modes import MASS_SILENCE
from hearthwatch.records import findings
from hearthwatch.values import Finding, Observation, Severity

SAID_AGAIN = timedelta(hours=1)
"""A standing finding is confirmed so often; each time its revision grows, under the hands of whoever reads it."""
BACK_SHARE = 0.8
"""An incident is over when so many of its devices are back."""
LONGEST_STEP = timedelta(hours=6)
MOST_AT_ONCE = 3
MOST_NAMED = 200


class Incidents:
    """The incidents of one look."""

    def __init__(
        self, connection: Connection, look: Look, rates: Mapping[Group, Rate], *, minimum: int, relapse: timedelta
    ) -> None:
        self._connection = connection
        self._look = look
        self._rates = rates
        self._minimum = minimum
        self._relapse = relapse
        self._standing: dict[int, Group] = {}
        self.opened = 0

    def follow(self) -> None:
        """Bring the standing incidents up to date: who is back, who joined, which are over."""
        for finding in self._look.known.findings:
            if (finding.kind, finding.mode) == ("incident", MASS_SILENCE):
                self._follow(finding)

    def find(self) -> None:
        """Look for new ones, the best explained first."""
        for _ in range(MOST_AT_ONCE):
            found = mass.outbreak(self._telling(self._members()), self._rates, minimum=self._minimum)
            if found is None:
                return
            self._open(found)

    def learned(self) -> dict[Group, Rate]:
        """The usual rates with what happened since the last look; what belongs to an incident is not usual."""
        looked, now = self._look.known.looked, self._look.now
        if looked is None:
            return dict(self._rates)
        elapsed = min(now - looked, LONGEST_STEP) / timedelta(hours=1)
        hours: dict[Group, set[str]] = {}
        events: dict[Group, set[str]] = {}
        for one in self._members():
            turned = self._look.turned_at(one.device)
            fell = turned is not None and turned > looked
            for group in (ALL, *one.groups):
                hours.setdefault(group, set()).add(one.unit)
                if fell:
                    events.setdefault(group, set()).add(one.unit)
        groups = {*self._rates, *hours}
        return {
            group: self._rates.get(group, Rate()).after(
                len(events.get(group, ())), elapsed * len(hours.get(group, ())), elapsed
            )
            for group in groups
        }

    # -- who takes part

    def _members(self) -> Sequence[Member]:
        look = self._look
        found = []
        for device, row in look.rows.items():
            turned = look.turned_at(device)
            window = max(mass.WINDOW, timedelta(seconds=row.interval_s))
            silent = turned is not None and look.now - turned <= window
            if row.incident_id is not None or row.flapping or not (silent or row.state in ALIVE):
                continue
            if not look.is_planned(device):
                unit = look.known.homes.get(device, device)
                found.append(Member(device, unit, self._groups(device), silent, window / timedelta(hours=1)))
        return found

    def _telling(self, members: Sequence[Member]) -> Sequence[Member]:
        """Who fell silent, and who was heard since: of all others nobody knows yet whether they would have spoken.

        Where it was the broker that told of most of them, by their last wills, it would have told of the others too.
        """
        rows = [self._look.rows[one.device] for one in members if one.silent]
        times = [row.heard_at or row.since for row in rows]
        if not times:
            return members
        usual = timedelta(seconds=median_high([row.interval_s for row in rows]))
        since = median_high(times) + usual
        told = 2 * sum(row.why["text_key"] == "gone" for row in rows) > len(rows)
        return [
            one
            for one in members
            if one.silent or self._is_heard_since(one.device, since) or (told and self._is_connected(one.device))
        ]

    def _is_heard_since(self, device: str, since: datetime) -> bool:
        heard = self._look.rows[device].heard_at
        return heard is not None and heard > since

    def _is_connected(self, device: str) -> bool:
        """Whether the broker said that it is there and has not taken that back."""
        return self._look.known.devices[device].online is True and self._look.rows[device].state in ALIVE

    def _groups(self, device: str) -> Sequence[Group]:
        about = self._look.known.devices[device]
        bridge = self._look.known.bridges.get(device)
        named = (
            ("region", about.region),
            ("model", about.model),
            ("convention", about.convention),
            ("bridge", bridge.bridge_id if bridge else None),
        )
        return [(kind, name) for kind, name in named if name]

    # -- one incident

    def _open(self, found: Outbreak) -> None:
        observation = _observation(found, self._look.now)
        finding = findings.observe(self._connection, observation, relapse=self._relapse)
        for device in found.devices:
            self._look.mark(device, finding.id)
        self.opened += 1

    def _follow(self, finding: Finding) -> None:
        look, group = self._look, _group_of(finding)
        marked = [device for device, row in look.rows.items() if row.incident_id == finding.id]
        back = [device for device in marked if look.rows[device].state in ALIVE]
        for device in back:
            look.mark(device, None)
        joined = [device for device in look.rows if self._joins(device, finding, group)]
        away = [device for device in marked if device not in back] + joined
        total = max(int(finding.evidence.get("devices", 0)), 1) + len(joined)
        if len(away) <= (1 - BACK_SHARE) * total:
            findings.recover_one(self._connection, finding.id, look.now, "its devices are heard again")
            for device in away:
                look.mark(device, None)
            return
        for device in joined:
            look.mark(device, finding.id)
        if joined or look.now - finding.last_seen >= SAID_AGAIN:
            self._say_again(finding, away, total)

    def _joins(self, device: str, finding: Finding, group: Group) -> bool:
        look, row = self._look, self._look.rows[device]
        if row.incident_id is not None or row.flapping or group not in (ALL, *self._groups(device)):
            return False
        turned = look.turned_at(device)
        # What it did not say any more it would have said within an interval of the incident's beginning.
        since = finding.first_seen - max(mass.WINDOW, timedelta(seconds=row.interval_s))
        return turned is not None and turned >= since and not look.is_planned(device)

    def _say_again(self, finding: Finding, away: Sequence[str], total: int) -> None:
        evidence = {**finding.evidence, "devices": total, "away": len(away), "members": sorted(away)[:MOST_NAMED]}
        again = Observation(
            "incident",
            "group",
            finding.subject,
            MASS_SILENCE,
            cast(Severity, finding.severity),
            self._look.now,
            evidence,
        )
        findings.observe(self._connection, again, relapse=self._relapse)


def _group_of(finding: Finding) -> Group:
    kind, _, name = finding.subject.removeprefix("group:").partition("/")
    return (kind, name)


def _observation(found: Outbreak, now: datetime) -> Observation:
    everywhere = found.group == ALL
    kind, name = found.group
    reasons: list[Mapping[str, Any]] = [
        {
            "text_key": "mass_silence",
            "text": "Many fell silent at once, far more than usual",
            "values": {"homes": f"{found.silent} of {found.units}"},
        },
        {
            "text_key": "mass_silence_everywhere" if everywhere else "mass_silence_group",
            "text": "It is the whole fleet: look at the broker, its certificate and the network before any device"
            if everywhere
            else f"What they share is the {kind} {name}; of all others few are silent",
            "values": {} if everywhere else {"silent elsewhere": f"{found.elsewhere:.1%}"},
        },
    ]
    evidence = {
        "metrics": [],
        "reasons": reasons,
        "devices": len(found.devices),
        "away": len(found.devices),
        "members": list(found.devices[:MOST_NAMED]),
        "units": found.units,
        "share": round(found.share, 4),
        "elsewhere": round(found.elsewhere, 4),
        "p": found.p,
    }
    severity = cast(Severity, found.severity)
    return Observation("incident", "group", mass.subject(found.group), MASS_SILENCE, severity, now, evidence)
