"""Writes: one transaction each, audited, done once per idempotency key, answered with the entity tag of what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from pydantic import TypeAdapter
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from api.context import ApiContext, Context
from api.revisions import etag
from api.security import Caller
from hearthwatch.records import audit, idempotency

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Act:
    """A write that is being asked for: the request's body and digest, and its idempotency key, if it has one."""

    context: ApiContext
    body: bytes
    digest: str
    key: str | None

    def do(
        self,
        caller: Caller,
        action: str,
        thing: str | Callable[[T], str],
        work: Callable[[Connection], T],
        *,
        status: int = 200,
        detail: Mapping[str, Any] | None = None,
        audited: bool = True,
    ) -> Response:
        """Do the work in one transaction and answer with what it returned.

        ``thing`` names what was acted on (``finding:12``). The same key once more gives the first answer and does nothing; with another
        request it is a `Conflict`. ``audited`` is False where the work writes its own entry into the audit trail.
        """
        now = self.context.clock.now()

        def once(connection: Connection) -> Response:
            if self.key is not None:
                kept = idempotency.find(connection, self.key, caller.name, self.digest)
                if kept is not None:
                    return _answer(kept.status, kept.response, replayed=True)
            result = work(connection)
            answer = plain(result)
            if audited:
                named = thing if isinstance(thing, str) else thing(result)
                audit.note(connection, at=now, actor=caller.name, action=action, object=named, detail=detail)
            if self.key is not None:
                idempotency.keep(connection, self.key, caller.name, self.digest, status=status, response=answer, at=now)
            return _answer(status, answer)

        return self.context.database.retrying(once)


async def _act(
    request: Request,
    context: Context,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=128, description="Makes a repeated request do its work once."),
    ] = None,
) -> Act:
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    body = await request.body()
    digest.update(body)
    return Act(context, body, digest.hexdigest(), idempotency_key)


Acting = Annotated[Act, Depends(_act)]


def tagged(thing: Any) -> Response:
    """One thing as JSON, with its revision as entity tag."""
    return _answer(200, plain(thing))


def plain(value: Any) -> Any:
    """A value as JSON knows it. Numbers that are none become null."""
    return json.loads(_adapter(type(value)).dump_json(value))


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _answer(status: int, content: Any, *, replayed: bool = False) -> Response:
    headers = {}
    if isinstance(content, dict) and isinstance(content.get("revision"), int):
        headers["ETag"] = etag(content["revision"])
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse(content, status_code=status, headers=headers)
