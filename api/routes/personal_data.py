"""What a person may ask for: a copy of everything about them, and to be forgotten."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from alerts.customers import erasure, export
from alerts.customers.erasure import Forgotten
from api.acts import Acting
from api.context import Context
from api.security import Admin, Agent
from hearthwatch.records import erasures
from hearthwatch.records.erasures import Erasure

router = APIRouter(tags=["customers"])

CustomerId = Annotated[str, Path(min_length=1, max_length=64)]
IN_MEMORY = 4 * 1024 * 1024
CHUNK = 256 * 1024


class Erase(BaseModel):
    """Why a person is forgotten. It is kept, so it must not name them."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=erasure.LONGEST_REASON)]


@router.get("/customers/{customer_id}/export", response_class=StreamingResponse)
def export_customer(context: Context, caller: Agent, customer_id: CustomerId) -> StreamingResponse:
    """Everything about a person as a zip: rows as JSON lines, photos, and what their devices reported while they were theirs."""
    now: datetime = context.clock.now()
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # closed when it was sent
    try:
        export.export(context.database, context.store, customer_id, file, actor=caller.name, now=now)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    name = f"customer-{now:%Y%m%dT%H%M%SZ}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


@router.post("/customers/{customer_id}/erase", response_model=Forgotten)
def erase_customer(context: Context, caller: Admin, act: Acting, customer_id: CustomerId, body: Erase) -> Response:
    """Forget a person. What is under way with them ends; statistics stay under their id, which is all that is left. It is for good."""
    now = context.clock.now()

    def forget(connection: Connection) -> Forgotten:
        return erasure.erase(connection, customer_id, reason=body.reason, by=caller.name, now=now)

    answer = act.do(caller, "customer.erase", f"customer:{customer_id}", forget, audited=False)
    erasures.sweep(context.database)
    return answer


@router.get("/erasures")
def list_erasures(context: Context, _caller: Admin) -> list[Erasure]:
    """Who was forgotten, by pseudonym: keep this list where backups are kept, so that it can be repeated after a restore."""
    with context.database.reading() as connection:
        return erasures.list_erasures(connection)
