"""Customers, what they own and what they agreed to. Personal data: for after-sales staff only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.customers import transfer
from alerts.customers.transfer import NewOwner, Transferred
from api import customer_import
from api.acts import Acting, tagged
from api.context import Context
from api.customer_import import Imported
from api.paging import Page, Paging
from api.revisions import IfMatch, check_revision
from api.security import Agent
from hearthwatch.errors import Conflict, Missing
from hearthwatch.records import audit, consents, customer_links, customers, erasures, tickets
from hearthwatch.records.consents import ConsentEvent
from hearthwatch.records.customers import Customer, Home
from hearthwatch.values import DEVICE_ID

router = APIRouter(tags=["customers"])

CustomerId = Annotated[str, Path(min_length=1, max_length=64)]
Purpose = Literal["safety", "service", "marketing", "analytics"]
Channel = Literal["mail", "sms", "push", "chat", "post", "phone", "app"]


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """A customer with the devices and homes that are theirs now, and what they agreed to."""

    id: str
    name: str
    language: str
    email: str | None
    phone: str | None
    channels: tuple[str, ...]
    revision: int
    devices: Sequence[str]
    homes: Sequence[Home]
    consents: Mapping[str, bool]


class CustomerData(BaseModel):
    """What is known of a customer; it replaces what was known."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    language: Annotated[str, Field(min_length=2, max_length=16)] = "en"
    email: Annotated[str | None, Field(max_length=320)] = None
    phone: Annotated[str | None, Field(max_length=40)] = None
    channels: Annotated[list[Annotated[str, Field(min_length=1, max_length=1024)]], Field(max_length=10)] = []


class Consent(BaseModel):
    """A purpose, granted or withdrawn, for one channel or (without one) for all."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    granted: bool
    channel: Channel | None = None


class Consents(BaseModel):
    """What a customer agrees to now, and how it came to be.

    ``current`` is the word about all channels, ``channels`` what holds for each channel by purpose.
    """

    current: dict[str, bool]
    channels: dict[str, dict[str, bool]]
    history: list[ConsentEvent]


@router.get("/customers")
def list_customers(context: Context, _caller: Agent, paging: Paging, q: str | None = None) -> Page[Customer]:
    """Customers by id; ``q`` is part of an id, name, e-mail address or phone number."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: customers.list_customers(connection, search=q, after=paging.after, limit=limit),
            key=lambda customer: customer.id,
        )


