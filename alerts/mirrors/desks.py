"""The service desk beside us, by its address."""

from __future__ import annotations

from alerts.mirrors import webhook_desk, zammad
from alerts.mirrors.webhook_desk import WebhookDesk
from alerts.mirrors.zammad import ZammadDesk
from hearthwatch.errors import Invalid
from hearthwatch.ports import Clock, ServiceDesk


def open_desk(address: str, secret: str, clock: Clock) -> ServiceDesk | None:
    """The desk at an address; None for an empty one. Raises `Invalid` for an address that nothing serves."""
    if not address:
        return None
    scheme = address.partition(":")[0]
    if scheme in zammad.SCHEMES:
        return ZammadDesk(address, clock)
    if scheme in webhook_desk.SCHEMES:
        return WebhookDesk(address, secret, clock)
    raise Invalid(
        f"no service desk speaks {scheme!r}; use zammads://TOKEN@host?group=GROUP&customer=MAIL or webhooks://host/path",
        where="service_desk",
    )
