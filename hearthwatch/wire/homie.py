"""Homie 3, 4 and 5: retained texts below ``homie/<device>/...``, from version 5 on below ``homie/5/<device>/...``.

Source: github.com/homieiot/convention (3.0.1, 4.0.0, 5.0.0; CC BY 4.0) with the extensions legacy-firmware and legacy-stats.
Version 5 describes a device in one JSON document, the earlier ones in a topic per attribute. Values carry no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Value
from hearthwatch.wire.claims import claim
from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.homie_properties import (
    LONGEST_NUMBER,
    MAX_PROPERTIES,
    TEXTS,
    check_id,
    datatype,
    declare,
    describe,
    known_of,
    quantity_of,
    role_of,
    unit_of,
    value_of,
)
from hearthwatch.wire.limits import check_device, is_device, shown
from hearthwatch.wire.payload import parse_object, parse_text
from hearthwatch.wire.reset_reasons import hear_reason, is_reset_reason, learn_boot

BASE_TOPIC = "homie"
MAX_CHILDREN = 256
"""Children of one root whose presence follows it."""
MAX_ALERTS = 64
"""Alerts of one device that stand at once."""
MAX_LEVELS = 8
"""Levels below a device; extensions nest deep."""

_OLD_COPY = "a retained copy without a time"
_CLEARED = "a topic that was cleared"
# A sleeping device is well: it said that it would be silent.
_ONLINE = {"init": True, "ready": True, "alert": True, "sleeping": True, "disconnected": False, "lost": False}
_STATS: Mapping[str, tuple[str, float]] = {
    "uptime": ("uptime_s", 1.0),
    "signal": ("link_quality_pct", 1.0),
    "cputemp": ("device_temperature_c", 1.0),
    "cpuload": ("load_average", 0.01),
    "battery": ("battery_pct", 1.0),
    "freeheap": ("free_heap_bytes", 1.0),
    "supply": ("supply_v", 1.0),
}
_CLAIMS = {"$fw/name": "model", "$fw/version": "firmware", "$implementation": "hardware", "$mac": "serial"}
_LOGGED = frozenset({"warn", "error", "fatal"})


@dataclass(frozen=True, slots=True)
class _Place:
    """A topic taken apart: what stands below the device, and whether it is of version 5."""

    base: str
    device: str
    rest: tuple[str, ...]
    five: bool


class Homie:
    """Decoder of Homie below base topics, each of which may have several levels.

    State per device: firmware, claims, presence, declared properties, standing alerts, children.
    """

    name = "homie"
    shareable: tuple[str, ...] = ()

    def __init__(self, bases: Sequence[str] = (BASE_TOPIC,)) -> None:
        for base in bases:
            if "" in base.split("/") or set("+#$") & set(base):
                raise Invalid(f"not a base topic: {shown(base)}", where="conventions")
        # The longest first: one base may lie below another.
        self._bases = tuple(f"{base}/" for base in sorted(set(bases), key=lambda base: (-len(base), base)))
        self.filters = tuple(f"{base}{levels}" for base in self._bases for levels in ("+/+", "+/+/+", "+/+/+/+"))

    def partition(self, topic: str) -> str | None:
        """The device; of version 5 with that number before it (it may speak an earlier one as well), elsewhere with the base topic."""
        place = self._split(topic)
        if place is None:
            return None
        own = f"5/{place.device}" if place.five else place.device
        return own if place.base == f"{BASE_TOPIC}/" else f"{place.base}{own}"

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed."""
        place = self._split(message.topic)
        if place is None:
            raise Invalid("not a topic of Homie")
        draft = Draft("homie", check_device(place.device), state, message)
        first, last = place.rest[0], place.rest[-1]
        if first == "$state" and not message.payload:
            return _removed(draft, state)
        if first == "$state":
            return _with_children(draft, draft.finish(_state(draft)))
        if first.startswith("$"):
            return draft.finish(_attribute(draft, place))
        if last == "set" and len(place.rest) == 3:
            return draft.finish("a command to the device")
        if last.startswith("$"):
            return draft.finish(_declaration(draft, place))
        if len(place.rest) != 2 or not message.payload:
            return draft.finish("nothing that Homie defines" if message.payload else _CLEARED)
        return draft.finish(_value(draft, place))

    def _split(self, topic: str) -> _Place | None:
        base = next((one for one in self._bases if topic.startswith(one)), None)
        if base is None:
            return None
        device, *rest = topic[len(base) :].split("/")
        five = device == "5"
        if five:
            device, *rest = rest or [""]
        if not 1 <= len(rest) <= MAX_LEVELS or not device or device.startswith("$") or "" in rest:
            return None
        if rest[0] == "$state" and len(rest) != 1:
            return None
        return _Place(base, device, tuple(rest), five)


