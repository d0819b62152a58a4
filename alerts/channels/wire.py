"""What passes between an Apprise plugin and its service, seen from outside.

Apprise says only whether a service took a letter, not why it did not; and its plugins send no headers of ours. Every plugin speaks HTTP by
the library ``requests``, as a name of its own module. That name is given an object here that does the same, and beside it: adds the header
``Idempotency-Key``, follows no redirect, and writes down what came back, for the one letter that is being sent in this context.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

_LARGEST = 100_000
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it: an answer, or the library's error. ``sent``: whether the service may have got the request."""

    path: str
    status: int | None = None
    retry_after: float | None = None
    body: bytes = b""
    error: str = ""
    sent: bool = True


@dataclass(slots=True)
class Letter:
    """The letter that is being sent: its key, and the exchanges so far."""

    key: str
    exchanges: list[Exchange] = field(default_factory=list)


_CURRENT: ContextVar[Letter | None] = ContextVar("letter", default=None)
_TURN = threading.Lock()


@contextmanager
def watched(plugin: object, key: str) -> Iterator[Letter]:
    """Whatever the plugin sends inside this block, in this context and those copied from it, belongs to one letter."""
    module = sys.modules[type(plugin).__module__]
    with _TURN:
        library = getattr(module, "requests", None)
        if isinstance(library, ModuleType):
            module.__dict__["requests"] = Watching(library)
    letter = Letter(key)
    token = _CURRENT.set(letter)
    try:
        yield letter
    finally:
        _CURRENT.reset(token)


class Watching:
    """The library ``requests`` as a plugin uses it: it only calls what sends, reads status codes and catches errors."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def get(self, url: str, **options: Any) -> Any:
        """As the library's."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Any:
        """As the library's."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Any:
        """As the library's."""
        return self.request("PUT", url, **options)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """As the library's, without redirects; outside of a letter nothing else is different."""
        letter = _CURRENT.get()
        if letter is None:
            return self._library.request(method, url, **options)
        headers = {**(options.pop("headers", None) or {}), "Idempotency-Key": letter.key}
        path = url.partition("?")[0]
        try:
            answer = self._library.request(method, url, **{**options, "headers": headers, "allow_redirects": False})
        except self._library.RequestException as error:
            letter.exchanges.append(Exchange(path, error=type(error).__name__, sent=self._may_have_left(error)))
            raise
        waits = _seconds(answer.headers.get("Retry-After"))
        letter.exchanges.append(Exchange(path, answer.status_code, waits, (answer.content or b"")[:_LARGEST]))
        return answer

    def _may_have_left(self, error: Exception) -> bool:
        """Whether the service may have got the request: not where no connection came about."""
        kinds = self._library.exceptions
        if isinstance(error, (kinds.ConnectTimeout, kinds.SSLError, kinds.ProxyError, kinds.InvalidURL)):
            return False
        return not any(word in repr(error) for word in ("NewConnectionError", "NameResolutionError"))


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() and len(header) < 7 else None
