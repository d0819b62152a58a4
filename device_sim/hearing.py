"""How devices of other conventions take commands and answer them: each is heard as a native one, and its reply said in their words.

Sources: ``CmndStatus`` in tasmota/tasmota_support/support_command.ino and tasmota.github.io/docs/Commands;
shelly-api-docs.shelly.cloud/gen2 (RPC protocol, MQTT, Shelly service).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec

from device_sim.uplink import Message
from device_sim.zigbee import REQUESTS
from hearthwatch.errors import Invalid
from hearthwatch.values import Reply
from hearthwatch.wire import native
from hearthwatch.wire.payload import parse_object

FILTERS: Mapping[str, tuple[str, ...]] = {
    "native": (native.command_filter(),),
    "tasmota": ("cmnd/+/+",),
    "shelly_gen2": ("+/rpc",),
    "zigbee2mqtt": (REQUESTS,),
}
_REMEMBERED = 1000
_NO_UPDATE = {"code": -114, "message": "Resource unavailable: No update info!"}
_NO_HANDLER = 404


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was asked: Tasmota's command with its payload, or the frame of a Shelly."""

    command: str
    argument: str = ""
    frame: Mapping[str, Any] | None = None


class Ear:
    """Hears the commands of one convention. What was heard is remembered until its answer is said."""

    def __init__(self, convention: str) -> None:
        self.filters = FILTERS[convention]
        self._convention = convention
        self._heard: OrderedDict[str, _Heard] = OrderedDict()
        self._count = 0

    def hear(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """The command as a native one asks it; None for what no device takes for a command."""
        if self._convention == "native":
            return topic, payload
        if self._convention == "zigbee2mqtt":  # the bridge answers for its devices
            return None
        device, heard = self._tasmota(topic, payload) if self._convention == "tasmota" else self._shelly(topic, payload)
        if heard is None:
            return None
        self._count += 1
        name = f"heard-{self._count}"
        self._heard[name] = heard
        if len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        try:
            return native.command(device, name, "diagnostics")
        except Invalid:
            return None

    def say(self, reply: Reply, model: str | None) -> list[Message]:
        """The answer of a device; nothing where it was not asked in this convention."""
        heard = self._heard.pop(reply.id, None)
        if heard is None:
            return []
        if heard.frame is not None:
            return [_rpc_answer(reply, heard.frame, model)]
        return _tasmota_answers(reply, heard, model)

    def _tasmota(self, topic: str, payload: bytes) -> tuple[str, _Heard | None]:
        levels = topic.split("/")
        if len(levels) != 3 or levels[0] != "cmnd":
            return "", None
        return levels[1], _Heard(levels[2].upper(), payload.decode("utf-8", "replace").strip())

    def _shelly(self, topic: str, payload: bytes) -> tuple[str, _Heard | None]:
        device, _, last = topic.rpartition("/")
        try:
            frame = parse_object(payload)
        except Invalid:
            return device, None
        if last != "rpc" or "method" not in frame or not isinstance(frame.get("src"), str):
            return device, None
        return device, _Heard(str(frame["method"]), frame=frame)


# -- Shelly Gen2 ----------------------------------------------------------------------------------------------------------


def _rpc_answer(reply: Reply, frame: Mapping[str, Any], model: str | None) -> Message:
    answer: dict[str, Any] = {"id": frame.get("id"), "src": reply.device, "dst": frame["src"]}
    detail = reply.detail
    if frame["method"] == "Shelly.GetStatus":
        answer["result"] = {
            "sys": {
                "uptime": detail.get("uptime_s"),
                "ram_free": detail.get("free_heap_bytes"),
                "available_updates": {},
            },
            "wifi": {"status": "got ip", "ssid": "home", "rssi": round(detail.get("rssi_dbm", -60))},
        }
    elif frame["method"] == "Shelly.GetDeviceInfo":
        firmware = detail.get("firmware")
        answer["result"] = {
            "id": reply.device,
            "model": model,
            "gen": 2,
            "fw_id": firmware,
            "ver": firmware,
            "auth_en": False,
        }
    elif frame["method"] == "Shelly.CheckForUpdate":
        answer["result"] = {}
    elif frame["method"] == "Shelly.Update":
        answer["error"] = _NO_UPDATE
    else:
        answer["error"] = {"code": _NO_HANDLER, "message": f"No handler for {frame['method']}"}
    return f"{frame['src']}/rpc", msgspec.json.encode(answer), False


# -- Tasmota ----------------------------------------------------------------------------------------------------------------


def _tasmota_answers(reply: Reply, heard: _Heard, model: str | None) -> list[Message]:
    if heard.command == "UPGRADE":
        told = f"Version {reply.detail.get('firmware')} from http://ota.example/tasmota.bin.gz"
        return [_said(reply, "RESULT", {"Upgrade": told})]
    if heard.command == "STATUS0":
        parts = {key: part for one in _status(reply, model).values() for key, part in one.items()}
        return [_said(reply, "STATUS0", parts)]
    if heard.command != "STATUS":
        return [_said(reply, "RESULT", {"Command": "Unknown"})]
    parts_by_number = _status(reply, model)
    if heard.argument == "0":
        return [_said(reply, f"STATUS{number or ''}", part) for number, part in parts_by_number.items()]
    number = int(heard.argument) if heard.argument.isdecimal() else 0
    return [_said(reply, f"STATUS{number or ''}", parts_by_number.get(number, {}))]


def _status(reply: Reply, model: str | None) -> dict[int, dict[str, Any]]:
    """The parts of ``Status 0`` in their order, with what the fleet knows."""
    detail, at = reply.detail, reply.at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    uptime = int(detail.get("uptime_s") or 0)
    return {
        0: {"Status": {"Module": 1, "DeviceName": model, "Topic": reply.device, "Power": "1"}},
        1: {"StatusPRM": {"Baudrate": 115200, "GroupTopic": "tasmotas", "BootCount": detail.get("boot_count")}},
        2: {"StatusFWR": {"Version": f"{detail.get('firmware')}(tasmota)", "Hardware": "ESP8266EX"}},
        3: {"StatusLOG": {"SerialLog": 0, "SSId": ["home", ""], "TelePeriod": 300}},
        4: {"StatusMEM": {"Free": 1024, "Heap": int((detail.get("free_heap_bytes") or 0) // 1024)}},
        5: {"StatusNET": {"Hostname": reply.device, "IPAddress": "192.0.2.7"}},
        6: {"StatusMQT": {"MqttHost": "broker", "MqttPort": 1883, "MqttUser": reply.device, "MqttCount": 1}},
        7: {"StatusTIM": {"UTC": at.isoformat(), "Local": at.isoformat(), "Timezone": "+00:00"}},
        10: {"StatusSNS": {"Time": at.isoformat()}},
        11: {
            "StatusSTS": {
                "Time": at.isoformat(),
                "UptimeSec": uptime,
                "Heap": int((detail.get("free_heap_bytes") or 0) // 1024),
                "Wifi": {"AP": 1, "SSId": "home", "Signal": round(detail.get("rssi_dbm", -60))},
            }
        },
    }


def _said(reply: Reply, kind: str, given: Mapping[str, Any]) -> Message:
    return f"stat/{reply.device}/{kind}", msgspec.json.encode(given), False
