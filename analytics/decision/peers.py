"""Where a device's value lies among those of its peers of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Flags, Floats

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

    def place(self, values: Floats, row: int) -> Place | None:
        """Where a row lies among its peers; None without a value, or with too few peers that have one.

        Values alike count for neither side: a device is not higher than what equals it.
        """
        mine = values[row]
        if np.isnan(mine):
            return None
        compared, same = self._compared(~np.isnan(values), row)
        of = int(compared.sum())
        if of < ENOUGH_OF_MODEL:
            return None
        below, above = int((values[compared] < mine).sum()), int((values[compared] > mine).sum())
        side: Side = "higher" if below >= above else "lower"
        return Place(side, 100 * max(below, above) // of, "model_and_firmware" if same else "model", of)

    def _compared(self, known: Flags, row: int) -> tuple[Flags, bool]:
        others = known.copy()
        others[row] = False
        same = others & (self.firmware == self.firmware[row]) & (self.firmware[row] != "")
        is_same = bool(same.sum() >= ENOUGH_SAME_FIRMWARE or (same.any() and same.sum() == others.sum()))
        return (same, True) if is_same else (others, False)
