"""What people report, by API: reports of agents and of the maker's own app, photos, mail, codes on devices, and likely duplicates."""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.intake import answers, codes, matching, reporting
from alerts.intake.mail.receiving import Incoming, receive
from alerts.intake.matching import Why
from alerts.intake.photos import MOST_PHOTOS, Photo, clean_all
from alerts.intake.report import LONGEST_CONTACT, LONGEST_TEXT, Contact, Report
from api import pictures
from api.acts import Acting
from api.context import Context
from api.evidence import desk, recent_events
from api.paging import Page, Paging
from api.routes.tickets import visible
from api.security import FIELD, PHOTO_READERS, Agent, Caller, Staff, TicketReader, allow
from hearthwatch.errors import Invalid
from hearthwatch.records import aliases, customers, devices, inbound_mails, report_codes, report_photos, reports
from hearthwatch.records.inbound_mails import InboundMail
from hearthwatch.records.report_codes import ReportCode
from hearthwatch.records.report_photos import PhotoFacts
from hearthwatch.records.reports import TicketReport
from hearthwatch.values import Ticket

router = APIRouter(tags=["intake"])

PhotoReader = Annotated[Caller, Depends(allow(*PHOTO_READERS))]
Id = Annotated[int, Path(ge=1, le=2**53)]
DeviceId = Annotated[str, Path(max_length=64)]


class ContactBody(BaseModel):
    """How somebody can be reached."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(max_length=LONGEST_CONTACT)] = None
    email: Annotated[str | None, Field(max_length=LONGEST_CONTACT)] = None
    phone: Annotated[str | None, Field(max_length=40)] = None


class ReportBody(BaseModel):
    """What is wrong, with what, and who says so. ``customer_id`` is believed: the caller has seen to it that it is they.

    ``complaint`` and ``wish`` are ids of docs/intake.md; ``photos`` are JPEG, PNG or WebP files in base64.
    """

    model_config = ConfigDict(extra="forbid")

    device_id: Annotated[str | None, Field(max_length=64)] = None
    customer_id: Annotated[str | None, Field(max_length=64)] = None
    complaint: Annotated[str, Field(max_length=32)] = "other"
    text: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    since: date | None = None
    wish: Annotated[str | None, Field(max_length=16)] = None
    contact: ContactBody = ContactBody()
    language: Annotated[str, Field(max_length=16)] = "en"
    photos: Annotated[list[str], Field(max_length=MOST_PHOTOS)] = []


class TakenReport(BaseModel):
    """What became of a report: its ticket, and whether it was opened for it."""

    report: TicketReport
    ticket: Ticket
    opened: bool


class ReportWithPhotos(BaseModel):
    """A report and its photos, which are at ``/api/v1/report-photos/{id}``."""

    report: TicketReport
    photos: list[PhotoFacts]


class Classification(BaseModel):
    """The failure mode a report is about."""

    model_config = ConfigDict(extra="forbid")

    mode: Annotated[str, Field(min_length=1, max_length=64)]


class Duplicate(BaseModel):
    """A ticket that may be about the same, and why."""

    ticket: Ticket
    why: tuple[Why, ...]


class NewCode(BaseModel):
    """A code to print, shown this once. ``svg`` is its picture."""

    url: str
    svg: str


@router.post("/tickets/reports", status_code=201, response_model=TakenReport)
def report_problem(context: Context, caller: Agent, act: Acting, body: ReportBody) -> Response:
    """Take a report in: into the open ticket of the same device and cause, else into one of its own. The device's evidence is attached."""
    now = context.clock.now()
    report = Report(
        source="api",
        text=body.text,
        complaint=body.complaint,
        since=body.since,
        wish=body.wish,
        photos=_photos(body.photos),
        device_id=body.device_id,
        customer_id=body.customer_id,
        verified=body.customer_id is not None,
        contact=Contact(body.contact.name, body.contact.email, body.contact.phone),
        language=body.language,
        actor=f"customer:{body.customer_id}" if body.customer_id else caller.name,
    )
    with context.database.reading() as connection:
        ids = aliases.ids_of(connection, body.device_id) if body.device_id else []
    events = recent_events(context, ids) if ids else []

    def take(connection: Connection) -> TakenReport:
        _check_owner(connection, body, now)
        done = reporting.report(connection, report, now, events)
        if body.customer_id is None:
            answers.receipt(connection, done.ticket, done.report, desk(context), now)
        return TakenReport(report=done.report, ticket=done.ticket, opened=done.opened)

    return act.do(caller, "report.take", lambda taken: f"ticket:{taken.ticket.id}", take, status=201)