@router.post(
    "/customers/import",
    response_model=Imported,
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def import_customers(context: Context, caller: Agent, act: Acting) -> Response:
    """Customers, homes, ownership and consents from a CSV body.

    Columns: customer_id and name (required), language, email, phone, channels (separated by `;`), home_id, address, city, region,
    timezone, device_id, from, consents (separated by `;`), warranty_until, purchased (of the device). All lines are taken or none;
    every fault is named by row and column.
    """
    now = context.clock.now()
    rows = customer_import.read_rows(customer_import.decoded(act.body), now)
    return act.do(
        caller,
        "customer.import",
        "customers",
        lambda connection: customer_import.store_rows(connection, rows, now, "import"),
        detail={"rows": len(rows)},
    )


@router.get("/customers/{customer_id}", response_model=CustomerFile)
def get_customer(context: Context, _caller: Agent, customer_id: CustomerId) -> Response:
    """One customer with devices, homes and consents."""
    with context.database.reading() as connection:
        customer = customers.get_customer(connection, customer_id)
        now = context.clock.now()
        known = {name: getattr(customer, name) for name in Customer.__dataclass_fields__}
        return tagged(
            CustomerFile(
                **known,
                devices=customers.devices_of(connection, customer_id, now),
                homes=customers.homes_of(connection, customer_id, now),
                consents=consents.current(connection, customer_id),
            )
        )


@router.put("/customers/{customer_id}", response_model=Customer)
def put_customer(
    caller: Agent, act: Acting, if_match: IfMatch, customer_id: CustomerId, body: CustomerData
) -> Response:
    """Create a customer or replace what is known of one."""

    def put(connection: Connection) -> Customer:
        _check_known(connection, customer_id, if_match)
        if erasures.is_erased(connection, customer_id):
            raise Conflict("this person was erased; whoever comes back is somebody new", where=customer_id)
        return customers.put_customer(connection, customer_id, **body.model_dump())

    return act.do(caller, "customer.put", f"customer:{customer_id}", put)


@router.get("/customers/{customer_id}/consents")
def get_consents(context: Context, _caller: Agent, customer_id: CustomerId) -> Consents:
    """What a customer agrees to, and every grant and withdrawal, oldest first."""
    with context.database.reading() as connection:
        return _consents(connection, customer_id)


@router.post("/customers/{customer_id}/consents", status_code=201, response_model=Consents)
def record_consent(context: Context, caller: Agent, act: Acting, customer_id: CustomerId, body: Consent) -> Response:
    """Write down that a customer granted or withdrew a purpose, for a channel or for all. Safety can not be withdrawn (409)."""

    def write(connection: Connection) -> Consents:
        customers.get_customer(connection, customer_id)
        now = context.clock.now()
        said = (body.purpose, body.granted, now, "agent")
        consents.record(connection, customer_id, *said, channel=body.channel, by=caller.name)
        return _consents(connection, customer_id)

    detail = {"purpose": body.purpose, "granted": body.granted, "channel": body.channel}
    return act.do(caller, "customer.consent", f"customer:{customer_id}", write, status=201, detail=detail)


class NewLink(BaseModel):
    """What a link is about; without a ticket, the customer's own page: their devices, and what they agree to."""

    model_config = ConfigDict(extra="forbid")

    ticket_id: int | None = None


class MadeLink(BaseModel):
    """A link, shown once: only its hash is kept."""

    url: str
    expires_at: datetime


@router.post("/customers/{customer_id}/links", status_code=201)
def make_link(context: Context, caller: Agent, customer_id: CustomerId, body: NewLink) -> MadeLink:
    """Make a link to a customer's page, for the maker's own app or a letter. Whoever has it can act for the customer there.

    It takes no `Idempotency-Key`: the answer would have to be kept, and with it the link.
    """
    now = context.clock.now()
    expires_at = now + timedelta(days=context.settings.link_days)
    with context.database.transaction() as connection:
        customers.get_customer(connection, customer_id)
        if body.ticket_id is not None and tickets.get(connection, body.ticket_id).customer_id != customer_id:
            raise Conflict("the ticket is not this customer's", where="ticket_id")
        token = customer_links.create(
            connection, customer_id=customer_id, ticket_id=body.ticket_id, expires_at=expires_at
        )
        named = f"customer:{customer_id}"
        audit.note(connection, at=now, actor=caller.name, action="customer.link", object=named, detail={})
    return MadeLink(url=f"{context.settings.public_url.rstrip('/')}/c/{token}", expires_at=expires_at)


class NextOwner(BaseModel):
    """Who has the device next."""

    model_config = ConfigDict(extra="forbid")

    customer_id: Annotated[str, Field(min_length=1, max_length=64)]
    home_id: Annotated[str | None, Field(max_length=64)] = None


class Transfer(BaseModel):
    """Why a device leaves its owner; ``new_owner`` of one that was sold, ``replaced_by`` of one that was swapped."""

    model_config = ConfigDict(extra="forbid")

    reason: Literal["sold", "swapped", "decommissioned", "returned"]
    new_owner: NextOwner | None = None
    replaced_by: Annotated[str | None, Field(pattern=f"^{DEVICE_ID.pattern}$")] = None


@router.post("/devices/{device_id}/transfer", response_model=Transferred)
def transfer_device(caller: Agent, act: Acting, device_id: str, body: Transfer) -> Response:
    """End the ownership of a device: its owner's links, waiting notices and commands end with it, and what they asked for.

    A ticket about the device itself goes on without a person where the device does. A decommissioned device leaves the fleet.
    """
    now = act.context.clock.now()

    def move(connection: Connection) -> Transferred:
        to = body.new_owner
        return transfer.transfer(
            connection,
            device_id,
            body.reason,
            actor=caller.name,
            now=now,
            to=NewOwner(to.customer_id, to.home_id) if to else None,
            replaced_by=body.replaced_by,
            out_of_use=body.reason == "decommissioned",
        )

    return act.do(caller, "device.transfer", f"device:{device_id}", move, audited=False)


def _consents(connection: Connection, customer_id: str) -> Consents:
    customers.get_customer(connection, customer_id)
    holds = consents.standing(connection, customer_id)
    return Consents(
        current=dict(holds.wide),
        channels={
            purpose: {way: holds.allows(purpose, way) for way in consents.CHANNELS} for purpose in consents.PURPOSES
        },
        history=list(consents.history(connection, customer_id)),
    )


def _check_known(connection: Connection, customer_id: str, if_match: int | None) -> None:
    if if_match is None:
        return
    try:
        current = customers.get_customer(connection, customer_id).revision
    except Missing:
        current = 0
    check_revision(current, if_match, f"customer {customer_id}")
