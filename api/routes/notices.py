"""Notices to customers, and the letters of the built-in mailbox."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.responses import Response

from api.acts import tagged
from api.context import Context
from api.paging import Page, Paging
from api.security import Agent, Reader
from hearthwatch.records import mailbox, notices
from hearthwatch.records.mailbox import Letter
from hearthwatch.records.notices import NoticeEvent
from hearthwatch.values import Notice

router = APIRouter(tags=["notices"])

NoticeId = Annotated[int, Path(ge=1, le=2**53)]
State = Literal["observed", "held", "queued", "sent", "failed", "suppressed", "cancelled"]


class Html(BaseModel):
    """A notice as HTML, the customer's link masked. To be shown in a sandbox."""

    html: str


@router.get("/notices")
def list_notices(
    context: Context,
    _caller: Reader,
    paging: Paging,
    state: State | None = None,
    customer: str | None = None,
    device: str | None = None,
    finding: int | None = None,
) -> Page[Notice]:
    """Notices, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: notices.list_notices(
                connection,
                state=state,
                customer_id=customer,
                device_id=device,
                finding_id=finding,
                after=paging.after_id,
                limit=limit,
            ),
            key=lambda notice: notice.id,
        )


@router.get("/notices/{notice_id}", response_model=Notice)
def get_notice(context: Context, _caller: Reader, notice_id: NoticeId) -> Response:
    """One notice."""
    with context.database.reading() as connection:
        return tagged(notices.get(connection, notice_id))


@router.get("/notices/{notice_id}/html")
def get_html(context: Context, _caller: Reader, notice_id: NoticeId) -> Html:
    """A notice as the customer sees it."""
    with context.database.reading() as connection:
        return Html(html=notices.html(connection, notice_id))


@router.get("/notices/{notice_id}/events")
def list_events(context: Context, _caller: Reader, notice_id: NoticeId) -> Page[NoticeEvent]:
    """What became of a notice, oldest first."""
    with context.database.reading() as connection:
        notices.get(connection, notice_id)
        return Page(items=notices.events(connection, notice_id))


@router.get("/mailbox")
def list_letters(context: Context, _caller: Agent, paging: Paging, address: str | None = None) -> Page[Letter]:
    """Letters of the built-in mailbox, newest first. They hold customers' own links, so after-sales staff alone may read them."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: mailbox.list_letters(connection, address=address, after=paging.after_id, limit=limit),
            key=lambda letter: letter.id,
        )
