"""What the models of a name said of their devices on one day, thinned and packed.

Of a large fleet the devices with the highest probabilities are kept, and of the others as many as fit, drawn by lot; each of those
stands for as many as were not drawn. Sums over the rows, each with its weight, are then what sums over the fleet would be on average.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.panel import Floats, Ints
from hearthwatch.errors import Invalid

MOST_ROWS = 20_000
"""Devices of one part that are kept of a day."""
MOST_RISKY = 4_000
"""... of which so many because they were likely to fail."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """``p`` (versions, rows, horizons), NaN where a version did not speak of a device; ``weight`` is how many devices a row stands for;
    ``firmware`` indexes ``firmwares``."""

    devices: Sequence[str]
    p: Floats
    weight: Floats
    firmware: Ints
    firmwares: Sequence[str]

    def pack(self) -> bytes:
        """As bytes; without pickle."""
        names = {"devices": list(self.devices), "firmwares": list(self.firmwares)}
        file = io.BytesIO()
        np.savez_compressed(
            file,
            names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
            p=self.p.astype(np.float32),
            weight=self.weight.astype(np.float32),
            firmware=self.firmware.astype(np.int32),
        )
        return file.getvalue()

    @staticmethod
    def unpack(data: bytes) -> Block:
        """From bytes. Raises `Invalid` when they are none of ours."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                names = json.loads(file["names"].tobytes())
                p, weight, firmware = file["p"].astype(np.float64), file["weight"], file["firmware"]
        except (ValueError, KeyError, OSError, EOFError, zlib.error) as error:
            raise Invalid(f"what models said on a day cannot be read: {error}") from None
        return Block(names["devices"], p, weight.astype(np.float64), firmware.astype(np.int64), names["firmwares"])


def thinned(block: Block, seed: int, most: int = MOST_ROWS, risky: int = MOST_RISKY) -> Block:
    """At most ``most`` rows: the ``risky`` ones that any version says most of, and a draw of the others with their weight."""
    count = len(block.devices)
    if count <= most:
        return block
    risk = np.nan_to_num(block.p, nan=-1.0).max(axis=(0, 2))
    order = np.argsort(-risk, kind="stable")
    rest = np.random.default_rng(seed).choice(order[risky:], size=most - risky, replace=False)
    kept = np.sort(np.concatenate([order[:risky], rest]))
    weight = block.weight.copy()
    weight[rest] *= (count - risky) / (most - risky)
    return Block(
        [block.devices[row] for row in kept.tolist()],
        block.p[:, kept],
        weight[kept],
        block.firmware[kept],
        block.firmwares,
    )
