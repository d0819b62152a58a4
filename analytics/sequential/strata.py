"""Sums over the devices of a stratum, fast for any number of strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analytics.sequential.mixture import Floats

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True, slots=True)
class Strata:
    """Which stratum each device belongs to: ``of_device`` has shape (devices,) with numbers from 0 to ``count`` - 1."""

    of_device: NDArray[np.int64]
    count: int
    _summing: sparse.csr_array

    @classmethod
    def of(cls, labels: NDArray[np.int64]) -> Strata:
        """Strata from any integers, one per device; equal integers are one stratum."""
        from scipy import sparse

        values, numbers = np.unique(labels, return_inverse=True)
        devices = np.arange(labels.size)
        ones = np.ones(labels.size)
        summing = sparse.csr_array((ones, (numbers, devices)), shape=(values.size, labels.size))
        return cls(of_device=numbers.astype(np.int64), count=values.size, _summing=summing)

    def total(self, values: NDArray[np.float64] | NDArray[np.bool_]) -> Floats:
        """Sums by stratum: (devices, slots) gives (strata, slots)."""
        result: Floats = np.asarray(self._summing @ values.astype(np.float64, copy=False))
        return result
