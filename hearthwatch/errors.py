"""What went wrong, said as what the caller can do about it.

One place per adapter translates its library's errors into these; ``api/errors.py`` alone maps them to HTTP.
"""

from __future__ import annotations


class HearthwatchError(Exception):
    """Any failure that Hearthwatch foresees. ``where`` names the file, row, column, option or item, if known."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class Invalid(HearthwatchError):
    """What was given is malformed. Do not retry."""


class Unauthenticated(HearthwatchError):
    """The caller is not known. Sign in."""


class Denied(HearthwatchError):
    """The caller may not do this. Do not retry."""


class Missing(HearthwatchError):
    """The named thing does not exist. Do not retry."""


class Conflict(HearthwatchError):
    """The thing's state does not allow this. Do not retry."""


class Stale(HearthwatchError):
    """The thing changed since it was read. Read it again."""


class Throttled(HearthwatchError):
    """Too often. Retry after ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: float, where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.retry_after = retry_after


class Unavailable(HearthwatchError):
    """A store, broker or channel is away. Retry, after ``retry_after`` seconds where it is known."""

    def __init__(self, message: str, *, retry_after: float | None = None, where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.retry_after = retry_after


class Refused(HearthwatchError):
    """A remote party said no for good. Do not retry; record the reason."""
