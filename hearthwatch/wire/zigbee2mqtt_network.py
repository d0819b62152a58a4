"""One Zigbee network: who is on it, under which names, and what each said last.

State of a base topic: ``{"bridge", "names", "groups", "devices", "waiting"}``. ``bridge`` is the device id of the bridge, which all
``devices`` depend on: when it is offline they are unknown, not broken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Rejection
from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.drafts import Drafts
from hearthwatch.wire.limits import KNOWN_COPY, shown
from hearthwatch.wire.rejections import bounded
from hearthwatch.wire.zigbee2mqtt_device import NAME, learn_version
from hearthwatch.wire.zigbee2mqtt_metrics import units_of

MAX_DEVICES = 2000
"""Devices of one network; the largest known ones have a few hundred."""
MAX_WAITING = 500
"""Names whose presence was told before the device was described."""
_ADDRESS = re.compile(r"0x[0-9a-f]{1,16}")
_BRIDGE_WAITS = "the bridge has not told its address yet"


class Network:
    """The answer to one message of a network while it is being made: drafts of the devices it speaks of, and the next state."""

    def __init__(self, state: State | None, message: Message) -> None:
        self._given = state
        self._message = message
        self._state: dict[str, Any] = dict(state or {})
        self._drafts = Drafts(NAME, self._map("devices").get, message)
        self._gone: set[str] = set()
        self._rejected: list[Rejection] = []

    # -- who is who

    def _map(self, key: str) -> dict[str, Any]:
        known = self._state.get(key)
        return known if isinstance(known, dict) else {}

    def knows(self, name: str) -> bool:
        """Whether a device or a group has this name now."""
        return name in self._map("names") or self.is_group(name)

    def is_group(self, name: str) -> bool:
        """Whether this is the name of a group."""
        return name in self._state.get("groups", ())

    def draft_of(self, name: str) -> Draft | None:
        """The draft of the device with this friendly name."""
        address = self._map("names").get(name)
        return self._drafts.of(address) if isinstance(address, str) else None

    def named_in_answer(self, name: Any) -> Draft | None:
        """The draft of the device that an answer names, by its address or its friendly name."""
        if not isinstance(name, str):
            return None
        return self._drafts.of(name) if name in self._map("devices") else self.draft_of(name)

    def bridge_draft(self) -> Draft | None:
        """The draft of the bridge, once it told its address."""
        bridge = self._state.get("bridge")
        return self._drafts.of(bridge) if isinstance(bridge, str) else None

    # -- presence

    def bridge_is(self, *, online: bool) -> str | None:
        """Presence of the bridge, or why it says nothing new."""
        draft = self.bridge_draft()
        if draft is None:
            self._state["waiting"] = {**self._map("waiting"), "": online}
            return _BRIDGE_WAITS
        return draft.presence("bridge", online=online)

    def device_is(self, name: str, *, online: bool) -> str | None:
        """Presence of a device; under a name that is not known yet it waits for the description."""
        if self.is_group(name):
            return "the presence of a group, which is no device"
        draft = self.draft_of(name)
        if draft is not None:
            return draft.presence("availability", online=online)
        waiting = self._map("waiting")
        if name in waiting or len(waiting) < MAX_WAITING:
            self._state["waiting"] = {**waiting, name: online}
        return "bridge/devices has not named this device yet"

    def _stop_waiting(self, name: str, draft: Draft, stream: str) -> None:
        waiting = self._map("waiting")
        if name in waiting:
            draft.presence(stream, online=bool(waiting[name]))
            self._state["waiting"] = {other: online for other, online in waiting.items() if other != name}

    # -- descriptions

    def learn_bridge(self, address: Any) -> Draft | None:
        """The bridge's draft, now that its address is told."""
        device = address.lower() if isinstance(address, str) else ""
        if _ADDRESS.fullmatch(device) is None:
            return self.bridge_draft()
        self._state["bridge"] = device
        draft = self._drafts.of(device)
        self._stop_waiting("", draft, "bridge")
        return draft

    def learn_groups(self, listed: Sequence[Any]) -> None:
        """Names that are no devices'."""
        named = [given.get("friendly_name") for given in listed[:MAX_DEVICES] if isinstance(given, dict)]
        groups = sorted({name for name in named if isinstance(name, str) and 0 < len(name) <= 256})
        if groups != self._state.get("groups", []):
            self._state["groups"] = groups

    def describe(self, listed: Sequence[Any]) -> str | None:
        """The whole network as ``bridge/devices`` lists it: new devices, new names, and those that are gone."""
        if len(listed) > MAX_DEVICES:
            raise Invalid(f"more than {MAX_DEVICES} devices on one network")
        described = self._addressed(listed)
        for address, given in described.items():
            if given.get("type") == "Coordinator":
                self.learn_bridge(address)
        names: dict[str, str] = {}
        for address, given in described.items():
            if given.get("type") == "Coordinator":
                continue
            name = given.get("friendly_name")
            if isinstance(name, str) and 0 < len(name) <= 256:
                names[name] = address
            self._describe(address, given)
        gone = [
            address for address in self._map("devices") if address not in described and not self._is_bridge(address)
        ]
        if not (self._rejected and not described):
            for address in gone:
                self._left(address)
            self._state["names"] = names
        for name, address in names.items():
            self._stop_waiting(name, self._drafts.of(address), "availability")
        return KNOWN_COPY

    def _addressed(self, listed: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
        described: dict[str, Mapping[str, Any]] = {}
        for place, given in enumerate(listed):
            address = given.get("ieee_address") if isinstance(given, dict) else None
            device = address.lower() if isinstance(address, str) else ""
            if _ADDRESS.fullmatch(device) is None:
                self._rejected.append(Rejection(f"not an IEEE address: {shown(address)}", f"[{place}]", samples=0))
            else:
                described[device] = given
        return described

    def _describe(self, address: str, given: Mapping[str, Any]) -> None:
        draft = self._drafts.of(address)
        definition = given.get("definition")
        definition = definition if isinstance(definition, dict) else {}
        units = units_of(definition)
        if given.get("power_source") == "Battery":
            units.setdefault("voltage", "mV")
        draft.keep("units", units or None)
        learn_version(draft, "build", given.get("software_build_id"))
        learn_version(draft, "date", given.get("date_code"))
        model = text_or_none(definition.get("model")) or given.get("model_id")
        self.claim(draft, model, given.get("model_id"))
        bridge = self._state.get("bridge")
        if isinstance(bridge, str) and draft.recall("bridge") != bridge:
            detail = {
                "bridge": bridge,
                "vendor": text_or_none(definition.get("vendor")) or text_or_none(given.get("manufacturer")),
                "power_source": text_or_none(given.get("power_source")),
            }
            draft.event("bridge", self._message.received_at, "network", "joined", detail)
            draft.keep("bridge", bridge)

    def claim(self, draft: Draft, model: Any, hardware: Any) -> None:
        """What a device is, where that was not said before: the list comes again with every change of any device."""
        claim = [text_or_none(model), text_or_none(hardware), draft.firmware]
        if draft.recall("claim") != claim:
            draft.keep("claim", claim)
            draft.identity(model=claim[0], hardware=claim[1], firmware=claim[2], serial=draft.device)

    def _is_bridge(self, address: str) -> bool:
        return address == self._state.get("bridge")

    # -- events

    def happened(self, address: Any, code: str) -> str | None:
        """An event of a device on the network."""
        device = address.lower() if isinstance(address, str) else ""
        if device not in self._map("devices"):
            return "an event of a device that bridge/devices has not named"
        if code == "left":
            self._left(device)
        else:
            draft = self._drafts.of(device)
            draft.event("bridge", self._message.received_at, "network", code, {"bridge": draft.recall("bridge")})
        return None

    def _left(self, device: str) -> None:
        draft = self._drafts.of(device)
        draft.event("bridge", self._message.received_at, "network", "left", {"bridge": draft.recall("bridge")})
        self._state["names"] = {name: one for name, one in self._map("names").items() if one != device}
        self._gone.add(device)

    # -- the answer

    def finish(self, ignored: str | None) -> tuple[Decoded, State | None]:
        """The answer and the next state, which is the given object when nothing changed. Raises `Invalid` when all was refused."""
        values, refused, changed = self._drafts.gather()
        rejected = [*self._rejected, *refused]
        if changed or self._gone:
            devices = {**self._map("devices"), **changed}
            self._state["devices"] = {device: said for device, said in devices.items() if device not in self._gone}
        if rejected and not values:
            raise Invalid(f"{rejected[0].part}: {rejected[0].reason}")
        for key in ("waiting", "names", "groups", "devices"):
            if key in self._state and not self._state[key]:
                del self._state[key]
        state = self._given if self._state == dict(self._given or {}) else self._state
        if ignored == KNOWN_COPY and state is not self._given:
            ignored = "a description, which is remembered"
        reason = None if values else ignored or "nothing in it that we measure"
        return Decoded(tuple(values), bounded(rejected), reason), state
