"""How the people of the story reach the platform: over its public HTTP API, with the tokens of their roles, like anybody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from hearthwatch.errors import Refused, Unavailable

_MOVED_ON = frozenset({404, 409, 412})
_TIMEOUT_S = 60.0
_IDLE = httpx.Limits(
    keepalive_expiry=1.0
)  # servers hang up after some idle seconds; a connection is given up well before that


class Desk:
    """An HTTP client with one token per role: engineer, agent, technician, admin, second."""

    def __init__(self, url: str, tokens: Mapping[str, str], transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S, transport=transport, limits=_IDLE)
        self._headers = {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}

    def read(self, role: str, path: str, **params: str | int) -> Any:
        """GET below /api/v1; the JSON answer. Raises `Refused` or `Unavailable`."""
        answer = self._send("GET", f"/api/v1{path}", headers=self._headers[role], params=params)
        return answer.json()

    def write(self, role: str, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """POST, PUT or PATCH a JSON body; the JSON answer, or None when the thing has moved on meanwhile (404, 409, 412)."""
        answer = self._send(method, f"/api/v1{path}", headers=self._headers[role], json=body)
        return None if answer.status_code in _MOVED_ON else answer.json()

    def upload(self, role: str, path: str, csv: str) -> Any:
        """POST a CSV file; the JSON answer."""
        headers = {**self._headers[role], "Content-Type": "text/csv"}
        return self._send("POST", f"/api/v1{path}", headers=headers, content=csv.encode()).json()

    def page(self, path: str) -> str | None:
        """A page that needs no login, as HTML; None when its link is no longer good."""
        answer = self._send("GET", path)
        return None if answer.status_code in _MOVED_ON else answer.text

    def submit(self, path: str, form: Mapping[str, str]) -> bool:
        """Submit a form of such a page; False when the platform no longer takes it."""
        return self._send("POST", path, data=dict(form)).status_code not in _MOVED_ON

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **given)
        except httpx.HTTPError as error:
            raise Unavailable(f"{method} {path}: {error}", where="the platform's API") from None
        if answer.status_code >= 500:
            raise Unavailable(f"{method} {path}: {answer.status_code} {answer.text[:200]}", where="the platform's API")
        if answer.status_code >= 400 and answer.status_code not in _MOVED_ON:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}", where="the platform's API")
        return answer
