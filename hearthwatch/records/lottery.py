"""Who draws which wave: a device's place depends on the roll-out's salt and its own id alone.

So the order in which devices are drawn, and who else is in the draw, do not matter, within a stratum or over all of them. The places of
different devices are independent and uniform on [0, 1): the shares of the waves hold in every stratum up to chance (a stratum of n devices
has n * share of them, give or take a few times sqrt(n * share * (1 - share))). A device that moves to another stratum keeps its place.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

from hearthwatch.errors import Invalid

_BITS = 53  # what a float holds exactly


def place(salt: str, device_id: str) -> float:
    """The place of a device in the draw of a salt, in [0, 1): the first 53 bits of SHA-256 over both."""
    digest = hashlib.sha256(f"{salt}\n{device_id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / float(1 << _BITS)


def wave_of(place_drawn: float, shares: Sequence[float]) -> int:
    """The wave, from 1, of a place; ``shares`` are cumulative. One more than there are waves: the device is held out."""
    return bisect_right(shares, place_drawn) + 1


def check_shares(shares: Sequence[float]) -> None:
    """Raise `Invalid` unless shares are cumulative: they grow, from above 0 up to at most 1."""
    if not shares:
        raise Invalid("a roll-out needs at least one wave", where="waves")
    before = 0.0
    for number, share in enumerate(shares, 1):
        if not before < share <= 1.0:
            raise Invalid(
                f"shares are cumulative, so each is larger than the one before and at most 1; here {share:g} follows {before:g}",
                where=f"waves[{number}].share",
            )
        before = share
