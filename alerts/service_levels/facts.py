"""What the choice of a term looks at, for many tickets at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.policy import facts as device_facts
from alerts.policy.facts import Facts as DeviceFacts
from alerts.sla.terms import Facts
from hearthwatch.records import customers, devices, models
from hearthwatch.records.sla_events import LedgerLine
from hearthwatch.values import Ticket


def of_tickets(connection: Connection, tickets: Sequence[Ticket], now: datetime) -> dict[int, Facts]:
    """What is known of each ticket's device, model, warranty and place; the region is the home's, else the device's."""
    ids = sorted({one.device_id for one in tickets if one.device_id})
    known = device_facts.of_devices(connection, devices.find(connection, ids).values(), now)
    owners = customers.owners_of(connection, ids, now)
    sold = models.find(connection, {one.model for one in tickets if one.model})
    found = {}
    for ticket in tickets:
        device = known.get(ticket.device_id or "", DeviceFacts())
        owner = owners.get(ticket.device_id or "")
        model = sold.get(ticket.model or "")
        home = owner.home.region if owner and owner.home else None
        found[ticket.id] = Facts(
            priority=ticket.priority,
            kind=ticket.kind,
            model=ticket.model or device.model,
            device_class=model.device_class if model else device.device_class,
            safety_class=model.safety_class if model else device.safety_class,
            warranty=device.warranty,
            region=home or device.region,
            groups=tuple(sorted(device.groups)),
        )
    return found


def priority_at_opening(ticket: Ticket, happened: Sequence[LedgerLine]) -> int:
    """A ticket's priority before anything raised it."""
    opened = _first(happened, "opened").get("priority")
    raised = _first(happened, "raised").get("from")
    return next((one for one in (opened, raised) if isinstance(one, int)), ticket.priority)


def _first(happened: Sequence[LedgerLine], what: str) -> Mapping[str, object]:
    return next((one.detail for one in happened if one.what == what), {})
