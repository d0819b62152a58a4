"""The firmware engineer: announces releases, stops one that is called worse, looks for the cause, and publishes the repair."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from device_sim.fleet import Fleet
from device_sim.people.desk import Desk
from device_sim.rollout import Rollout

_LOOKS_FOR = timedelta(hours=20)
_REPAIRS = "reboots"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A finding about a release that the engineer looks into until ``due``."""

    finding_id: int
    rollout: Rollout
    release_id: int
    due: datetime


class Engineer:
    """Acts on what the platform says about releases; what is really wrong with one shows only when the inquiry is over."""

    def __init__(self, desk: Desk, fleet: Fleet) -> None:
        self._desk = desk
        self._fleet = fleet
        self._announced: dict[int, Rollout] = {}
        self._waiting = sorted(fleet.rollouts, key=lambda rollout: rollout.begins)
        self._inquiries: dict[int, Inquiry] = {}
        self._looked_into: set[int] = set()
        self.repaired: dict[tuple[str, str], str] = {}

    def act(self, now: datetime, *, at_work: bool) -> None:
        """Announce what begins before the next step; at work, read the findings and finish what is due."""
        self._announce(now)
        if at_work and self._announced:
            self._read_findings(now)
            for inquiry in [one for one in self._inquiries.values() if one.due <= now]:
                del self._inquiries[inquiry.finding_id]
                self._conclude(inquiry)

    def _announce(self, now: datetime) -> None:
        horizon = (now + self._fleet.scenario.step).timestamp()
        while self._waiting and self._waiting[0].begins < horizon:
            rollout = self._waiting.pop(0)
            release = self._publish(rollout.model, rollout.version, rollout.replaces, "randomised", [])
            if release is not None:
                self._announced[int(release["id"])] = rollout

    def _read_findings(self, now: datetime) -> None:
        for finding in self._desk.read("engineer", "/findings", kind="cohort", state="open")["items"]:
            finding_id = int(finding["id"])
            release_id = int(str(finding["subject"]).removeprefix("release:"))
            rollout = self._announced.get(release_id)
            if rollout is None or finding_id in self._looked_into:
                continue
            self._looked_into.add(finding_id)
            self._fleet.halt(rollout.kind, rollout.version)
            self._inquiries[finding_id] = Inquiry(finding_id, rollout, release_id, now + _LOOKS_FOR)

    def _conclude(self, inquiry: Inquiry) -> None:
        rollout = inquiry.rollout
        if not self._fleet.is_bad(rollout) or rollout.fixed_by is None:
            note = {"note": "Looked into: the release behaves as the one before."}
            self._desk.write("engineer", "POST", f"/findings/{inquiry.finding_id}/expect", note)
            return
        if (rollout.model, rollout.version) in self.repaired:
            return
        fixes = [rollout.version, _REPAIRS]
        if self._publish(rollout.model, rollout.fixed_by, rollout.version, "unknown", fixes) is not None:
            self.repaired[rollout.model, rollout.version] = rollout.fixed_by
            self._desk.write("engineer", "PATCH", f"/releases/{inquiry.release_id}", {"status": "withdrawn"})

    def _publish(self, model: str, version: str, replaces: str, assignment: str, fixes: list[str]) -> Any:
        body = {"model": model, "version": version, "replaces": replaces, "assignment": assignment, "fixes": fixes}
        return self._desk.write("engineer", "POST", "/releases", body)


def at_work(now: datetime) -> bool:
    """Office hours, in UTC for everybody: the maker's house stands in London."""
    local = now.astimezone(UTC)
    return 7 <= local.hour < 19
