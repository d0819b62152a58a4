"""The people of the story. They use the platform as people would: staff through the HTTP API, customers through their page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import httpx

from device_sim.fleet import Fleet
from device_sim.people.customers import Customers
from device_sim.people.desk import Desk
from device_sim.people.engineer import Engineer, at_work
from device_sim.people.registration import import_customers, register_field_service, set_policy_live
from device_sim.people.service import FieldService
from device_sim.randomness import stream

__all__ = ["People"]


class People:
    """Everybody around a fleet. ``tokens`` by role: engineer, agent, technician, admin, and second for the second administrator."""

    def __init__(
        self,
        fleet: Fleet,
        url: str,
        tokens: Mapping[str, str],
        seed: int,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._fleet = fleet
        self._desk = Desk(url, tokens, transport)
        self._engineer = Engineer(self._desk, fleet)
        self._service = FieldService(self._desk, fleet, self._engineer, stream(seed, "field service"))
        self._customers = Customers(self._desk, stream(seed, "customers"))

    def prepare(self, now: datetime) -> None:
        """What is done before the first step: policy live, field service and customers known, releases announced that begin at once."""
        set_policy_live(self._desk)
        register_field_service(self._desk, self._fleet)
        import_customers(self._desk, self._fleet)
        self._engineer.act(now, at_work=False)

    def act(self, now: datetime) -> None:
        """What everybody does at this instant. When nothing is new that is four requests in office hours, else one."""
        working = at_work(now)
        self._engineer.act(now, at_work=working)
        if working:
            self._release_rounds()
            self._service.act(now)
        self._customers.act(now)

    def close(self) -> None:
        """Everybody goes home."""
        self._desk.close()

    def _release_rounds(self) -> None:
        """The second person looks at rounds that were held because they are large, and lets them go."""
        for brake in self._desk.read("second", "/rounds")["items"]:
            round_id = str(brake["name"]).removeprefix("round:")
            self._desk.write("second", "POST", f"/rounds/{round_id}/release", {})
