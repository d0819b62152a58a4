"""The kinds of notices: what each is for, a letter of it to look at, and a test of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts import samples
from alerts.notices.kinds import KINDS, Kind
from alerts.notices.wording import Letter
from api.acts import Acting
from api.context import Context
from api.paging import Page
from api.routes.findings import mail_of
from api.security import Agent, Reader, Staff

router = APIRouter(tags=["notices"])

Name = Annotated[str, Path(max_length=24)]


class TestSample(BaseModel):
    """Where a test goes, and in which language."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=1, max_length=400)]
    language: Annotated[str, Field(max_length=35)] = "en"


class Sent(BaseModel):
    """A test letter is in the outbox."""

    queued: bool = True


@router.get("/notice-kinds")
def list_kinds(_caller: Reader) -> Page[Kind]:
    """Every kind of notice."""
    return Page(items=list(KINDS.values()))


@router.get("/notice-kinds/{kind}/sample")
def get_sample(
    context: Context, _caller: Staff, kind: Name, language: Annotated[str, Query(max_length=35)] = "en"
) -> Letter:
    """A letter of a kind about a device that nobody has, its link masked."""
    return samples.sample(kind, language, mail_of(context.settings), context.clock.now())


@router.post("/notice-kinds/{kind}/test", status_code=202, response_model=Sent)
def send_sample(context: Context, caller: Agent, act: Acting, kind: Name, body: TestSample) -> Response:
    """Send it to a colleague, marked as a test."""

    def work(connection: Connection) -> Sent:
        mail, now = mail_of(context.settings), context.clock.now()
        letter = samples.sample(kind, body.language, mail, now)
        samples.test_send(connection, f"kind:{kind}", letter, body.address, actor=caller.name, now=now)
        return Sent()

    return act.do(caller, "notice.test", f"kind:{kind}", work, status=202, audited=False)