# -- presence ---------------------------------------------------------------------------------------------------------------


def _said(draft: Draft, limit: int = 256) -> str:
    """The payload's text. Some tools publish texts as JSON, in quotation marks."""
    text = parse_text(draft.message.payload, limit=limit)
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text


def _state(draft: Draft) -> str | None:
    said = _said(draft)
    online = _ONLINE.get(said)
    if online is None:
        raise Invalid(f"not a state of Homie: {shown(said)}")
    earlier = draft.recall("state")
    draft.keep("state", said)
    if said == "alert" and earlier != "alert":
        draft.event("state", draft.message.received_at, "fault", "alert")
    return draft.presence("state", online=online)


def _removed(draft: Draft, state: State | None) -> tuple[Decoded, State | None]:
    """An empty state takes a device away, with all that was known of it: version 5 says so, and tools clear others likewise."""
    ignored = None
    if draft.recall("online") is True:
        ignored = draft.presence("state", online=False)
    decoded, _ = draft.finish(ignored or "the device was removed")
    return decoded, {} if state else state


def _with_children(draft: Draft, answer: tuple[Decoded, State | None]) -> tuple[Decoded, State | None]:
    """Children live on their root's connection: a lost root speaks for them all, since none of them can."""
    decoded, following = answer
    children = draft.recall("children")
    if draft.recall("state") != "lost" or not decoded.values or not isinstance(children, list):
        return answer
    lost: list[Value] = []
    for child in children:
        of_child = Draft("homie", child, None, draft.message)
        of_child.presence("state", online=False)
        lost.extend(of_child.finish()[0].values)
    return structs.replace(decoded, values=(*decoded.values, *lost)), following


# -- attributes of the device ---------------------------------------------------------------------------------------------


def _attribute(draft: Draft, place: _Place) -> str | None:
    path = "/".join(place.rest)
    if path in _CLAIMS:
        claimed = _CLAIMS[path]
        return claim(draft, path, {claimed: _said(draft)}) if draft.message.payload else _CLEARED
    read = _ATTRIBUTES.get(place.rest[0])
    wanted = 1 if place.rest[0] == "$description" else 2
    if read is None or len(place.rest) != wanted:
        return "an attribute that holds nothing we measure"
    return read(draft, place.rest[-1])


def _stats(draft: Draft, name: str) -> str | None:
    if name not in _STATS:
        return "a statistic that holds nothing we measure"
    if not draft.message.payload:
        return _CLEARED
    if draft.message.retain:
        return _OLD_COPY
    metric, factor = _STATS[name]
    metrics: dict[str, float] = {}
    draft.measure(metrics, metric, value_of("float", _said(draft, 40)), f"$stats/{name}", factor=factor)
    at = draft.message.received_at
    if "uptime_s" in metrics:
        learn_boot(draft, "stats.uptime", at, metrics["uptime_s"])
    draft.reading(f"stats.{name}", at, metrics)
    return None


def _description(draft: Draft, _: str) -> str | None:
    if not draft.message.payload:
        draft.keep("properties", None)
        draft.keep("children", None)
        return "the description was removed"
    given = parse_object(draft.message.payload)
    whole = describe(draft, given)
    children = given.get("children")
    named = [one for one in children if isinstance(one, str) and is_device(one)] if isinstance(children, list) else []
    draft.keep("children", [one for one in named if one != draft.device][:MAX_CHILDREN] or None)
    claim(draft, "description", {"model": given.get("type")})
    _learn_root(draft, given.get("root"))
    if whole and len(named) <= MAX_CHILDREN:
        return "a description"
    return f"a description of which only {MAX_PROPERTIES} properties and {MAX_CHILDREN} children are read"


