"""The commands of each convention: topic, payload, how the answer is recognised, and how long it may take.

Sources: docs/wire.md (native); tasmota.github.io/docs/Commands (``Status``, ``OtaUrl``, ``Upgrade``, ``Backlog``);
shelly-api-docs.shelly.cloud/gen2 (RPC protocol, MQTT; ``Shelly.GetStatus``, ``GetDeviceInfo``, ``CheckForUpdate``, ``Update`` with
``stage`` or ``url``); www.zigbee2mqtt.io (MQTT topics: ``bridge/request``, OTA updates); Sparkplug 3.0.0, 5.11 (``Node Control/Rebirth``).
How the answers are read stands with each convention's decoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hearthwatch.errors import Conflict, Invalid
from hearthwatch.values import DEVICE_ID
from hearthwatch.wire.commands.routes import Route
from hearthwatch.wire.limits import optional_text
from hearthwatch.wire.shelly_gen2 import ASKER
from hearthwatch.wire.sparkplug_command import rebirth

DIAGNOSTICS, CHECK_UPDATE, UPDATE, DEVICE_INFO, REBIRTH = (
    "diagnostics",
    "check_update",
    "update",
    "device_info",
    "rebirth",
)
KINDS = (DIAGNOSTICS, CHECK_UPDATE, UPDATE, DEVICE_INFO, REBIRTH)
HOUSEKEEPING = frozenset({DEVICE_INFO, REBIRTH})
"""Questions about the protocol itself. They tell nothing about a household, so nobody's consent is needed."""
LONGEST_VERSION = 64
LONGEST_URL = 1024
_URL = re.compile(r"https?://[^\s;\"'<>\\]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What is published: an MQTT topic, and a payload."""

    topic: str
    payload: bytes


Maker = Callable[[Route, str, Mapping[str, Any], datetime], Request]
"""(route, request id, parameters, now) to the request. Raises `Invalid` for wrong parameters."""


@dataclass(frozen=True, slots=True)
class Offer:
    """How a convention is asked for one kind; ``answer_within`` is how long after sending an answer may come."""

    make: Maker
    answer_within: timedelta
    by_id: bool = True
    """Whether the answer carries the id of the request; else the newest that waits is meant."""


def _native(kind: str) -> Maker:
    def make(route: Route, request: str, parameters: Mapping[str, Any], _now: datetime) -> Request:
        body = {"id": request, "kind": kind, **parameters}
        return Request(f"hearthwatch/v1/{route.place}/command", msgspec.json.encode(body))

    return make


def _native_update(route: Route, request: str, parameters: Mapping[str, Any], now: datetime) -> Request:
    version = optional_text(parameters.get("version"), "version", limit=LONGEST_VERSION)
    if version is None:
        raise Invalid("an update needs the version to install", where="parameters.version")
    told = {"version": version}
    if (url := image_url(parameters.get("url"))) is not None:
        told["url"] = url
        if (digest := optional_text(parameters.get("sha256"), "sha256", limit=64)) is not None:
            told["sha256"] = digest
    return _native(UPDATE)(route, request, told, now)


def image_url(given: object) -> str | None:
    """The address of a firmware image, as every convention can be told it. Raises `Invalid` for what is none.

    Tasmota takes several commands in one message, separated by semicolons and blanks, so that an address with one would be another command.
    """
    url = optional_text(given, "url", limit=LONGEST_URL)
    if url is not None and _URL.fullmatch(url) is None:
        raise Invalid("an image's address is http:// or https://, without blanks, quotes and semicolons", where="url")
    return url


def _tasmota(command: str, payload: str) -> Maker:
    def make(route: Route, _request: str, _parameters: Mapping[str, Any], _now: datetime) -> Request:
        return Request(f"{route.place}/{command}", payload.encode())

    return make


def _tasmota_update(route: Route, request: str, parameters: Mapping[str, Any], now: datetime) -> Request:
    """``OtaUrl`` and ``Upgrade`` in one message, so that no other firmware is loaded in between; without an address the device's own."""
    url = image_url(parameters.get("url"))
    if url is None:
        return _tasmota("UPGRADE", "1")(route, request, parameters, now)
    return _tasmota("BACKLOG", f"OtaUrl {url}; Upgrade 1")(route, request, parameters, now)


def _shelly_update(route: Route, request: str, parameters: Mapping[str, Any], now: datetime) -> Request:
    """The image at an address; without one, what its vendor calls stable."""
    url = image_url(parameters.get("url"))
    return _shelly("Shelly.Update", {"stage": "stable"} if url is None else {"url": url})(
        route, request, parameters, now
    )


def _shelly(method: str, params: Mapping[str, Any] | None = None) -> Maker:
    def make(route: Route, request: str, _parameters: Mapping[str, Any], _now: datetime) -> Request:
        # Our name below the device's own prefix: so it answers on a topic that is its own.
        frame: dict[str, Any] = {"id": request, "src": f"{route.place}/{ASKER}", "method": method}
        if params is not None:
            frame["params"] = dict(params)
        return Request(f"{route.place}/rpc", msgspec.json.encode(frame))

    return make


def _zigbee(asked: str) -> Maker:
    def make(route: Route, request: str, _parameters: Mapping[str, Any], _now: datetime) -> Request:
        body = {"id": route.device, "transaction": request}
        return Request(f"{route.place}/bridge/request/device/ota_update/{asked}", msgspec.json.encode(body))

    return make


def _zigbee_health(route: Route, request: str, _parameters: Mapping[str, Any], _now: datetime) -> Request:
    return Request(f"{route.place}/bridge/request/health_check", msgspec.json.encode({"transaction": request}))


def _rebirth(route: Route, _request: str, _parameters: Mapping[str, Any], now: datetime) -> Request:
    group, _, edge = route.place.partition("/")
    return Request(f"spBv1.0/{group}/NCMD/{edge}", rebirth(now))


_MINUTE = timedelta(minutes=1)
_OFFERS: Mapping[str, Mapping[str, Offer]] = {
    "native": {
        DIAGNOSTICS: Offer(_native(DIAGNOSTICS), 2 * _MINUTE),
        UPDATE: Offer(_native_update, 10 * _MINUTE),
    },
    "tasmota": {
        DIAGNOSTICS: Offer(_tasmota("STATUS", "0"), _MINUTE, by_id=False),
        DEVICE_INFO: Offer(_tasmota("STATUS", "2"), _MINUTE, by_id=False),
        UPDATE: Offer(_tasmota_update, 2 * _MINUTE, by_id=False),
    },
    "shelly_gen2": {
        DIAGNOSTICS: Offer(_shelly("Shelly.GetStatus"), _MINUTE),
        CHECK_UPDATE: Offer(_shelly("Shelly.CheckForUpdate"), 2 * _MINUTE),
        DEVICE_INFO: Offer(_shelly("Shelly.GetDeviceInfo"), _MINUTE),
        UPDATE: Offer(_shelly_update, 2 * _MINUTE),
    },
    "zigbee2mqtt": {  # the bridge asks the device by radio, which takes minutes; an update answers when it is done
        CHECK_UPDATE: Offer(_zigbee("check"), 5 * _MINUTE),
        UPDATE: Offer(_zigbee("update"), 120 * _MINUTE),
    },
    "zigbee2mqtt bridge": {DIAGNOSTICS: Offer(_zigbee_health, _MINUTE)},
    "sparkplug": {REBIRTH: Offer(_rebirth, _MINUTE, by_id=False)},
}
_COMMAND_TOPICS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"hearthwatch/v1/{DEVICE_ID.pattern}/command",
        r"cmnd(?:/[^/+#\x00]+){1,2}/(?:STATUS|UPGRADE|BACKLOG)",
        r"(?:[^/+#\x00]+/){1,2}cmnd/(?:STATUS|UPGRADE|BACKLOG)",
        r"(?:[^/+#\x00]+/){1,2}rpc",
        r"(?:[^/+#\x00]+/)+bridge/request/(?:health_check|device/ota_update/(?:check|update))",
        r"spBv1\.0/[^/+#\x00]+/NCMD/[^/+#\x00]+",
    )
)


def offered(route: Route) -> Mapping[str, Offer]:
    """What a device can be asked, by kind."""
    return _OFFERS.get(route.family, {})


def offer(route: Route, kind: str) -> Offer:
    """How a device is asked. Raises `Invalid` for a kind that does not exist, `Conflict` for one it does not offer."""
    if kind not in KINDS:
        raise Invalid(f"there is no command {kind!r}; there are {', '.join(KINDS)}", where="kind")
    found = offered(route).get(kind)
    if found is None:
        able = ", ".join(offered(route)) or "nothing"
        raise Conflict(
            f"a device of the convention {route.family} can be asked for {able}, not for {kind}", where="kind"
        )
    return found


def is_command_topic(topic: str) -> bool:
    """Whether a topic is one that commands go to, and nothing else."""
    return any(pattern.fullmatch(topic) for pattern in _COMMAND_TOPICS)


def answer_within(convention: str, kind: str) -> timedelta:
    """How long after sending an answer may come."""
    families = (convention, f"{convention} bridge")
    found = [one.answer_within for family in families for name, one in _OFFERS.get(family, {}).items() if name == kind]
    return max(found, default=_MINUTE)
