"""After-sales: agents agree visits, technicians look at the device and close the ticket with what was really wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import cycle
from typing import Any
from zoneinfo import ZoneInfo

from numpy.random import Generator

from device_sim.fleet import Fleet
from device_sim.people.desk import Desk
from device_sim.people.engineer import Engineer
from device_sim.people.registration import technician_ids
from hearthwatch.errors import Missing

_WORKED = frozenset({"device", "request"})
_READ_AFTER_H = (3.0, 20.0)
_VISIT_AFTER_H = (20.0, 44.0)
_PAGE = 1000


class FieldService:
    """Agents and technicians. A visit that was agreed is kept; a ticket that closed meanwhile is forgotten."""

    def __init__(self, desk: Desk, fleet: Fleet, engineer: Engineer, rng: Generator) -> None:
        self._desk = desk
        self._fleet = fleet
        self._engineer = engineer
        self._rng = rng
        self._read_at: dict[int, datetime] = {}
        self._visits: dict[int, datetime] = {}
        self._regions = {device: fleet.scenario.regions[home.region].name for device, home, _ in fleet.devices()}
        self._zones = {
            device: ZoneInfo(fleet.scenario.regions[home.region].timezone) for device, home, _ in fleet.devices()
        }
        self._turns = {region: cycle(ids) for region, ids in technician_ids(fleet).items()}

    def act(self, now: datetime) -> None:
        """Work through the open tickets."""
        tickets = self._desk.read("agent", "/tickets", open="true", limit=_PAGE)["items"]
        for ticket in sorted(tickets, key=lambda ticket: int(ticket["id"])):
            if ticket["kind"] in _WORKED and ticket["parent_id"] is None and ticket["device_id"] is not None:
                self._work(ticket, now)

    def _work(self, ticket: Mapping[str, Any], now: datetime) -> None:
        id_ = int(ticket["id"])
        if id_ not in self._read_at:
            self._read_at[id_] = now + timedelta(hours=float(self._rng.uniform(*_READ_AFTER_H)))
        if id_ not in self._visits:
            if now >= self._read_at[id_] and self._is_somebodys(ticket):
                self._agree(id_, str(ticket["device_id"]), now)
        elif now >= self._visits[id_]:
            del self._visits[id_]
            self._visit(id_, str(ticket["device_id"]), ticket["part"])

    def _is_somebodys(self, ticket: Mapping[str, Any]) -> bool:
        if ticket["technician_id"] is not None:
            return True
        turns = self._turns.get(self._regions.get(str(ticket["device_id"]), ""))
        if turns is None:
            return False
        body = {"technician_id": next(turns)}
        return self._desk.write("agent", "POST", f"/tickets/{ticket['id']}/assign", body) is not None

    def _agree(self, id_: int, device: str, now: datetime) -> None:
        at = _in_working_hours(
            now + timedelta(hours=float(self._rng.uniform(*_VISIT_AFTER_H))), self._zones.get(device, UTC)
        )
        body = {"at": at.isoformat()}
        if self._desk.write("agent", "POST", f"/tickets/{id_}/schedule", body) is not None:
            self._visits[id_] = at

    def _visit(self, id_: int, device: str, expected: str | None) -> None:
        try:
            code, part, note = self._look_at(device, expected)
        except Missing:
            code, part, note = "duplicate", None, "This device is not in our hands."
        body = {"code": code, "part": part, "note": note}
        if self._desk.write("technician", "POST", f"/tickets/{id_}/close", body) is not None and part is not None:
            self._fleet.repair(device, part)

    def _look_at(self, device: str, expected: str | None) -> tuple[str, str | None, str]:
        """Closing code, replaced part, note."""
        part = self._fleet.wrong_part(device)
        if part is not None:
            code = "confirmed" if expected in {None, "", part} else "different_fault"
            return code, part, f"Measured, replaced: {part}."
        firmware = self._fleet.firmware(device)
        repaired = {bad: good for (_, bad), good in self._engineer.repaired.items()}
        if firmware in repaired:
            self._fleet.update(device, repaired[firmware])
            return "fixed_by_update", None, f"Hardware sound; {firmware} replaced by {repaired[firmware]}."
        return "no_fault_found", None, "Tested for an hour, nothing found."


def _in_working_hours(at: datetime, zone: tzinfo) -> datetime:
    """The same day by the household's clock, on a half hour between nine and five."""
    local = at.astimezone(zone)
    return local.replace(hour=9 + local.hour % 8, minute=30 * (local.minute // 30), second=0, microsecond=0).astimezone(
        UTC
    )
