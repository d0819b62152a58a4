"""What the maker's own systems are told: the messages of signed webhooks, whose JSON Schema is docs/schemas/webhook-events.json.

They name people by the maker's own ids and carry no word that a person wrote.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReplacementData(_Message):
    """What a preventive replacement was offered for."""

    part: Annotated[str, Field(description="The part; empty where only the device is known.")]
    act_by: Annotated[datetime | None, Field(description="The day by which the customer is asked to act.")]
    covered: Annotated[bool | None, Field(description="Whether the warranty lasts; null where nobody knows.")]
    warranty_until: datetime | None
    price: Annotated[
        int | None,
        Field(
            ge=0,
            description="What a visit with the part costs the customer outside the warranty, in minor units; null where the "
            "warranty lasts, or the policy names no price: the customer is told it before anything is done.",
        ),
    ]
    currency: Annotated[str | None, Field(description="ISO 4217; null without a price.")]


class NoticeData(_Message):
    """A notice as it was when the message was written."""

    event: Annotated[int, Field(description="Number of the event; grows from message to message.")]
    id: Annotated[int, Field(description="Number of the notice.")]
    kind: Annotated[
        str, Field(description="update, replacement, check_up, recall, advisory, all_clear, ticket_update, ...")
    ]
    cause: Annotated[str, Field(description="What it is about: finding:12, ticket:5 or campaign:3.")]
    state: Annotated[str, Field(description="observed, waiting, held, queued, sent, failed, suppressed or cancelled.")]
    reason: Annotated[str | None, Field(description="Why it is in this state, where that needs a reason.")]
    customer: str
    device: str
    language: str
    channel: Annotated[str | None, Field(description="The channel by which it arrived.")]
    created_at: datetime
    send_after: datetime
    sent_at: Annotated[datetime | None, Field(description="When it first arrived by any channel.")]
    replacement: Annotated[
        ReplacementData | None, Field(description="Of kind replacement: part, day, warranty and price.")
    ] = None


class TicketData(_Message):
    """A ticket as it was when the message was written."""

    event: Annotated[int, Field(description="Number of the event; grows from message to message.")]
    id: Annotated[int, Field(description="Number of the ticket.")]
    what: Annotated[
        str, Field(description="What was done: opened, assigned, started, scheduled, waiting, resumed, closed, ...")
    ]
    kind: Annotated[str, Field(description="device, cohort or request.")]
    cause: str
    state: Annotated[str, Field(description="open, assigned, in_progress, scheduled, waiting or closed.")]
    priority: Annotated[int, Field(ge=1, le=4, description="1 (now) to 4.")]
    customer: str | None
    device: str | None
    model: str | None
    part: str | None
    opened_at: datetime
    due_at: Annotated[datetime | None, Field(description="When it is to be resolved.")]
    closed_at: datetime | None
    closing_code: str | None


class NoticeEvent(_Message):
    """A notice waits to be sent, was sent, or could not be sent."""

    type: Literal["notice.queued", "notice.sent", "notice.failed"]
    timestamp: Annotated[datetime, Field(description="When it happened.")]
    data: NoticeData


class TicketEvent(_Message):
    """A ticket was opened, changed or closed."""

    type: Literal["ticket.opened", "ticket.changed", "ticket.closed"]
    timestamp: Annotated[datetime, Field(description="When it happened.")]
    data: TicketData


Event = NoticeEvent | TicketEvent
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
TYPES = (
    "notice.queued",
    "notice.sent",
    "notice.failed",
    "ticket.opened",
    "ticket.changed",
    "ticket.closed",
)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of every message."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Events of Hearthwatch's webhooks"}
    return head | _ADAPTER.json_schema()


def read(text: str | bytes) -> Event:
    """A message, checked against the schema. Raises `ValueError` for one that is none."""
    return _ADAPTER.validate_json(text)


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))  # noqa: T201 - for docs/schemas
