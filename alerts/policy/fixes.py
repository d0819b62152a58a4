"""Releases that fix things, each looked up once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from alerts.policy.decisions import helps
from hearthwatch.records import releases, rollouts
from hearthwatch.records.rollouts import Rollout
from hearthwatch.records.updatable import can_take
from hearthwatch.values import Device, Release


class Fixes:
    """Remembers the answers of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Release | None] = {}
        self._rollouts: dict[int, Rollout | None] = {}
        self._open: dict[int, dict[str, bool]] = {}
        self._taken: dict[tuple[int, str], bool] = {}

    def find(self, model: str | None, what: str) -> Release | None:
        """The release that fixes a failure mode or a version of a model, if there is one."""
        if model is None:
            return None
        if (model, what) not in self._known:
            self._known[model, what] = releases.fix_for(self._connection, model, what)
        return self._known[model, what]

    def learn(self, wanted: Iterable[tuple[Device, str]]) -> None:
        """Look up at once to which of many devices the fixes of their failure modes are open."""
        asked: dict[int, set[str]] = {}
        for device, what in wanted:
            fix = self.find(device.model, what)
            if fix is not None and helps(fix, device):
                asked.setdefault(fix.id, set()).add(device.id)
        for fix_id, ids in asked.items():
            self._look_up(fix_id, sorted(ids))

    def open_to(self, fix: Release | None, device_ids: Iterable[str]) -> set[str]:
        """Those of some devices that may be offered a fix now: a roll-out of it may be held, or not have come to their wave."""
        if fix is None:
            return set()
        ids = list(device_ids)
        self._look_up(fix.id, [one for one in ids if one not in self._open.get(fix.id, {})])
        return {one for one in ids if self._open[fix.id][one]}

    def taken_by(self, fix: Release | None, device: Device | None, now: datetime) -> bool:
        """Whether a device can be told to install a fix that helps it and is open to it."""
        if fix is None or device is None or not helps(fix, device) or not self.open_to(fix, [device.id]):
            return False
        key = (fix.id, device.id)
        if key not in self._taken:
            self._taken[key] = can_take(self._connection, device, fix, now)
        return self._taken[key]

    def coming(self, device: Device | None, what: str) -> Release | None:
        """The release that fixes what a device has and is on its way to it: its roll-out goes on, and has not come to the device's wave."""
        fix = self.find(device.model, what) if device is not None else None
        if fix is None or device is None or not helps(fix, device) or self.open_to(fix, [device.id]):
            return None
        rollout = self._rollout(fix.id)
        return fix if rollout is not None and rollout.status in rollouts.LIVE else None

    def _look_up(self, fix_id: int, ids: list[str]) -> None:
        known = self._open.setdefault(fix_id, {})
        if ids:
            staged = self._rollout(fix_id) is not None
            may = rollouts.open_to(self._connection, fix_id, ids) if staged else set(ids)
            known.update((one, one in may) for one in ids)

    def _rollout(self, fix_id: int) -> Rollout | None:
        if fix_id not in self._rollouts:
            self._rollouts[fix_id] = rollouts.of_release(self._connection, fix_id)
        return self._rollouts[fix_id]
