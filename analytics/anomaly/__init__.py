"""Devices that leave their own past and their peers: `find_anomalies`, once a day."""

from __future__ import annotations

from analytics.anomaly.job import find_anomalies

__all__ = ["find_anomalies"]
