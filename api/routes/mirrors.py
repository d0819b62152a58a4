"""Tickets in an outside service desk: where each stands, and what the desk posts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from alerts.mirrors import reports, webhook_desk
from alerts.mirrors.job import show_again
from alerts.mirrors.signed import check_standard, check_zammad
from api.acts import Acting, tagged
from api.context import ApiContext, Context
from api.paging import Page, Paging
from api.security import Agent, Reader
from hearthwatch.errors import Missing
from hearthwatch.records import mirrors
from hearthwatch.records.mirrors import DeskHealth, Mirror

router = APIRouter(tags=["service desk"])

TicketId = Annotated[int, Path(ge=1, le=2**53)]


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]
"""The bytes as they were signed. What is done with them waits for the records, and so not on the event loop."""


class Heard(BaseModel):
    """Whether what was posted is about a ticket of ours."""

    known: bool


@router.get("/service-desk")
def get_desk(context: Context, _caller: Reader) -> DeskHealth:
    """The desk that is configured, and whether it can be reached."""
    name = context.settings.service_desk.get_secret_value().partition(":")[0].removesuffix("s")
    with context.database.reading() as connection:
        found = mirrors.desk(connection, name) if name else None
    if found is None:
        raise Missing("no service desk is configured, or no ticket was shown there yet", where="service_desk")
    return found


@router.get("/mirrors")
def list_mirrors(
    context: Context,
    _caller: Reader,
    paging: Paging,
    state: Annotated[Literal["standing", "refused", "ended"] | None, Query()] = None,
) -> Page[Mirror]:
    """Mirrors of tickets, newest ticket first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: mirrors.list_mirrors(connection, state=state, after=paging.after_id, limit=limit),
            key=lambda mirror: mirror.ticket_id,
        )


@router.get("/tickets/{ticket_id}/mirror", response_model=Mirror)
def get_mirror(context: Context, _caller: Reader, ticket_id: TicketId) -> Response:
    """Where one ticket stands in the desk."""
    with context.database.reading() as connection:
        found = mirrors.find(connection, ticket_id)
    if found is None:
        raise Missing("this ticket is shown in no desk", where=f"ticket {ticket_id}")
    return tagged(found)


@router.post("/tickets/{ticket_id}/mirror/retry", response_model=Mirror)
def retry_mirror(context: Context, caller: Agent, act: Acting, ticket_id: TicketId) -> Response:
    """Try a ticket again that the desk refused."""
    return act.do(
        caller,
        "mirror.retry",
        f"ticket:{ticket_id}",
        lambda connection: show_again(connection, ticket_id, context.clock.now()),
    )


@router.post("/service-desk/zammad", status_code=202)
def zammad_webhook(request: Request, context: Context, body: Body) -> Heard:
    """Zammad's webhook: the ticket that changed there is looked at next. Signed with `service_desk_secret`."""
    check_zammad(body, request.headers.get("X-Hub-Signature"), _secret(context))
    now = context.clock.now()
    return Heard(known=context.database.retrying(lambda connection: reports.zammad_says(connection, body, now)))


@router.post(
    "/service-desk/reports",
    response_model=Mirror,
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": webhook_desk.Report.model_json_schema()}}}
    },
)
def desk_report(request: Request, context: Context, body: Body) -> Any:
    """What a desk of the maker's own did with a ticket. Signed as Standard Webhooks says, with `service_desk_secret`."""
    now = context.clock.now()
    message = check_standard(body, request.headers, _secret(context), now)
    public_url = context.settings.public_url
    return context.database.retrying(lambda connection: reports.report(connection, message, body, public_url, now))


def _secret(context: ApiContext) -> str:
    return context.settings.service_desk_secret.get_secret_value()
