"""Whether a device is there: last will, last message, expected interval, bridge and our own blindness, fused into one explained state."""

from analytics.liveness.job import watch_liveness

__all__ = ["watch_liveness"]
