"""The one place where errors become HTTP: RFC 9457 problem details, nothing of our insides."""

from __future__ import annotations

import http
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hearthwatch.errors import (
    Conflict,
    Denied,
    HearthwatchError,
    Invalid,
    Missing,
    Refused,
    Stale,
    Throttled,
    Unauthenticated,
    Unavailable,
)

LOG = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
STATUS: Mapping[type[HearthwatchError], int] = {
    Invalid: 422,
    Unauthenticated: 401,
    Denied: 403,
    Missing: 404,
    Conflict: 409,
    Stale: 412,
    Throttled: 429,
    Unavailable: 503,
    Refused: 502,
}
"""HTTP status of every error there is."""

ADVICE: Mapping[int, str] = {
    401: "Sign in, or send a token: Authorization: Bearer hw_...",
    403: "This caller may not do this.",
    412: "It changed since you read it. Read it again.",
}


class Fault(BaseModel):
    """One single fault of a request."""

    where: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details. ``status`` says what to do about it, ``where`` what it is about."""

    type: str
    title: str
    status: int
    detail: str
    where: str | None = None
    advice: str | None = None
    errors: list[Fault] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Anything else than what was asked for is a problem document.",
        "content": {PROBLEM: {"schema": Problem.model_json_schema(ref_template="#/components/schemas/{model}")}},
    }
}


class InvalidRows(Invalid):
    """Several things of one upload are malformed; ``problems`` lists each with where it is."""

    def __init__(self, message: str, problems: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.problems = problems


def install_error_handlers(app: FastAPI) -> None:
    """Let every error of the application come out as a problem."""
    app.add_exception_handler(HearthwatchError, _foreseen)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def status_of(error: HearthwatchError) -> int:
    """The status of an error, by its nearest known class; 500 for one that nobody mapped."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    where: str | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document. ``errors`` lists the single faults of a request, each with ``where`` and ``message``."""
    body: dict[str, Any] = {
        "type": f"urn:hearthwatch:error:{kind}" if kind else "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if where:
        body["where"] = where
    if errors:
        body["errors"] = list(errors)
    if status in ADVICE:
        body["advice"] = ADVICE[status]
    return JSONResponse(body, status_code=status, media_type=PROBLEM, headers=dict(headers or {}))


def problem_of(error: HearthwatchError) -> JSONResponse:
    """The problem document of an error, with ``Retry-After`` where it is known."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == STATUS[Unauthenticated]:
        headers["WWW-Authenticate"] = 'Bearer realm="hearthwatch"'
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(0, math.ceil(retry_after)))
    errors = getattr(error, "problems", None) or None  # of a file or a policy, each with where it is
    kind = type(error).__name__.lower() if type(error) in STATUS else None
    return problem(status, error.message, kind=kind, where=error.where, errors=errors, headers=headers)


def _foreseen(request: Request, error: Exception) -> Response:
    assert isinstance(error, HearthwatchError)
    if status_of(error) >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        LOG.warning("%s %s: %s", request.method, request.url.path, error)
    return problem_of(error)


def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in fault["loc"]), "message": str(fault["msg"])}
        for fault in error.errors()
    ]
    first = errors[0] if errors else {"where": "", "message": "malformed"}
    return problem(422, first["message"], kind="invalid", where=first["where"], errors=errors)


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code < http.HTTPStatus.BAD_REQUEST:
        return Response(status_code=error.status_code, headers=error.headers)
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _unforeseen(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "something went wrong here; the log knows more")
