"""Hazards learned from what became of devices: `train`, once a week."""

from __future__ import annotations

from analytics.training.job import train

__all__ = ["train"]
