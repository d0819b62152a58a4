"""Requests to systems of the maker's own: they stand in `alerts.channels.http`."""

from alerts.channels.http import SECONDS, Answer, ask, said

__all__ = ["SECONDS", "Answer", "ask", "said"]
