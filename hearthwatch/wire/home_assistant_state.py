"""What devices say on the topics that their descriptions named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.draft import Draft, on_or_off, text_or_none
from hearthwatch.wire.home_assistant_boots import hear_uptime
from hearthwatch.wire.home_assistant_entity import rendered
from hearthwatch.wire.home_assistant_memory import Memory
from hearthwatch.wire.home_assistant_template import MISSING, evaluate, numeric
from hearthwatch.wire.limits import shown
from hearthwatch.wire.payload import parse_json, parse_text
from hearthwatch.wire.reset_reasons import hear_reason

_NOTHING = frozenset({"", "nan", "none", "null", "unknown", "unavailable"})
"""Words of a sensor that has nothing to say; ESPHome prints ``nan``."""
_PRESENCE_WORDS = frozenset({"online", "offline", "true", "false", "connected", "disconnected", "lost", "1", "0"})

Numbers = dict[str, float]


class Payload:
    """A payload, read once as text and once as JSON at most."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._json: Any = MISSING

    def value(self, expression: Any) -> Any:
        """What an expression picks of it; without one it is the text. Raises `Invalid`."""
        if expression is None:
            return parse_text(self._raw)
        if self._json is MISSING:
            self._json = parse_json(self._raw)
        return evaluate(expression, self._json)

    def version(self, expression: Any) -> Any:
        """The version an update entity installed: a text, or in an object. Raises `Invalid`."""
        if expression is None and self._raw.lstrip()[:1] == b"{":
            return self.value(["path", ["installed_version"], []])
        return self.value(expression)


def hear(memory: Memory, topic: str | None = None, raw: bytes | None = None) -> str | None:
    """Take in what stands on a topic; returns why nothing came of it. Raises `Invalid` for a topic that nothing has described."""
    place = memory.message.topic if topic is None else topic
    payload = memory.message.payload if raw is None else raw
    listeners = memory.listeners(place)
    if not listeners:
        return _undescribed(memory, payload)
    if not payload:
        return "a retained message was removed"
    said = Payload(payload)
    numbers: dict[str, Numbers] = {}
    streams: dict[str, str] = {}
    spoke: dict[str, bool] = {}
    for _, entity in listeners:
        device = entity["d"]
        draft = memory.draft(device)
        for source in entity["s"]:
            if source["t"] == place:
                streams.setdefault(device, str(source.get("m", "state")))
                numbers.setdefault(device, {}).update(_read(draft, source, said))
        spoke[device] = _available(memory, draft, entity.get("a"), said, place) or spoke.get(device, False)
    reasons = [memory.judge_presence(device, heard=True) for device, any_word in spoke.items() if any_word]
    reasons += [_measured(memory.draft(device), streams[device], metrics) for device, metrics in numbers.items()]
    return next((reason for reason in reasons if reason is not None), None)


def _undescribed(memory: Memory, payload: bytes) -> str:
    word = payload.decode("ascii", "replace").strip().lower() if len(payload) <= 16 else ""
    if word in _PRESENCE_WORDS:
        return memory.wait(memory.message.topic, payload.decode().strip())
    if memory.message.retain or not payload:
        return "no description says whose topic this is"
    # It can be decided again: a description tells whose topic this is.
    raise Invalid("no description says yet whose topic this is")


# -- sources ------------------------------------------------------------------------------------------------------------------


def _read(draft: Draft, source: Mapping[str, Any], said: Payload) -> Numbers:
    kind = source["as"]
    try:
        value = (said.version if kind == "firmware" else said.value)(source.get("e"))
        if value is MISSING or value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
            return {}
        if kind == "switch":
            return {source["m"]: _closed(source, value)}
        if kind in ("number", "text"):
            return _number(draft, source, value, strict=kind == "number")
        _learn(draft, kind, value)
    except Invalid as error:
        if kind != "text":
            draft.refuse(str(source.get("m", kind)), str(error))
    return {}


def _number(draft: Draft, source: Mapping[str, Any], value: Any, *, strict: bool) -> Numbers:
    """A number in the metric's unit. A sensor that does not say that it has one may speak in words, which are left out."""
    taken = float(value) if isinstance(value, bool) else numeric(value)
    if taken is None:
        if strict:
            raise Invalid(f"not a finite number: {shown(value)}")
        return {}
    kept: Numbers = {}
    metric = source["m"]
    draft.measure(kept, metric, taken, metric, factor=source.get("k", 1.0), offset=source.get("o", 0.0))
    return {name: float(f"{number:.12g}") if "k" in source else number for name, number in kept.items()}


def _closed(source: Mapping[str, Any], value: Any) -> float:
    on, off = source.get("on", "ON"), source.get("off", "OFF")
    said = {off: False, on: True}.get(rendered(value))
    said = on_or_off(value) if said is None else said
    if said is None:
        raise Invalid(f"neither {shown(on)} nor {shown(off)}: {shown(value)}")
    return float(said)


def _learn(draft: Draft, kind: str, value: Any) -> None:
    """A firmware version or a reset reason. Where the device names its firmware itself, that spelling is kept."""
    text = text_or_none(value)
    if text is None:
        raise Invalid(f"not a short text: {shown(value)}")
    if kind == "reset":
        hear_reason(draft, text)
    elif draft.recall("fw_by") != "device":
        draft.learn_firmware("update", text)


def _measured(draft: Draft, stream: str, metrics: Numbers) -> str | None:
    if not metrics:
        return None
    if draft.message.retain:
        return "a retained copy without a time"
    if "uptime_s" in metrics:
        hear_uptime(draft, metrics["uptime_s"])
    draft.reading(stream, draft.message.received_at, metrics)
    return None


# -- availability ---------------------------------------------------------------------------------------------------------------


def _available(memory: Memory, draft: Draft, availability: Mapping[str, Any] | None, said: Payload, topic: str) -> bool:
    """Remember what an availability topic says; whether it said anything."""
    if availability is None:
        return False
    spoke = False
    for place in availability["of"]:
        if place[0] != topic:
            continue
        try:
            text = rendered(said.value(place[3]))
        except Invalid as error:
            draft.refuse("availability", str(error))
            continue
        here = {place[2]: False, place[1]: True}.get(text)
        if here is None:
            draft.refuse("availability", f"neither {shown(place[1])} nor {shown(place[2])}: {shown(text)}")
            continue
        memory.hear_availability(draft, availability, place, here=here)
        spoke = True
    return spoke
