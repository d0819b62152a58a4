"""The answer to one message that speaks of several devices, while it is being made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hearthwatch.ports import State
from hearthwatch.values import Message, Rejection, Value
from hearthwatch.wire.draft import Draft


class Drafts:
    """A `Draft` for each device that a message speaks of. ``known`` gives the state that a device has."""

    def __init__(self, convention: str, known: Callable[[str], State | None], message: Message) -> None:
        self._convention = convention
        self._known = known
        self._message = message
        self._drafts: dict[str, Draft] = {}

    def of(self, device: str) -> Draft:
        """The draft of a device, the same one every time."""
        if device not in self._drafts:
            known = self._known(device)
            given = known if isinstance(known, dict) else None
            self._drafts[device] = Draft(self._convention, device, given, self._message)
        return self._drafts[device]

    def gather(self) -> tuple[list[Value], list[Rejection], dict[str, dict[str, Any]]]:
        """What was collected, and the states that changed."""
        values: list[Value] = []
        rejected: list[Rejection] = []
        changed: dict[str, dict[str, Any]] = {}
        for device, draft in self._drafts.items():
            outcome = draft.outcome()
            values += outcome.values
            rejected += outcome.rejected
            if outcome.state is not None and outcome.state is not self._known(device):
                changed[device] = dict(outcome.state)
        return values, rejected, changed
