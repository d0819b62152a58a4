"""Shelly Gen2 and later: JSON-RPC over MQTT below a prefix that is the device's id unless somebody changed it.

Source: shelly-api-docs.shelly.cloud/gen2 (MQTT, Notifications, RPC protocol, components). ``NotifyStatus`` names only what
changed: it is laid over the last known status of its component. Status by topic and answers to RPC calls are read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.instants import from_epoch
from hearthwatch.wire.limits import check_device, is_device, shown
from hearthwatch.wire.payload import parse_object, parse_text
from hearthwatch.wire.shelly_components import COMPONENT, component_metrics, component_values, is_steady

ASKER = "hearthwatch"
"""The last level of our own ``src`` when we ask a device: its answer then comes below its own prefix."""

_TOPIC = re.compile(r"(?!events/rpc$)([^/]+(?:/[^/]+)??)/(online|events/rpc|status/[^/]+|(?:hearthwatch/)?rpc)")
_OWN_ID = re.compile(r"shelly[a-z0-9]*-[0-9a-f]{12,16}", re.IGNORECASE)
"""An id as the maker gives it: type and MAC address."""
_OTHERS = frozenset(
    {"hearthwatch", "tele", "stat", "cmnd", "tasmota", "homeassistant", "zigbee2mqtt", "homie", "spBv1.0", "esphome"}
)
"""First levels that belong to other conventions, whatever follows."""
_MAX_COMPONENTS = 64
NO_STATUS = "an answer without a status: how the device is set up, or that a call was done"
# ESP-IDF's esp_reset_reason_t, which the field carries unchanged.
_RESET = {
    1: "power_on",
    2: "user",
    3: "user",
    4: "panic",
    5: "watchdog",
    6: "watchdog",
    7: "watchdog",
    8: "deep_sleep",
    9: "brownout",
    14: "brownout",
    15: "panic",
}


class ShellyGen2:
    """Decoder of Shelly Gen2+. State per prefix: the device's own id, firmware, presence, uptime, last status of its components."""

    name = "shelly_gen2"
    shareable: tuple[str, ...] = ()
    filters = tuple(
        f"{levels}/{kind}"
        for levels in ("+", "+/+")
        for kind in ("online", "events/rpc", "status/+", "rpc", f"{ASKER}/rpc")
    )

    def partition(self, topic: str) -> str | None:
        """The device's prefix; None for topics of other families that end alike."""
        match = _TOPIC.fullmatch(topic)
        if match is None:
            return None
        prefix, kind = match.group(1), match.group(2)
        first = prefix.partition("/")[0]
        if (first in _OTHERS and topic != f"{ASKER}/rpc") or (
            first == "shellies" and (kind == "online" or "/" not in prefix)
        ):
            return None
        return prefix

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        match = _TOPIC.fullmatch(message.topic)
        if match is None:
            raise Invalid("not a topic of Shelly Gen2")
        prefix, kind = match.group(1), match.group(2)
        if kind == "online":
            return _online(prefix, state, message)
        if kind.startswith("status/"):
            return _status(prefix, kind.removeprefix("status/"), state, message)
        if kind.endswith("rpc") and kind != "events/rpc":
            return _answer(prefix, state, message)
        return _notification(prefix, state, message)


def _online(prefix: str, state: State | None, message: Message) -> tuple[Decoded, State | None]:
    said = parse_text(message.payload).lower()
    if said not in ("true", "false"):
        raise Invalid(f"neither true nor false: {shown(said)}")
    online = said == "true"
    device = _known(state) or (prefix if _OWN_ID.fullmatch(prefix) else None)
    if device is None:
        # Whose prefix this is shows with the first notification; until then it would be a second device.
        waits = state is not None and state.get("waiting") is online
        following = state if waits else {**(state or {}), "waiting": online}
        return Decoded(ignored="the device of this prefix has not named itself yet"), following
    draft = Draft("shelly_gen2", device, state, message)
    return draft.finish(draft.presence("online", online=online))