def _learn_root(draft: Draft, root: object) -> None:
    """A child of version 5 names its root, on whose connection it lives; a root names none."""
    named = root if isinstance(root, str) and is_device(root) and root != draft.device else None
    known = draft.recall("bridge")
    if named == known:
        return
    code, bridge = ("left", known) if named is None else ("joined", named)
    draft.event("bridge", draft.message.received_at, "network", code, {"bridge": bridge})
    draft.keep("bridge", named)


def _alert(draft: Draft, name: str) -> str | None:
    """A fault when an alert begins; its end, an empty text, is remembered so that it can begin again."""
    check_id(name, "alert id")
    known = draft.recall("alerts")
    standing = list(known) if isinstance(known, list) else []
    if not draft.message.payload:
        draft.keep("alerts", [one for one in standing if one != name] or None)
        return "an alert ended"
    text = text_or_none(_said(draft, 4096)[:256])
    if name in standing:
        return "an alert that stands already"
    if len(standing) >= MAX_ALERTS:
        raise Invalid(f"more than {MAX_ALERTS} alerts of one device")
    draft.keep("alerts", [*standing, name])
    draft.event(f"alert.{name}", draft.message.received_at, "fault", name, {"text": text})
    return None


def _log(draft: Draft, level: str) -> str | None:
    if draft.message.retain:
        return _OLD_COPY
    if level not in _LOGGED:
        return "a log entry that reports no trouble"
    text = text_or_none(_said(draft, 4096)[:256])
    draft.event(f"log.{level}", draft.message.received_at, "log", level, {"text": text})
    return None


_ATTRIBUTES: Mapping[str, Callable[[Draft, str], str | None]] = {
    "$stats": _stats,
    "$description": _description,
    "$alert": _alert,
    "$log": _log,
}


# -- properties -------------------------------------------------------------------------------------------------------------


def _declaration(draft: Draft, place: _Place) -> str | None:
    """An attribute of a property (Homie 3 and 4); those of nodes, and targets of version 5, tell nothing that is measured."""
    if place.five or len(place.rest) != 3 or place.rest[2] not in ("$datatype", "$unit", "$settable"):
        return "an attribute that holds nothing we measure"
    path = f"{check_id(place.rest[0], 'node')}/{check_id(place.rest[1], 'property')}"
    said = _said(draft)
    if place.rest[2] == "$datatype":
        declare(draft, path, "t", datatype(said))
    elif place.rest[2] == "$unit":
        declare(draft, path, "u", unit_of(said))
    else:
        declare(draft, path, "s", True if said == "true" else None)
    return "a declaration"


def _value(draft: Draft, place: _Place) -> str | None:
    node, name = check_id(place.rest[0], "node"), check_id(place.rest[1], "property")
    known = known_of(draft, node, name)
    if known is None and place.five:
        return "a property that no description told of yet"
    kind = known.get("t") if known else None
    role = role_of(node, name)
    if is_reset_reason(name) and kind in ("string", "enum"):
        hear_reason(draft, _said(draft))
        return "why the device booted"
    if role is not None and kind in (None, "string", "enum"):
        return claim(draft, f"{node}.{name}", {role: _said(draft)})
    if draft.message.retain:
        return _OLD_COPY
    is_text = kind in TEXTS or (kind is None and len(draft.message.payload) > LONGEST_NUMBER)
    value = None if is_text else value_of(kind, _said(draft, LONGEST_NUMBER))
    if value is None:
        return "a text is no measurement"
    quantity = quantity_of(draft, f"{node}/{name}", known)
    if quantity is not None:
        metrics: dict[str, float] = {}
        draft.measure(metrics, quantity.metric, quantity.of(value), f"{node}/{name}")
        if "uptime_s" in metrics:
            learn_boot(draft, f"{node}.{name}", draft.message.received_at, metrics["uptime_s"])
        draft.reading(f"{node}.{name}", draft.message.received_at, metrics)
    return None
