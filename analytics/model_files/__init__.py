"""Trained models as bytes that can be read without running anything: numbers and names, no pickle."""

from __future__ import annotations

from analytics.model_files.packing import pack, unpack

__all__ = ["pack", "unpack"]
