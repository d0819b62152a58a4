"""Findings about single devices: one that stays silent, a bridge that others depend on, one that comes and goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.liveness.incidents import SAID_AGAIN
from analytics.liveness.look import ALIVE, Look
from analytics.liveness.power import FINDING_FACTOR, PowerClass
from hearthwatch.failure_modes import FLAPPING, SILENT
from hearthwatch.records import findings
from hearthwatch.records.liveness import Liveness
from hearthwatch.values import Finding, Observation, Severity

BRIDGE_SHARE = 1 / 24
"""Of the time a device may be offline before it is a finding, a bridge with devices behind it gets so much."""
FLAPPING_LASTS = timedelta(hours=24)
"""Flapping for so long is a warning; a poor evening is not."""


class Finder:
    """The findings of one look.

    A silent device is ``info``: whether somebody pulled the plug nobody knows. A policy may ask for it by its mode.
    """

    def __init__(self, connection: Connection, look: Look, *, silent_after: timedelta, relapse: timedelta) -> None:
        self._connection = connection
        self._look = look
        self._silent_after = silent_after
        self._relapse = relapse
        self._open: dict[tuple[str, str], Finding] = {
            (one.subject, one.mode): one
            for one in look.known.findings
            if one.kind == "anomaly" and one.mode in (SILENT, FLAPPING)
        }
        self.opened = 0

    def find(self) -> None:
        """Open what is new, confirm what stands, end what is over."""
        for row in self._look.rows.values():
            self._about_silence(row)
            self._about_flapping(row)

    def _about_silence(self, row: Liveness) -> None:
        standing = self._open.get((row.device_id, SILENT))
        if standing is not None and row.state in ALIVE:
            findings.recover_one(self._connection, standing.id, self._look.now, "it is heard again")
        elif standing is not None:
            self._confirm(standing)
        elif self._is_overdue(row):
            behind = len(self._look.children.get(row.device_id, ()))
            self._observe(row, SILENT, "warning" if behind else "info", {"devices_behind": behind} if behind else {})
            self.opened += 1

    def _is_overdue(self, row: Liveness) -> bool:
        turned = self._look.turned_at(row.device_id)
        if row.state != "offline" or turned is None or row.incident_id is not None or row.flapping:
            return False
        return not self._look.is_planned(row.device_id) and self._look.now - turned >= self._patience(row)

    def _patience(self, row: Liveness) -> timedelta:
        power: PowerClass = row.power  # type: ignore[assignment]  # the records hold these alone
        behind = row.device_id in self._look.children
        return self._silent_after * FINDING_FACTOR[power] * (BRIDGE_SHARE if behind else 1)

    def _about_flapping(self, row: Liveness) -> None:
        standing = self._open.get((row.device_id, FLAPPING))
        if not row.flapping or row.incident_id is not None or self._look.is_planned(row.device_id):
            return  # a standing one recovers by not being seen
        if standing is None:
            self._observe(row, FLAPPING, "info", {})
            self.opened += 1
        elif self._look.now - standing.last_seen >= SAID_AGAIN:
            lasting = self._look.now - standing.first_seen >= FLAPPING_LASTS
            self._observe(row, FLAPPING, "warning" if lasting else "info", {})

    def _observe(self, row: Liveness, mode: str, severity: Severity, more: Mapping[str, Any]) -> None:
        evidence = {"metrics": [], "reasons": [dict(row.why)], "power": row.power, **more}
        seen = Observation("anomaly", "device", row.device_id, mode, severity, self._look.now, evidence)
        findings.observe(self._connection, seen, relapse=self._relapse)

    def _confirm(self, standing: Finding) -> None:
        """It stands while the device is not heard, whatever the reason; said now and then, or it would recover by silence."""
        now: datetime = self._look.now
        if now - standing.last_seen >= SAID_AGAIN:
            severity: Severity = standing.severity  # type: ignore[assignment]
            again = Observation("anomaly", "device", standing.subject, standing.mode, severity, now, standing.evidence)
            findings.observe(self._connection, again, relapse=self._relapse)