def _known(state: State | None) -> str | None:
    known = state.get("device") if state else None
    return known if isinstance(known, str) else None


def _draft(prefix: str, named: Any, state: State | None, message: Message) -> Draft:
    """The answer for the device that names itself ``named``, or that the prefix stands for. A prefix that is an id binds."""
    if named is not None and not (isinstance(named, str) and is_device(named)):
        raise Invalid(f"not a device id: {shown(named)}")
    if named is not None and _OWN_ID.fullmatch(prefix) and named.lower() != prefix.lower():
        raise Invalid("the payload names another device than the topic")
    device = named or _known(state) or check_device(prefix.replace("/", "."))
    known = _known(state)
    if known is not None and known != device:
        state = None  # another device took over the prefix
    draft = Draft("shelly_gen2", device, state, message)
    draft.keep("device", device)
    waiting = draft.recall("waiting")
    if isinstance(waiting, bool):
        draft.keep("waiting", None)
        draft.presence("online", online=waiting)
    return draft


# -- notifications --------------------------------------------------------------------------------------------------------


def _notification(prefix: str, state: State | None, message: Message) -> tuple[Decoded, State | None]:
    given = parse_object(message.payload)
    method, params = given.get("method"), given.get("params")
    if not isinstance(method, str) or not isinstance(params, dict):
        raise Invalid("not a notification: it needs a method and params")
    draft = _draft(prefix, given.get("src"), state, message)
    if method in ("NotifyStatus", "NotifyFullStatus"):
        _components(draft, method, params, params.get("ts"), whole=method == "NotifyFullStatus")
    elif method == "NotifyEvent":
        _events(draft, params)
    return draft.finish()


def _status(prefix: str, component: str, state: State | None, message: Message) -> tuple[Decoded, State | None]:
    given = parse_object(message.payload)
    draft = _draft(prefix, None, state, message)
    if message.retain:
        return draft.finish("a retained copy without a time")
    _components(draft, f"status/{component}", {component: given}, None, whole=True)
    return draft.finish()


def _answer(prefix: str, state: State | None, message: Message) -> tuple[Decoded, State | None]:
    """An answer to a call. On a topic that is not below the device's own prefix it speaks for its ``src``, without a memory."""
    given = parse_object(message.payload)
    if "method" in given:
        return Decoded(ignored="a call to a device, not a message from it"), state
    result, named, call = given.get("result"), given.get("src"), _our_call(given, message)
    if "error" in given and call is None:
        return Decoded(ignored="the device refused a call of somebody else"), state
    if not isinstance(result, dict) and (call is None or not {"result", "error"} & given.keys()):
        raise Invalid("not an answer: it needs a result")
    if not isinstance(named, str) or not is_device(named):
        raise Invalid(f"not a device id: {shown(named)}")
    ours = named in (_known(state), prefix) or message.topic.endswith(f"/{ASKER}/rpc")
    draft = _draft(prefix if ours else named, named, state if ours else None, message)
    if isinstance(result, dict):
        if "model" in result or "fw_id" in result or "ver" in result:
            _device_info(draft, result)
        elif (configured := _configured(result)) is not None:
            _device_info(draft, configured)
        _components(draft, "answer", result, None, whole=False)
    if call is not None:
        error = given.get("error")
        draft.reply(ok=error is None, detail=result if error is None else {"error": error}, id=call)
    decoded, following = draft.finish(NO_STATUS)
    return decoded, following if ours else state


