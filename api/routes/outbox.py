"""What waits to leave the house, what could not, and how each channel does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.delivery import people
from alerts.delivery.overview import Standing, overview
from alerts.policy import brakes as use_brakes
from api.acts import Acting, tagged
from api.context import ApiContext, Context
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.security import Agent, Reader, Staff
from hearthwatch.errors import Missing
from hearthwatch.records import brakes, delivery_attempts, outbox
from hearthwatch.records.delivery_attempts import Attempt
from hearthwatch.records.outbox import OutboxItem

router = APIRouter(tags=["sending"])

ItemId = Annotated[int, Path(ge=1, le=2**53)]
ChannelName = Annotated[str, Path(max_length=40)]
State = Literal["pending", "claimed", "delivered", "failed", "cancelled"]


class Reason(BaseModel):
    """Why, for whoever finds it so."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=400)] = ""


class DeadLetters(BaseModel):
    """Which dead letters: of one channel, given up at or after a time; without either, all."""

    model_config = ConfigDict(extra="forbid")

    channel: Annotated[str | None, Field(max_length=40)] = None
    since: AwareDatetime | None = None


class SentAgain(BaseModel):
    """How many dead letters leave once more."""

    items: int


class Sending(BaseModel):
    """Whether anything leaves the house, and why not."""

    paused: bool
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A thing that leaves or left the house; without its text, which may hold a customer's link, and without its address.

    ``outcome`` is that of the latest attempt: delivered, away, busy, later, timeout (it may have arrived), partial, nomatch, refused or
    broken.
    """

    id: int
    kind: str
    notice_id: int | None
    channel: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime
    delivered_at: datetime | None
    last_error: str | None
    outcome: str | None
    failed_at: datetime | None
    revision: int


class Outbox(Page[Waiting]):
    """A page of the outbox, with the brake and the counts by state."""

    sending: Sending
    counts: Mapping[str, int]


@router.get("/outbox")
def list_outbox(
    context: Context,
    _caller: Reader,
    paging: Paging,
    state: State | None = None,
    channel: Annotated[str | None, Query(max_length=40)] = None,
    kind: Annotated[str | None, Query(max_length=16)] = None,
) -> Outbox:
    """What waits, what left, and what could not, newest first."""
    with context.database.reading() as connection:
        page = paging.page(
            lambda limit: outbox.list_items(
                connection, state=state, channel=channel, kind=kind, after=paging.after_id, limit=limit
            ),
            key=lambda item: item.id,
        )
        items = [shown(one) for one in page.items]
        return Outbox(items=items, next=page.next, sending=_sending(connection), counts=outbox.counts(connection))


@router.post("/outbox/pause", response_model=Sending)
def pause(context: Context, caller: Staff, act: Acting, body: Reason) -> Response:
    """Stop all sending at once."""

    def stop(connection: Connection) -> Sending:
        use_brakes.pause(connection, caller.name, context.clock.now(), body.reason)
        return _sending(connection)

    return act.do(caller, "outbox.pause", "outbox", stop, audited=False)


@router.post("/outbox/resume", response_model=Sending)
def resume(context: Context, caller: Agent, act: Acting) -> Response:
    """Send again."""

    def go_on(connection: Connection) -> Sending:
        use_brakes.resume(connection, caller.name, context.clock.now())
        return _sending(connection)

    return act.do(caller, "outbox.resume", "outbox", go_on, audited=False)


@router.post("/outbox/retry", response_model=SentAgain)
def retry_all(context: Context, caller: Agent, act: Acting, body: DeadLetters) -> Response:
    """Let dead letters leave once more, each under its old key: after a provider's outage."""

    def again(connection: Connection) -> SentAgain:
        now = context.clock.now()
        return SentAgain(
            items=people.send_all_again(connection, caller.name, now, channel=body.channel, since=body.since)
        )

    return act.do(caller, "outbox.retry", "outbox", again, audited=False)


@router.get("/outbox/{item_id}", response_model=Waiting)
def get_item(context: Context, _caller: Reader, item_id: ItemId) -> Response:
    """One thing."""
    with context.database.reading() as connection:
        return tagged(shown(outbox.get(connection, item_id)))


@router.get("/outbox/{item_id}/attempts")
def list_attempts(context: Context, _caller: Reader, item_id: ItemId) -> Page[Attempt]:
    """Every attempt to send it, oldest first."""
    with context.database.reading() as connection:
        outbox.get(connection, item_id)
        return Page(items=delivery_attempts.of_items(connection, [item_id]).get(item_id, []))


@router.post("/outbox/{item_id}/retry", response_model=Waiting)
def retry(context: Context, caller: Agent, act: Acting, item_id: ItemId, revision: IfMatch) -> Response:
    """Let a dead letter leave once more, under its old key: a receiver that did get it drops it."""

    def again(connection: Connection) -> Waiting:
        now = context.clock.now()
        return shown(people.send_again(connection, item_id, caller.name, now, revision=revision))

    return act.do(caller, "outbox.retry", f"outbox:{item_id}", again, audited=False)


@router.post("/outbox/{item_id}/cancel", response_model=Waiting)
def cancel(context: Context, caller: Agent, act: Acting, item_id: ItemId, body: Reason, revision: IfMatch) -> Response:
    """Let something that waits or was given up never leave; a reason is needed."""

    def stop(connection: Connection) -> Waiting:
        now = context.clock.now()
        return shown(people.cancel(connection, item_id, caller.name, now, body.reason, revision=revision))

    return act.do(caller, "outbox.cancel", f"outbox:{item_id}", stop, audited=False)


@router.get("/channels")
def list_channels(context: Context, _caller: Reader) -> Page[Standing]:
    """Every way out of the house: whether it does well, what waits there, and how the attempts of the last day went."""
    return Page(items=_overview(context))


@router.post("/channels/{name}/pause", response_model=Standing)
def pause_channel(context: Context, caller: Staff, act: Acting, name: ChannelName, body: Reason) -> Response:
    """Let nothing leave by one channel; a reason is needed."""
    _known(context, name)

    def stop(connection: Connection) -> Standing:
        people.pause_channel(connection, name, caller.name, context.clock.now(), body.reason)
        return _standing(context, connection, name)

    return act.do(caller, "channel.pause", f"channel:{name}", stop, audited=False)


@router.post("/channels/{name}/resume", response_model=Standing)
def resume_channel(context: Context, caller: Agent, act: Acting, name: ChannelName) -> Response:
    """Let letters leave by it again; where its provider was held for dead, one is sent at once to see."""
    _known(context, name)

    def go_on(connection: Connection) -> Standing:
        people.resume_channel(connection, name, caller.name, context.clock.now())
        return _standing(context, connection, name)

    return act.do(caller, "channel.resume", f"channel:{name}", go_on, audited=False)


def shown(item: OutboxItem) -> Waiting:
    """A thing as it may be shown."""
    return Waiting(**{name: getattr(item, name) for name in Waiting.__dataclass_fields__})


def _overview(context: ApiContext) -> list[Standing]:
    with context.database.reading() as connection:
        return overview(connection, context.settings.channel_names, context.clock.now())


def _known(context: ApiContext, name: str) -> None:
    if name not in {one.name for one in _overview(context)}:
        raise Missing("there is no such channel", where=f"channel:{name}")


def _standing(context: ApiContext, connection: Connection, name: str) -> Standing:
    found = overview(connection, context.settings.channel_names, context.clock.now())
    return next(one for one in found if one.name == name)


def _sending(connection: Connection) -> Sending:
    paused, detail = brakes.is_paused(connection)
    return Sending(paused=paused, detail=dict(detail))
