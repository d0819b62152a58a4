"""Notices to customers, and the letters of the built-in mailbox.

Those who serve no customers (viewers, engineers) get what notices are about, why and how they stand, not whose they are nor their text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from api.acts import tagged
from api.context import Context
from api.paging import Page, Paging
from api.routes.outbox import Waiting, shown
from api.security import AGENTS, FIELD, Agent, Caller, Reader, permit
from hearthwatch.records import delivery_attempts, mailbox, notice_search, notices, outbox
from hearthwatch.records.delivery_attempts import Attempt
from hearthwatch.records.mailbox import Letter
from hearthwatch.records.notice_search import Sought
from hearthwatch.records.notices import NoticeEvent
from hearthwatch.values import Notice

router = APIRouter(tags=["notices"])

NoticeId = Annotated[int, Path(ge=1, le=2**53)]
State = Literal["observed", "waiting", "held", "queued", "sent", "failed", "suppressed", "cancelled"]
Name = Annotated[str | None, Query(max_length=64)]


class Html(BaseModel):
    """A notice as HTML, the customer's link masked. To be shown in a sandbox."""

    html: str


@dataclass(frozen=True, slots=True)
class Delivery(Waiting):
    """How a notice left, or is to leave, by one channel, and every attempt."""

    attempts_made: list[Attempt]


@router.get("/notices")
def list_notices(
    context: Context,
    caller: Reader,
    paging: Paging,
    state: State | None = None,
    customer: str | None = None,
    device: str | None = None,
    finding: int | None = None,
    kind: Name = None,
    channel: Name = None,
) -> Page[Notice]:
    """Notices, newest first; ``channel``: those for which something was written to leave by it.

    Viewers and engineers get them with ``customer_id`` and ``body`` empty, and may not look for a customer's.
    """
    if customer is not None:
        permit(caller, *AGENTS)
    sought = Sought(state, kind, customer, device, finding, channel)
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: [
                _shown(caller, one)
                for one in notice_search.search(connection, sought, after=paging.after_id, limit=limit)
            ],
            key=lambda notice: notice.id,
        )


@router.get("/notices/{notice_id}", response_model=Notice)
def get_notice(context: Context, caller: Reader, notice_id: NoticeId) -> Response:
    """One notice; for viewers and engineers with ``customer_id`` and ``body`` empty."""
    with context.database.reading() as connection:
        return tagged(_shown(caller, notices.get(connection, notice_id)))


@router.get("/notices/{notice_id}/html")
def get_html(context: Context, _caller: Agent, notice_id: NoticeId) -> Html:
    """A notice as the customer sees it."""
    with context.database.reading() as connection:
        return Html(html=notices.html(connection, notice_id))


@router.get("/notices/{notice_id}/events")
def list_events(context: Context, caller: Reader, notice_id: NoticeId) -> Page[NoticeEvent]:
    """What became of a notice, oldest first."""
    with context.database.reading() as connection:
        notices.get(connection, notice_id)
        happened = notices.events(connection, notice_id)
    return Page(items=happened if caller.role in FIELD else [notices.event_without_person(one) for one in happened])


@router.get("/notices/{notice_id}/deliveries")
def list_deliveries(context: Context, _caller: Reader, notice_id: NoticeId) -> Page[Delivery]:
    """How a notice left by each channel, in the order in which they were written, with every attempt."""
    with context.database.reading() as connection:
        notices.get(connection, notice_id)
        items = outbox.of_notice(connection, notice_id)
        attempts = delivery_attempts.of_items(connection, [item.id for item in items])
    return Page(items=[Delivery(**asdict(shown(item)), attempts_made=attempts.get(item.id, [])) for item in items])


@router.get("/mailbox")
def list_letters(context: Context, _caller: Agent, paging: Paging, address: str | None = None) -> Page[Letter]:
    """Letters of the built-in mailbox, newest first. They hold customers' own links, so after-sales staff alone may read them."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: mailbox.list_letters(connection, address=address, after=paging.after_id, limit=limit),
            key=lambda letter: letter.id,
        )


def _shown(caller: Caller, notice: Notice) -> Notice:
    return notice if caller.role in FIELD else notices.without_person(notice)
