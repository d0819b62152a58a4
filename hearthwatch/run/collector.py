"""Python's cyclic garbage collector, set for a process that makes hundreds of thousands of short-lived objects a second."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000


def settle_collector() -> None:
    """Leave alone what was imported and built until now, and look for cycles among the young after 50,000 new objects, not 700.

    Messages and their values form no cycles: their memory is given back by reference counts, at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
