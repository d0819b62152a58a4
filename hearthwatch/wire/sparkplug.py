"""Sparkplug B: ``spBv1.0/<group>/<type>/<edge node>[/<device>]`` with protobuf payloads.

Source: the Sparkplug specification 3.0.0 (Eclipse Foundation), chapters 4 to 6. Everything between two certificates of an edge node
belongs together (aliases, ``seq``, ``bdSeq``), so the node and its devices share one state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.limits import MAX_TEXT, is_wholesome
from hearthwatch.wire.sparkplug_births import learn_birth
from hearthwatch.wire.sparkplug_data import take
from hearthwatch.wire.sparkplug_edge import NODE, Edge
from hearthwatch.wire.sparkplug_payload import Payload, parse_payload

_NAMESPACE = "spBv1.0"
_OF_NODES = ("NBIRTH", "NDEATH", "NDATA")
_OF_DEVICES = ("DBIRTH", "DDEATH", "DDATA")
_COMMANDS = ("NCMD", "DCMD")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_REBIRTH = "ask the edge node for a rebirth"


@dataclass(frozen=True, slots=True)
class _Place:
    kind: str
    group: str
    edge: str
    device: str = NODE


class Sparkplug:
    """Decoder of Sparkplug B. State per edge node: its certificate and those of its devices, ``bdSeq``, ``seq``, presence."""

    name = "sparkplug"
    shareable: tuple[str, ...] = ()
    filters = (
        *(f"{_NAMESPACE}/+/{kind}/+" for kind in _OF_NODES),
        *(f"{_NAMESPACE}/+/{kind}/+/+" for kind in _OF_DEVICES),
    )

    def partition(self, topic: str) -> str | None:
        """The edge node with its group."""
        place = _split(topic)
        return None if place is None else f"{place.group}/{place.edge}"

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of one message. Raises `Invalid` when all of it is malformed, or data came before its birth certificate."""
        place = _split(message.topic)
        if place is None:
            raise Invalid("not a topic of Sparkplug B")
        if place.kind == "STATE":
            return Decoded(ignored="the state of a host application, not of a device"), state
        if place.kind in _COMMANDS:
            return Decoded(ignored="a command to a device"), state
        if not is_wholesome(message.topic) or max(map(len, (place.group, place.edge, place.device))) > MAX_TEXT:
            raise Invalid("a name in the topic is too long or cannot be stored")
        if message.retain:
            return Decoded(ignored="a retained copy, which Sparkplug does not have"), state
        payload = parse_payload(message.payload)
        edge = Edge(state, message, lambda device: device_id(place.group, place.edge, device))
        return edge.finish(_KINDS[place.kind](edge, place, payload))


def _split(topic: str) -> _Place | None:
    namespace, *levels = topic.split("/")
    if namespace != _NAMESPACE or len(levels) < 2 or "" in levels:
        return None
    if len(levels) == 2 and levels[0] == "STATE":
        return _Place("STATE", *levels)
    group, kind, *names = levels
    if len(names) == 1 and kind in (*_OF_NODES, "NCMD"):
        return _Place(kind, group, names[0])
    if len(names) == 2 and kind in (*_OF_DEVICES, "DCMD"):
        return _Place(kind, group, names[0], names[1])
    return None


def device_id(group: str, edge: str, device: str = NODE) -> str:
    """The id of an edge node, or of a device behind it, that no other one has.

    ``group.edge`` or ``group.edge.device`` where these are plain and short; else their letters, two dots, and 96 bits of the
    SHA-256 of all of it. A plain id never has two dots in a row, since no level is empty or has a dot.
    """
    levels = (group, edge, device) if device else (group, edge)
    plain = ".".join(levels)
    if len(plain) <= 64 and all(_PLAIN.fullmatch(level) for level in levels):
        return plain
    whole = "/".join(levels)
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return f"{_UNSAFE.sub('_', whole)[:38]}..{digest}"


# -- the kinds of messages ------------------------------------------------------------------------------------------------


def _node_birth(edge: Edge, place: _Place, payload: Payload) -> str | None:
    again = edge.is_known()
    edge.begin(payload)
    ignored = _birth(edge, place, payload)
    if again:  # what a rebirth is answered by
        edge.draft(NODE).reply(ok=True, detail={"bdSeq": payload.session()}, kind="rebirth")
    return ignored


def _device_birth(edge: Edge, place: _Place, payload: Payload) -> str | None:
    edge.adopt()
    edge.follow(payload)
    ignored = _birth(edge, place, payload)
    draft = edge.draft(place.device)
    if draft.recall("bridge") is None:  # it is heard through its edge node alone
        bridge = device_id(place.group, place.edge)
        draft.event("bridge", draft.message.received_at, "network", "joined", {"bridge": bridge})
        draft.keep("bridge", bridge)
    return ignored


def _birth(edge: Edge, place: _Place, payload: Payload) -> str | None:
    draft = edge.draft(place.device)
    learn_birth(draft, payload.metrics, edge.room(place.device))
    draft.keep("born", True)
    ignored = take(draft, place.kind, payload)
    draft.presence(place.kind, online=True)
    return ignored


def _data(edge: Edge, place: _Place, payload: Payload) -> str | None:
    if not edge.is_born(place.device) and not edge.is_born(NODE):
        why = f"data before the birth certificate of its edge node: {_REBIRTH}"
        if not edge.miss_birth():
            raise Invalid(why)
        edge.refuse(place.device, why)
        return None
    edge.follow(payload)
    if not edge.is_born(place.device):
        edge.draft(place.device).refuse("", f"data before the birth certificate of its device: {_REBIRTH}")
        return None
    return take(edge.draft(place.device), place.kind, payload)


def _device_death(edge: Edge, place: _Place, payload: Payload) -> str | None:
    if edge.is_gone():
        return "the death of a device whose edge node is gone already"
    edge.follow(payload)
    edge.leave(place.device, place.kind)
    return None


def _node_death(edge: Edge, place: _Place, payload: Payload) -> str | None:
    """The last will of a session. It was made when that began, so its time is not used."""
    session = payload.session()
    if session is None:
        raise Invalid("a death certificate without a bdSeq")
    if edge.is_gone():
        return "the death of a session that ended already"
    if edge.session not in (None, session):
        return "the death of an older session"
    edge.end(place.kind)
    return None


_KINDS: Mapping[str, Callable[[Edge, _Place, Payload], str | None]] = {
    "NBIRTH": _node_birth,
    "DBIRTH": _device_birth,
    "NDATA": _data,
    "DDATA": _data,
    "NDEATH": _node_death,
    "DDEATH": _device_death,
}
