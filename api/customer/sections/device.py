"""Which device it is about; on the customer's own page, which are theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.notices.issue import product_name
from api.customer.look import Look, Section
from hearthwatch.records import devices


def show(look: Look) -> Mapping[str, Any] | None:
    """Product, number and software of each device."""
    known = devices.find(look.connection, look.device_ids)
    told = []
    for device_id in look.device_ids:
        device = known.get(device_id)
        product = product_name(look.connection, device.model if device else None)
        told.append({"id": device_id, "product": product, "software": device.version if device else None})
    return {"devices": told} if told else None


SECTION = Section("device", show)
