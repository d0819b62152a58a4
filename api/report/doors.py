"""The two doors to the form: a customer's link, which knows who comes, and a device's code, which knows nobody and tells nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.customers import opening
from alerts.notices.issue import product_name
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import aliases, devices, models, report_codes


@dataclass(frozen=True, slots=True)
class Thing:
    """A device as the form names it: by its product. ``number`` is None where it is nobody's business."""

    id: str
    product: str
    number: str | None
    device_class: str | None


@dataclass(frozen=True, slots=True)
class Door:
    """An open form: ``name`` tells it from other doors, ``path`` is its address, ``back`` the page it was come to from."""

    name: str
    path: str
    things: tuple[Thing, ...]
    customer_id: str | None = None
    language: str | None = None
    timezone: str = "UTC"
    back: str | None = None

    @property
    def strangers(self) -> bool:
        """Whether anybody may come in."""
        return self.customer_id is None

    def device(self, wanted: str) -> str | None:
        """The device a form is about. Raises `Invalid` for one that this door does not lead to."""
        if self.strangers or len(self.things) == 1:
            return self.things[0].id if self.things else None
        if not self.things and not wanted:
            return None
        if wanted not in {one.id for one in self.things}:
            raise Invalid("which device", where="device")
        return wanted


def by_code(connection: Connection, code: str) -> Door:
    """The door of a code. Raises `Missing`, the same for one that never was and one that was revoked."""
    found = report_codes.find(connection, code)
    device_id = aliases.device_of(connection, found.device_id)
    return Door(f"code:{found.id}", f"/r/{code}", (_thing(connection, device_id, told=False),))


def by_link(connection: Connection, token: str, now: datetime) -> Door:
    """The door of a customer's link. Raises `Missing` or `Denied` for one that is not good (any more)."""
    opened = opening.opened(connection, token, now)
    things = tuple(_thing(connection, one, told=True) for one in opened.device_ids)
    language = opened.notice.language if opened.notice else opened.customer.language
    return Door(
        f"link:{opened.link.id}",
        f"/c/{token}/report",
        things,
        opened.customer.id,
        language,
        opened.timezone,
        f"/c/{token}",
    )


def _thing(connection: Connection, device_id: str, *, told: bool) -> Thing:
    device = devices.find(connection, [device_id]).get(device_id)
    model = device.model if device else None
    return Thing(device_id, product_name(connection, model), device_id if told else None, _class(connection, model))


def _class(connection: Connection, model: str | None) -> str | None:
    if model is None:
        return None
    try:
        return models.get(connection, model).device_class
    except Missing:
        return None
