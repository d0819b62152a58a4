"""Requests to systems of the maker's own: no redirects, bounded in time, and the library's errors said in ours."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alerts.channels.outcomes import NoAnswer
from hearthwatch.errors import Refused, Unavailable

SECONDS = 10.0
_LONGEST_SAID = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. ``retry_after`` in seconds, where it said so."""

    status: int
    body: bytes
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300


def ask(
    method: str,
    url: str,
    *,
    who: str,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    content: bytes | None = None,
    user: tuple[str, str] | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """One request; ``who`` names the server in errors, which never hold the address or the credentials.

    Raises `Unavailable` where the server can not be reached, `NoAnswer` (of the same kind) where it may have got the request and no answer
    came in ``seconds``, `Refused` for an address that is none.
    """
    import httpx  # with all it brings along it takes longer to import than a request takes

    try:
        response = httpx.request(
            method,
            url,
            headers=dict(headers or {}),
            params=dict(params) if params else None,
            content=content,
            auth=user,
            timeout=seconds,
            verify=_tls(),
            follow_redirects=False,
            trust_env=False,
        )
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        raise Unavailable(f"{who} can not be reached in {seconds:g} seconds") from None
    except httpx.TimeoutException:
        raise NoAnswer(f"{who} did not answer in {seconds:g} seconds") from None
    except (httpx.ReadError, httpx.RemoteProtocolError) as error:
        raise NoAnswer(f"{who} hung up before it answered ({type(error).__name__})") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise Refused(f"the address of {who} is none") from None
    except httpx.HTTPError as error:
        raise Unavailable(f"{who} can not be reached ({type(error).__name__})") from None
    return Answer(response.status_code, response.content, _seconds(response.headers.get("Retry-After")))


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The system's authorities, read once: it takes a tenth of a second."""
    return ssl.create_default_context()


def said(answer: Answer) -> str:
    """The beginning of what a server wrote, on one line."""
    return " ".join(answer.body[:_LONGEST_SAID].decode(errors="replace").split())


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() and len(header) < 7 else None
