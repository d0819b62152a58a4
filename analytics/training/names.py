"""How trained models are named, and what they speak about."""

from __future__ import annotations

FAMILY = "hazard/"
HORIZONS = (7, 30, 90)
EDGES = (0, 3, 7, 14, 30, 60, 90)
JUDGED_AT = 30


def model_name(model: str, part: str) -> str:
    """The name of a hazard in the registry of models."""
    return f"{FAMILY}{model}/{part}"[:120]
