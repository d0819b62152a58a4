"""The owner of a device as the reader of what they wait for: reminders, news, the all-clear, the question whether it helped."""

from __future__ import annotations

from sqlalchemy import Connection

from alerts.channels.addresses import usable
from alerts.channels.media import medium
from alerts.policy.decisions import Addressee
from hearthwatch.records import consents, notices
from hearthwatch.records.consents import Standing
from hearthwatch.records.customers import Customer, Owner


def awaiting(connection: Connection, owner: Owner, device_id: str, purpose: str, *, anyway: bool = False) -> Addressee:
    """An owner whom such a notice is no burden on the budget; ``anyway``: they asked for it, or the law does, so that they agree."""
    disowned = (device_id, owner.customer.id) in notices.disowned(connection, [device_id])
    agreed = anyway or agrees(owner.customer, consents.standing(connection, owner.customer.id), purpose)
    return Addressee(owner, {purpose: agreed}, spent=0, disowned=disowned)


def agrees(customer: Customer, holds: Standing, purpose: str) -> bool:
    """Whether a customer agrees to be written to by one of the ways that reach them; as a whole where none does."""
    ways = usable(customer.channels)
    return any(holds.allows(purpose, medium(one)) for one in ways) if ways else holds.allows(purpose)