@router.get("/tickets/{ticket_id}/reports")
def list_reports(context: Context, caller: TicketReader, ticket_id: Id) -> Page[ReportWithPhotos]:
    """What people reported on a ticket, oldest first, each with the device as it was then.

    Who only reads tickets gets neither their words nor how to reach them.
    """
    with context.database.reading() as connection:
        visible(connection, caller, ticket_id)
        found = reports.of_ticket(connection, ticket_id)
        if caller.role not in FIELD:
            found = [reports.without_person(one) for one in found]
        pictures_of = report_photos.photos_of(connection, [one.id for one in found])
    return Page(items=[ReportWithPhotos(report=one, photos=pictures_of.get(one.id, [])) for one in found])


@router.get("/tickets/{ticket_id}/duplicates")
def list_duplicates(context: Context, caller: TicketReader, ticket_id: Id) -> Page[Duplicate]:
    """Open tickets that may be about the same, those with most in common first; merging is ``POST /tickets/{id}/merge``."""
    with context.database.reading() as connection:
        ticket = visible(connection, caller, ticket_id)
        found = matching.candidates(connection, ticket, context.clock.now())
    return Page(items=[Duplicate(ticket=one.ticket, why=one.why) for one in found])


@router.post("/reports/{report_id}/classification", response_model=TicketReport)
def classify_report(context: Context, caller: Agent, act: Acting, report_id: Id, body: Classification) -> Response:
    """Say that a report is about another failure mode; so is the request it opened."""
    return act.do(
        caller,
        "report.classify",
        f"report:{report_id}",
        lambda connection: reporting.reclassify(connection, report_id, body.mode, caller.name, context.clock.now()),
        detail={"mode": body.mode},
    )


@router.delete("/reports/{report_id}/person", status_code=200, response_model=TicketReport)
def erase_reporter(context: Context, caller: Agent, act: Acting, report_id: Id) -> Response:
    """Erase what a person wrote in a report, their contact and photos; what it was about stays."""

    def erase(connection: Connection) -> TicketReport:
        reports.forget(connection, report_id, context.clock.now())
        return reports.get(connection, report_id)

    return act.do(caller, "report.erase", f"report:{report_id}", erase)


@router.get("/report-photos/{photo_id}", response_class=Response)
def get_photo(context: Context, caller: PhotoReader, photo_id: Id, small: bool = False) -> Response:
    """A photo as JPEG, or its small copy."""
    with context.database.reading() as connection:
        facts, _ = report_photos.photo(connection, photo_id, thumbnail=True)
        visible(connection, caller, reports.get(connection, facts.report_id).ticket_id)
        return pictures.served(connection, photo_id, small=small)


@router.delete("/report-photos/{photo_id}", status_code=200)
def delete_photo(caller: Agent, act: Acting, photo_id: Id) -> Response:
    """Delete a photo for good."""

    def delete(connection: Connection) -> dict[str, bool]:
        return {"deleted": report_photos.forget_photo(connection, photo_id)}

    return act.do(caller, "report_photo.delete", f"report_photo:{photo_id}", delete)


# -- mail


