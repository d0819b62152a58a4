"""A session of a Sparkplug edge node while one message is read: who is born, what number is next, what went missing.

State: ``{"session": bdSeq, "seq", "gone", "missing", "units": {"": node, device: ...}}``; each unit is a state of `Draft`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Rejection, Value
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.rejections import bounded
from hearthwatch.wire.sparkplug_payload import Payload

NODE = ""
"""The place of the edge node itself among its units."""
MAX_DEVICES = 256
"""Devices behind one edge node that are remembered."""
MAX_NAMES = 2048
"""Metrics of an edge node and all its devices that are remembered."""
SEQUENCE = 256
"""``seq`` counts 0 to 255 and begins again."""


class Edge:
    """Collects the drafts of an edge node and of its devices. Local to one call of `decode`, so that stays pure."""

    def __init__(self, state: State | None, message: Message, id_of: Callable[[str], str]) -> None:
        self._given = state
        self._message = message
        self._id_of = id_of
        self._state: dict[str, Any] = dict(state or {})
        units = self._state.get("units")
        self._units: dict[str, Any] = dict(units) if isinstance(units, dict) else {}
        self._drafts: dict[str, Draft] = {}
        self._refused = False

    def draft(self, device: str) -> Draft:
        """The answer for the node or for one of its devices. Raises `Invalid` for one device too many."""
        draft = self._drafts.get(device)
        if draft is None:
            if device not in self._units and len(self._units) > MAX_DEVICES:
                raise Invalid(f"more than {MAX_DEVICES} devices behind one edge node")
            draft = Draft("sparkplug", self._id_of(device), self._units.get(device), self._message)
            self._drafts[device] = draft
        return draft

    def room(self, device: str) -> int:
        """How many metrics a certificate of this device may name."""
        others = (unit for name, unit in self._units.items() if name != device)
        return max(0, MAX_NAMES - sum(len(unit.get("metrics") or ()) for unit in others))

    # -- the session

    @property
    def session(self) -> int | None:
        """The ``bdSeq`` of the session that is on, None where it is not known."""
        known = self._state.get("session")
        return known if isinstance(known, int) else None

    def is_known(self) -> bool:
        """Whether anything was heard of this node before."""
        return self._given is not None

    def is_born(self, device: str) -> bool:
        """Whether the certificate of the node or device is known and stands."""
        unit = self._units.get(device)
        return isinstance(unit, Mapping) and unit.get("born") is True

    def is_gone(self) -> bool:
        """Whether the node died and was not born again."""
        return self._state.get("gone") is True

    def begin(self, payload: Payload) -> None:
        """A birth of the node: its devices have to be born again."""
        missing = self._state.get("missing")
        if missing:
            self.draft(NODE).event("rebirth", self._message.received_at, "gap", "closed", {"missing": missing})
        for device in self._units:
            self.draft(device).keep("born", None)
        self._state = {"session": payload.session(), "seq": _checked(payload.seq)}

    def end(self, kind: str) -> None:
        """The death of the node, and so of all its devices."""
        for device in (NODE, *(device for device in self._units if device != NODE)):
            if device == NODE or self._units[device].get("online") is True:
                self.leave(device, kind)
            else:
                self.draft(device).keep("born", None)
        self._state["gone"] = True

    def leave(self, device: str, kind: str) -> None:
        """One of them went."""
        draft = self.draft(device)
        draft.keep("born", None)
        draft.presence(kind, online=False)

    def follow(self, payload: Payload) -> None:
        """Hold the message's number against the one before. The first gap since a birth is an event, all are counted until the next.

        What the broker sends again, because it does not know that we have it, is not held against what came after it.
        """
        seq, last = _checked(payload.seq), self._state.get("seq")
        if seq is None:
            return
        if not isinstance(last, int):
            self._state["seq"] = seq
            return
        if self._message.redelivered and (last - seq) % SEQUENCE < SEQUENCE // 2:
            return
        self._state["seq"] = seq
        lost = (seq - last - 1) % SEQUENCE
        if not lost:
            return
        known = self._state.get("missing")
        self._state["missing"] = lost + (known if isinstance(known, int) else 0)
        if not known:
            detail = {"expected": (last + 1) % SEQUENCE, "got": seq, "missing": lost}
            self.draft(NODE).event("seq", self._message.received_at, "gap", "rebirth", detail)

    def adopt(self) -> None:
        """A device is born behind a node whose own birth was missed: it is taken in, and the node's is asked for, once."""
        self._state.pop("gone", None)
        if not self.is_born(NODE):
            self.miss_birth()

    def miss_birth(self) -> bool:
        """The birth of the node was never heard: it is asked for, by an event, once. Returns whether this call did."""
        if "missing" in self._state:
            return False
        self._state["missing"] = 0
        self.draft(NODE).event("birth", self._message.received_at, "gap", "rebirth", {"missing": 0})
        return True

    def refuse(self, device: str, why: str) -> None:
        """All of the message is refused, although it tells of a gap."""
        self.draft(device).refuse("", why)
        self._refused = True

    # -- the answer

    def finish(self, ignored: str | None) -> tuple[Decoded, State | None]:
        """The answer of all drafts, and the next state: a number that was used up is remembered although all else was refused."""
        values: list[Value] = []
        rejected: list[Rejection] = []
        for device, draft in self._drafts.items():
            outcome = draft.outcome()
            values.extend(outcome.values)
            rejected.extend(outcome.rejected)
            if outcome.state is not None:
                self._units[device] = outcome.state
        if rejected and (
            self._refused or not values
        ):  # then they stand for the sample that the message would have been
            rejected[0] = replace(rejected[0], samples=1)
        if self._units:
            self._state["units"] = self._units
        state = self._given if self._state == dict(self._given or {}) else self._state
        reason = None if values or rejected else ignored or "nothing in it that we measure"
        return Decoded(tuple(values), bounded(rejected), reason), state


def _checked(seq: int | None) -> int | None:
    if seq is not None and seq >= SEQUENCE:
        raise Invalid(f"seq counts to {SEQUENCE - 1}, not to {seq}")
    return seq
