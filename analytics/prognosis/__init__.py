"""What is said of every device today: `prognose`, once a day."""

from __future__ import annotations

from analytics.prognosis.job import prognose

__all__ = ["prognose"]
