"""The channels that the settings describe. Raises `Invalid` where one can not be, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hearthwatch.errors import Invalid
from hearthwatch.ports import Channel, Clock
from hearthwatch.settings import Settings, Webhook

if TYPE_CHECKING:
    from alerts.delivery.events import Endpoint
    from alerts.delivery.patience import Patience


def letter_channels(settings: Settings, clock: Clock) -> Iterator[Channel]:
    """Mail, and every channel by name."""
    from alerts.channels.gateway import GatewayChannel
    from alerts.channels.mail import MailChannel
    from alerts.channels.mail_server import mail_server

    address = settings.mail_server.get_secret_value()
    server = mail_server(address) if address else None
    yield MailChannel(server, clock, brand=settings.brand_name, reply_to=settings.brand_reply_to)
    for name, url in settings.channels.items():
        yield GatewayChannel(name, url.get_secret_value())


def event_channels(settings: Settings, clock: Clock) -> Iterator[Channel]:
    """The signed webhooks of the maker's own systems."""
    from alerts.channels.signing import keys_of
    from alerts.channels.webhook import WebhookChannel
    from alerts.delivery.events import address_of, channel_of

    endpoints(settings)
    for name, one in settings.webhooks.items():
        where = f"webhooks.{name}"
        keys = [key for secret in one.secrets for key in keys_of(secret.get_secret_value(), where=where)]
        yield WebhookChannel(channel_of(name), _url(one, where), keys, clock, address=address_of(name))


def endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """The maker's own systems that are told, and what they want to hear. Raises `Invalid` for what can not be."""
    from alerts.delivery.events import Endpoint

    return tuple(Endpoint(name, one.events) for name, one in settings.webhooks.items())


def patience(settings: Settings) -> Patience:
    """How long letters are tried."""
    from alerts.delivery.patience import Patience

    return Patience(timedelta(hours=settings.outbox_give_up_h), timedelta(hours=settings.outbox_fall_back_h))


def _url(webhook: Webhook, where: str) -> str:
    """An address of a web server; without TLS only on this machine, where nobody else listens."""
    url = webhook.url.get_secret_value()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Invalid("its url can not be read", where=where) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid("its url is no address of a web server", where=where)
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise Invalid("its url is not encrypted; use https://", where=where)
    return url
