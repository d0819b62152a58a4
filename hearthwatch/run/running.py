"""A platform that is running on this machine, as another process of it can ask."""

from __future__ import annotations

from typing import IO, Any

import httpx

from hearthwatch.errors import Denied, HearthwatchError, Refused, Unavailable
from hearthwatch.run import whereabouts
from hearthwatch.run.checks import Check, unfit, well
from hearthwatch.settings import Settings

_SECONDS = 5.0


def base_url(settings: Settings) -> str:
    """Where the running platform listens, seen from this machine: as it says itself, else as the settings have it."""
    if (told := whereabouts.of_running(settings)) is not None:
        return told
    host = "127.0.0.1" if settings.host in {"0.0.0.0", ""} else "[::1]" if settings.host == "::" else settings.host
    return f"http://{host}:{settings.port}"


def ask_running(settings: Settings, pid: int) -> Check:
    """How the platform is that holds the embedded stores, as it says itself."""
    url = base_url(settings)
    says = f"hearthwatch up is running (PID {pid}) and has the embedded stores open"
    try:
        answer = _first_known(url, ("/readyz", "/health"))
    except httpx.HTTPError as error:
        remedy = "set host and port as the running platform has them, or end the process that holds the file"
        return unfit("telemetry", f"{says}, but {url} does not answer: {error}", remedy)
    if answer.status_code != 200:
        return unfit("telemetry", f"{says}, and says it is not ready: {answer.text[:200]}", "see its log")
    return well("telemetry", f"{says}; it says it is ready")


def post(settings: Settings, path: str, token: str | None, seconds: float) -> dict[str, Any]:
    """Ask the running platform to do something. Raises `Unavailable`, `Denied`, `Refused`."""
    url = base_url(settings)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.post(f"{url}{path}", headers=headers, timeout=httpx.Timeout(seconds, connect=_SECONDS))
    except httpx.HTTPError as error:
        raise Unavailable(f"the running platform does not answer: {error}", where=url) from None
    if answer.is_success:
        told: dict[str, Any] = answer.json()
        return told
    raise _failure(answer, url, given=token is not None)


def download(settings: Settings, path: str, token: str | None, target: IO[bytes], seconds: float) -> None:
    """Write what the running platform answers into a file, a piece at a time. Raises `Unavailable`, `Denied`, `Refused`."""
    url = base_url(settings)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(seconds, connect=_SECONDS)
    try:
        with httpx.stream("GET", f"{url}{path}", headers=headers, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                raise _failure(answer, url, given=token is not None)
            for piece in answer.iter_bytes():
                target.write(piece)
    except httpx.HTTPError as error:
        raise Unavailable(f"the running platform does not answer: {error}", where=url) from None


def _failure(answer: httpx.Response, url: str, *, given: bool) -> HearthwatchError:
    try:
        words = str(answer.json().get("detail", answer.status_code))
    except ValueError:
        words = str(answer.status_code)
    if answer.status_code == 401 and not given:
        return Unavailable(
            "the platform is running and has the stores open; give a token of an admin (--token or HEARTHWATCH_TOKEN), or stop it first",
            where=url,
        )
    if answer.status_code in {401, 403}:
        return Denied(f"the running platform does not allow it: {words}", where=url)
    if answer.status_code >= 500:
        return Unavailable(words, where=url)
    return Refused(words, where=url)


def _first_known(url: str, paths: tuple[str, ...]) -> httpx.Response:
    answer = httpx.get(url + paths[0], timeout=_SECONDS)
    for path in paths[1:]:
        if answer.status_code != 404:
            break
        answer = httpx.get(url + path, timeout=_SECONDS)
    return answer
