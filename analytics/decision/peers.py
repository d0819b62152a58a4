"""Where a device's value lies among those of its peers of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Floats

ENOUGH_SAME_FIRMWARE = 20
"""Others of the same model and firmware with a value, from which on they are the peers; with fewer all of the model are."""
ENOUGH_OF_MODEL = 8

Side = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Place:
    """``share``: per cent of the peers, rounded down, that lie strictly below (``higher``) or above (``lower``) the device.

    Peers are other devices that have a value: ``of`` so many, of the same ``model_and_firmware`` or of the same ``model``.
    """

    side: Side
    share: int
    peers: Literal["model_and_firmware", "model"]
    of: int

    def told(self) -> dict[str, Any]:
        """As values of a reason."""
        return {"side": self.side, "share": self.share, "peers": self.peers, "of": self.of}


@dataclass(frozen=True, slots=True)
class Peers:
    """The devices of one model, by row: the firmware each runs, empty where it is not known."""

    firmware: NDArray[np.str_]

    @staticmethod
    def of(firmware: Sequence[str | None]) -> Peers:
        """The peers from what each of them runs."""
        return Peers(np.array([one or "" for one in firmware], dtype=np.str_))

    def ranked(self, values: Floats) -> Ranked:
        """One value of each device, NaN where there is none, to find places in."""
        return Ranked(values, self.firmware)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One value of each device, sorted once for all who are placed."""

    values: Floats
    firmware: NDArray[np.str_]
    _sorted: dict[str, Floats] = field(default_factory=dict)

    def place(self, row: int) -> Place | None:
        """Where a device lies among its peers; None without a value, or with too few peers that have one.

        Values alike count for neither side: a device is not higher than what equals it.
        """
        mine, firmware = float(self.values[row]), str(self.firmware[row])
        if np.isnan(mine):
            return None
        model, same = self._of(""), self._of(firmware) if firmware else np.zeros(0)
        is_same = len(same) > ENOUGH_SAME_FIRMWARE or 1 < len(same) == len(model)
        peers = same if is_same else model  # the device itself is among them, and alike
        of = len(peers) - 1
        if of < ENOUGH_OF_MODEL:
            return None
        below = int(np.searchsorted(peers, mine, side="left"))
        above = len(peers) - int(np.searchsorted(peers, mine, side="right"))
        side: Side = "higher" if below >= above else "lower"
        return Place(side, 100 * max(below, above) // of, "model_and_firmware" if is_same else "model", of)

    def _of(self, firmware: str) -> Floats:
        """The known values of all that run a firmware, or of all, in order."""
        if firmware not in self._sorted:
            mine = self.values[self.firmware == firmware] if firmware else self.values
            self._sorted[firmware] = np.sort(mine[~np.isnan(mine)])
        return self._sorted[firmware]
