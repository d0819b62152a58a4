"""The garbage collector, held back where it only costs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No look for reference cycles while a lot of objects is built that all live on: each look would go through all of them for nothing.

    What nobody refers to any more is freed all the same. The collector is the whole process's: keep the block to some seconds.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
