"""What every device of a kind shares at one instant of the simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_sim.faults import Severity

REFERENCE_SAMPLE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The interval of ``dt_s`` seconds that ends at ``at`` (Unix seconds), for the devices of one kind.

    Arrays have shape (devices,): local ``hour``, ``weekend`` 0/1, ``outdoor_c``, ``daylight_lux``, ``occupied`` 0/1 (people are not
    on holiday), and how far each fault has come. ``noise`` scales measurement noise: a longer interval averages more of it.
    """

    at: float
    dt_s: float
    noise: float
    hour: np.ndarray
    weekend: np.ndarray
    outdoor_c: np.ndarray
    daylight_lux: np.ndarray
    occupied: np.ndarray
    faults: Severity
