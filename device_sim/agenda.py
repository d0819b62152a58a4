"""What will happen to single devices: updates that install, technicians who repair."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Literal

from device_sim.scenario import Kind


@dataclass(frozen=True, slots=True)
class Action:
    """At an instant (Unix seconds) a device installs a firmware version, or gets a new part.

    ``rollout`` is set for an update that a roll-out offers: it is dropped when the roll-out was stopped or the device has moved on.
    """

    at: float
    kind: Kind
    index: int
    what: Literal["update", "repair"]
    value: str
    rollout: bool = False


class Agenda:
    """Actions in order of time; equal times in the order they were noted."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._noted = 0

    def note(self, action: Action) -> None:
        """Add an action."""
        self._noted += 1
        heapq.heappush(self._heap, (action.at, self._noted, action))

    def due(self, until: float) -> list[Action]:
        """Take out everything up to an instant."""
        actions = []
        while self._heap and self._heap[0][0] <= until:
            actions.append(heapq.heappop(self._heap)[2])
        return actions