@router.post("/inbound-mail", status_code=201, response_model=InboundMail)
def take_mail(context: Context, caller: Agent, act: Acting) -> Response:
    """Take in one mail: the body is the mail itself (RFC 5322), as a provider's webhook or a mail server gives it. Twice, it is one."""
    incoming = Incoming("api", desk(context), context.settings.inbound_mail_server)

    def take(connection: Connection) -> InboundMail:
        return receive(connection, act.body, incoming, context.clock.now())

    return act.do(caller, "mail.take", "mail", take, status=201, audited=False)


@router.get("/inbound-mail")
def list_mail(
    context: Context,
    _caller: Agent,
    paging: Paging,
    state: Annotated[Literal["taken", "ignored", "bounce", "quarantined"] | None, Query()] = None,
) -> Page[InboundMail]:
    """Mail that came in and what became of each, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: inbound_mails.list_mails(connection, state=state, after=paging.after_id, limit=limit),
            key=lambda mail: mail.id,
        )


@router.get("/inbound-mail/{mail_id}/raw", response_class=Response)
def get_raw_mail(context: Context, _caller: Agent, mail_id: Id) -> Response:
    """All bytes of a mail in quarantine, to be saved; nothing in it is shown here."""
    with context.database.reading() as connection:
        content = inbound_mails.raw(connection, mail_id)
    headers = {**pictures.HEADERS, "Content-Disposition": f'attachment; filename="mail-{mail_id}.eml"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.post("/inbound-mail/{mail_id}/settle", response_model=InboundMail)
def settle_mail(context: Context, caller: Agent, act: Acting, mail_id: Id) -> Response:
    """Say that a mail in quarantine was seen to."""
    return act.do(
        caller,
        "mail.settle",
        f"mail:{mail_id}",
        lambda connection: inbound_mails.settle(connection, mail_id, caller.name, context.clock.now()),
    )


# -- codes on devices


@router.post("/devices/{device_id}/report-codes", status_code=201, response_model=NewCode)
def make_code(context: Context, caller: Staff, act: Acting, device_id: DeviceId, anew: bool = False) -> Response:
    """Make a code to print on a device: it opens an empty form. ``anew`` withdraws those it had. It is shown this once."""
    now = context.clock.now()

    def make(connection: Connection) -> NewCode:
        (label,) = codes.make(connection, [device_id], context.settings.public_url, caller.name, now, anew=anew)
        return NewCode(url=label.url, svg=codes.svg(label).decode())

    return act.do(caller, "report_code.make", f"device:{device_id}", make, status=201, audited=False)


@router.get("/devices/{device_id}/report-codes")
def list_codes(context: Context, _caller: Staff, device_id: DeviceId) -> Page[ReportCode]:
    """Every code a device had; each by how it begins."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        return Page(items=report_codes.of_device(connection, device_id))


@router.delete("/devices/{device_id}/report-codes/{code_id}", status_code=200)
def revoke_code(context: Context, caller: Staff, act: Acting, device_id: DeviceId, code_id: Id) -> Response:
    """Withdraw a code."""

    def revoke(connection: Connection) -> dict[str, int]:
        now = context.clock.now()
        return {"revoked": report_codes.revoke(connection, device_id, caller.name, now, code_id=code_id)}

    return act.do(caller, "report_code.revoke", f"device:{device_id}", revoke)


def _photos(given: list[str]) -> tuple[Photo, ...]:
    try:
        files = [(f"photo {number}", base64.b64decode(one, validate=True)) for number, one in enumerate(given, 1)]
    except binascii.Error:
        raise Invalid("a photo is base64", where="photos") from None
    return clean_all(files)


def _check_owner(connection: Connection, body: ReportBody, now: datetime) -> None:
    owner = customers.owner_of(connection, body.device_id, now) if body.device_id else None
    if body.customer_id is not None and owner is not None and owner.customer.id != body.customer_id:
        raise Invalid("this device is somebody else's", where="customer_id")
