"""Whose message it is that a mapping reads, and what is remembered of whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Message, Rejection, Value
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.drafts import Drafts
from hearthwatch.wire.limits import MAX_TEXT, is_wholesome, shown
from hearthwatch.wire.mapped_fields import Given, own_id
from hearthwatch.wire.mapped_path import MISSING
from hearthwatch.wire.mapped_tables import ReadingTable
from hearthwatch.wire.shelf import Shelf

MAX_KNOWN = 10_000
"""Devices, and names of devices, that a mapping without ``{device}`` remembers."""


class Speakers:
    """The devices that one message speaks of, each with the draft of its answer.

    State: that of the device ``own`` whose topic it is; or, where topics name no device (``own`` is None), one for all of the mapping:
    ``{"devices": {board: {device: state}}, "names": {board: {name: device, or the presence that waits for it}}}``.
    """

    def __init__(self, convention: str, own: str | None, state: State | None, message: Message) -> None:
        self._own = own
        self._given = state
        known = state if isinstance(state, dict) and own is None else {}
        self._devices, self._names = Shelf(known.get("devices")), Shelf(known.get("names"))
        known_of = self._devices.get if own is None else lambda device: state if device == own else None
        self._drafts = Drafts(convention, known_of, message)

    def draft(self, table: ReadingTable, given: Given) -> Draft:
        """The draft of the device that speaks. Raises `Invalid` where that is not known."""
        draft = self.draft_or_wait(table, given, None)
        if draft is None:
            raise Invalid(f"no message has said yet which device is called {shown(given.place.name)}")
        return draft

    def draft_or_wait(self, table: ReadingTable, given: Given, waiting: bool | None) -> Draft | None:
        """The same; None where a name is not known yet. A presence (``waiting``) is then remembered for it."""
        named, said = given.place.device, given.at(table.device)
        device = None if said is MISSING else own_id(said)
        if named is not None:
            if device not in (None, own_id(named)):
                raise Invalid("the payload names another device than the topic")
            return self._drafts.of(own_id(named))
        name = given.place.name
        if name is not None:
            return self._named(name, device, waiting)
        if device is None:
            raise Invalid(f"no device id at {table.device.text if table.device else '(nowhere)'}")
        return self._drafts.of(device)

    def _named(self, name: str, device: str | None, waiting: bool | None) -> Draft | None:
        if len(name) > MAX_TEXT or not is_wholesome(name):
            raise Invalid(f"not a name of at most {MAX_TEXT} characters: {shown(name)}")
        known = self._names.get(name)
        if device is None:
            if isinstance(known, str):
                return self._drafts.of(known)
            if waiting is not None:
                self._know(self._names, name, waiting)
            return None
        draft = self._drafts.of(device)
        if known != device:
            self._know(self._names, name, device)
            if isinstance(known, bool):
                draft.presence("presence", online=known)
        return draft

    def gather(self) -> tuple[list[Value], list[Rejection], State | None]:
        """What was collected of all of them, and the next state: the given object when nothing changed."""
        values, rejected, changed = self._drafts.gather()
        return values, rejected, self._state(changed)

    def _know(self, shelf: Shelf, key: str, value: Any) -> None:
        if shelf.get(key) is not None or len(shelf) < MAX_KNOWN:
            shelf.put(key, value)

    def _state(self, changed: Mapping[str, Mapping[str, Any]]) -> State | None:
        if self._own is not None:
            return changed.get(self._own, self._given)
        for device, state in changed.items():
            self._know(self._devices, device, dict(state))
        known = dict(self._given or {})
        following = {**known, "devices": self._devices.settled(), "names": self._names.settled()}
        following = {key: value for key, value in following.items() if value}
        return self._given if following == known else following
