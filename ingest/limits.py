"""The bounds of the ingestor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ingest.admission import AdmissionPolicy, UnknownDevices

WINDOW_SHARE = 0.75
"""A batch is stored when this share of the window is waiting: the broker must not stand still before we begin."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a batch, what is in flight at most, and what is not taken in. Options of the same names explain them."""

    batch_messages: int = 2000
    batch_bytes: int = 1_048_576
    batch_seconds: float = 0.25
    receive_maximum: int = 5000
    max_payload_bytes: int = 262_144
    metric_budget: int = 512
    clock_skew_s: int = 300
    raw_days: int = 30
    unknown_devices: UnknownDevices = "register"
    device_budget_per_day: int = 10_000
    device_budget: int = 1_000_000
    join_devices: Literal["auto", "ask"] = "auto"
    spool_after_failures: int = 3
    spool_after_seconds: float = 5.0
    ask_devices: bool = True

    @property
    def admission(self) -> AdmissionPolicy:
        """What becomes of unknown devices."""
        return AdmissionPolicy(self.unknown_devices, self.device_budget_per_day, self.device_budget)

    @property
    def batch_size(self) -> int:
        """Messages that make a batch: the limit, or the window's share where that is less."""
        return max(1, min(self.batch_messages, int(self.receive_maximum * WINDOW_SHARE)))