def _configured(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What ``Shelly.GetConfig`` says of the device itself: its firmware and its address."""
    system = result.get("sys")
    device = system.get("device") if isinstance(system, dict) else None
    return device if isinstance(device, dict) and "fw_id" in device else None


def _our_call(given: Mapping[str, Any], message: Message) -> str | None:
    """The id of our call that this answers. Ours are texts and come back to ``hearthwatch``; others may count theirs."""
    told = given.get("dst")
    for_us = message.topic == f"{ASKER}/rpc" or message.topic.endswith(f"/{ASKER}/rpc")
    if not for_us and not (isinstance(told, str) and (told == ASKER or told.endswith(f"/{ASKER}"))):
        return None
    return text_or_none(given.get("id")) if not message.retain else None


def _device_info(draft: Draft, info: Mapping[str, Any]) -> None:
    firmware = text_or_none(info.get("fw_id")) or text_or_none(info.get("ver"))
    draft.learn_firmware("answer", firmware)
    draft.identity(model=info.get("model"), firmware=firmware, serial=info.get("mac"))


# -- status ----------------------------------------------------------------------------------------------------------------


def _components(draft: Draft, kind: str, given: Mapping[str, Any], ts: Any, *, whole: bool) -> None:
    """A reading of the components in a status. ``whole`` statuses replace what is known of a component, others change it."""
    system = given.get("sys")
    system = system if isinstance(system, dict) else {}
    _system(draft, kind, system)
    at = from_epoch(ts) or from_epoch(system.get("unixtime")) or draft.message.received_at
    kept = draft.recall("status")
    status = dict(kept) if isinstance(kept, dict) else {}
    metrics: dict[str, float] = {}
    for key, fields in given.items():
        if not isinstance(fields, dict) or COMPONENT.fullmatch(key) is None:
            continue
        values = component_values(draft, key, fields, {} if whole else status.get(key, {}))
        if values is not None:
            metrics.update(component_metrics(key, values))
            if is_steady(key) and (key in status or len(status) < _MAX_COMPONENTS):
                status[key] = values
        _faults(draft, kind, at, key, fields.get("errors"))
    draft.keep("status", status or None)
    if "uptime_s" in metrics:
        draft.learn_uptime(kind, at, metrics["uptime_s"], _reset_code(system.get("reset_reason")))
    draft.reading(kind, at, metrics)


def _reset_code(reason: Any) -> str:
    return _RESET.get(reason, "unknown") if isinstance(reason, int) else "unknown"


def _system(draft: Draft, kind: str, system: Mapping[str, Any]) -> None:
    """Some models name their firmware in every status."""
    if "fw_id" in system:
        firmware = text_or_none(system["fw_id"])
        if firmware is not None and firmware != draft.firmware:
            draft.learn_firmware(kind, firmware)
            draft.identity(model=system.get("model"), firmware=firmware, serial=system.get("mac"))


def _faults(draft: Draft, kind: str, at: Any, component: str, errors: Any) -> None:
    """An event for each error that was not there before, such as ``overtemp`` of a switch."""
    if not isinstance(errors, list):
        return
    known = draft.recall("faults")
    faults = dict(known) if isinstance(known, dict) else {}
    standing = [error for error in errors[:16] if text_or_none(error) is not None]
    for error in standing:
        if error not in faults.get(component, ()):
            draft.event(f"{kind}/{component}", at, "fault", error, {"component": component})
    if standing and (component in faults or len(faults) < _MAX_COMPONENTS):
        faults[component] = standing
    else:
        faults.pop(component, None)
    draft.keep("faults", faults or None)


def _events(draft: Draft, params: Mapping[str, Any]) -> None:
    """Events of the firmware updater; buttons and the like are a household's own business."""
    events = params.get("events")
    if not isinstance(events, list):
        raise Invalid("events is not a list")
    for event in events[:64]:
        if not isinstance(event, dict) or event.get("component") != "sys":
            continue
        at = from_epoch(event.get("ts")) or from_epoch(params.get("ts")) or draft.message.received_at
        name = event.get("event")
        if name == "ota_error":
            why = text_or_none(event.get("msg"))
            draft.event("NotifyEvent", at, "update", "failed", {"from": draft.firmware, "reason": why})
        elif name == "ota_begin":
            draft.event("NotifyEvent", at, "update", "started", {"from": draft.firmware})
