"""Addresses of brokers: ``mqtt://user:password@host:port?option=value``, ``mqtts://...``, ``local://name``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from hearthwatch.errors import Invalid

Protocol = Literal["auto", "5", "3.1.1"]

_OPTIONS = frozenset({"protocol", "keepalive", "window", "max_packet", "ca", "user_property", "client"})


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and how to speak to it.

    ``protocol``: auto tries MQTT 5 first; ``keepalive_s``: silence after which a ping is sent; ``window``: messages a publisher may
    have unacknowledged; ``max_packet_bytes``: larger packets the broker keeps for itself (MQTT 5); ``ca``: file with the authorities
    to trust instead of the system's; ``user_property``: name of the MQTT 5 user property in which the broker names the sender;
    ``stock``: use the client library as it is, without our faster way through it.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    protocol: Protocol = "auto"
    keepalive_s: int = 30
    window: int = 1000
    max_packet_bytes: int = 4_718_592
    ca: str | None = None
    user_property: str | None = None
    stock: bool = False

    def __str__(self) -> str:
        """For logs: without user and password."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(address: str) -> BrokerAddress:
    """Read an ``mqtt://`` or ``mqtts://`` address. Raises `Invalid` that never shows the password."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"not an address: {error}", where="broker") from None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise Invalid("expected mqtt://host, mqtts://host or local://name", where="broker")
    if parts.path not in {"", "/"} or parts.fragment:
        raise Invalid("a broker's address has no path", where="broker")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise Invalid(f"a broker's address has no option {unknown[0]!r}", where="broker")
    tls = parts.scheme == "mqtts"
    return BrokerAddress(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password) if parts.password is not None else None,
        protocol=_protocol(options.get("protocol", "auto")),
        keepalive_s=_number(options, "keepalive", 30, 5, 65_535),
        window=_number(options, "window", 1000, 1, 65_535),
        max_packet_bytes=_number(options, "max_packet", 4_718_592, 1024, 268_435_455),
        ca=options.get("ca"),
        user_property=options.get("user_property"),
        stock=options.get("client") == "stock",
    )


def local_name(address: str) -> str:
    """The name in ``local://name``. Raises `Invalid`."""
    name = address.removeprefix("local://")
    if not name or "/" in name:
        raise Invalid("expected local://name", where="broker")
    return name


def _protocol(text: str) -> Protocol:
    match text:
        case "auto" | "5" | "3.1.1":
            return text
        case _:
            raise Invalid(f"protocol is auto, 5 or 3.1.1, not {text!r}", where="broker")


def _number(options: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = options.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise Invalid(f"{name} is a number from {least} to {most}, not {text!r}", where="broker")
    return int(text)
