"""The form over HTTP. Opening it (GET, HEAD) changes nothing; sent once, it is one report however often it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from alerts.intake import answers, brakes, nonces, reporting
from alerts.intake.reporting import Reported
from alerts.notices.catalogue import choose
from api.context import ApiContext, Context
from api.customer.sent import Sent
from api.evidence import desk, recent_events
from api.report import doors, form, pages
from api.report.doors import Door
from api.report.form import Problem, ReportForm
from api.templating import HEADERS
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import aliases, customer_links, reports
from hearthwatch.records.reports import TicketReport

router = APIRouter(include_in_schema=False)

Code = Annotated[str, Path(min_length=1, max_length=200)]
Lang = Annotated[str | None, Query(max_length=35)]

Opener = Callable[[Connection], Door]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who stands at a door: in which language, from which place, and the code they scanned, if they scanned one."""

    context: ApiContext
    opener: Opener
    wanted: str | None
    accepted: str
    address: str
    code: str | None = None

    def language(self, own: str | None = None) -> str:
        """The language to speak: the chosen one, else the customer's own, else the browser's."""
        return choose(self.wanted or own or self.accepted or "en")


@router.head("/r/{code}")
@router.get("/r/{code}")
def open_by_code(request: Request, context: Context, code: Code, lang: Lang = None) -> Response:
    """Show the empty form of a code."""
    return _opened(_at_code(request, context, code, lang))


@router.post("/r/{code}")
def send_by_code(request: Request, context: Context, code: Code, sent: ReportForm, lang: Lang = None) -> Response:
    """Take what a stranger reports."""
    return _sent(_at_code(request, context, code, lang), sent)


@router.get("/r/{code}/sent")
def thank_by_code(request: Request, context: Context, code: Code, lang: Lang = None) -> Response:
    """Say thank you."""
    return _thanked(_at_code(request, context, code, lang), request)


@router.head("/c/{token}/report")
@router.get("/c/{token}/report")
def open_by_link(request: Request, context: Context, token: Code, lang: Lang = None) -> Response:
    """Show a customer the form."""
    return _opened(_at_link(request, context, token, lang))


@router.post("/c/{token}/report")
def send_by_link(request: Request, context: Context, token: Code, sent: ReportForm, lang: Lang = None) -> Response:
    """Take what a customer reports."""
    return _sent(_at_link(request, context, token, lang), sent)


@router.get("/c/{token}/report/sent")
def thank_by_link(request: Request, context: Context, token: Code, lang: Lang = None) -> Response:
    """Say thank you."""
    return _thanked(_at_link(request, context, token, lang), request)


def _at_code(request: Request, context: ApiContext, code: str, lang: str | None) -> Visitor:
    return Visitor(
        context, lambda connection: doors.by_code(connection, code), lang, _accepted(request), _address(request), code
    )


def _at_link(request: Request, context: ApiContext, token: str, lang: str | None) -> Visitor:
    now = context.clock.now()
    return Visitor(
        context, lambda connection: doors.by_link(connection, token, now), lang, _accepted(request), _address(request)
    )


def _accepted(request: Request) -> str:
    return request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()[:35]


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _opened(visitor: Visitor, sent: Sent | None = None, problem: Problem | None = None) -> Response:
    """The form: empty, or as it was sent, with what is wrong with it."""
    context = visitor.context
    try:
        with context.database.reading() as connection:
            door = visitor.opener(connection)
    except HearthwatchError as error:
        return _sorry(visitor, error)
    nonce = nonces.make(door.name, context.clock.now(), context.secret_key)
    return pages.form(context, door, visitor.language(door.language), visitor.wanted, nonce, sent, problem)


def _sent(visitor: Visitor, sent: Sent | None) -> Response:
    if sent is None or not sent.readable:
        return _opened(visitor, None, form.TOO_LARGE)
    try:
        with visitor.context.database.reading() as connection:
            door = visitor.opener(connection)
        done = _take(visitor, door, sent)
    except HearthwatchError as error:
        problem = form.problem_of(error)
        if problem is not None:
            return _opened(visitor, sent, problem)
        return _sorry(visitor, error)
    chosen = {"lang": visitor.wanted} if visitor.wanted else {}
    told = {"n": str(done.report.id)} if done else {}
    danger = {"danger": "1"} if done and done.report.danger else {}
    mail = {"mail": "1"} if done and door.strangers and done.report.contact_email else {}
    further = {"go": done.link} if done and done.link else {}
    return RedirectResponse(
        f"{door.path}/sent?{urlencode({**chosen, **told, **danger, **mail, **further})}",
        status_code=303,
        headers=HEADERS,
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """A report that was taken. ``link`` is the token of the ticket's own page, for its customer."""

    report: TicketReport
    link: str | None = None


def _take(visitor: Visitor, door: Door, sent: Sent) -> _Taken | None:
    """Take a form in; None for one that a program filled in, which is told the same as a person."""
    context = visitor.context
    now = context.clock.now()
    once = nonces.check(door.name, sent.field("nonce"), now, context.secret_key)
    if sent.field(form.HONEYPOT):
        return None
    device_id = door.device(sent.field("device"))
    brake, place = _brake(visitor, door)
    with context.database.reading() as connection:
        known = reports.sent_by(connection, once) is not None
        ids = aliases.ids_of(connection, device_id) if device_id else []
        if not known:
            brakes.check(connection, brake, place, now)
    report = form.read(sent, "qr" if door.strangers else "page", strangers=door.strangers)
    report = replace(
        report,
        device_id=device_id,
        customer_id=door.customer_id,
        verified=not door.strangers,
        language=visitor.language(door.language),
        once=once,
    )
    events = recent_events(context, ids) if ids and not known else []

    def work(connection: Connection) -> _Taken:
        visitor.opener(connection)  # the code or link may have been withdrawn meanwhile
        done = reporting.report(connection, report, now, events)
        if not done.again:
            brakes.count(connection, brake, place, now)
        if visitor.code is not None and not done.again:
            answers.receipt(connection, done.ticket, done.report, desk(context), now)
        return _Taken(done.report, _link(connection, context, door, done))

    return context.database.retrying(work)


def _brake(visitor: Visitor, door: Door) -> tuple[str, str]:
    """What a report is counted by: a code and the place it comes from; a customer whatever link they have, and wherever they are."""
    secret_key = visitor.context.secret_key
    if visitor.code is not None:
        return visitor.code, brakes.place_of(visitor.address, secret_key)
    name = f"customer:{door.customer_id}"
    return name, brakes.place_of(name, secret_key)


def _link(connection: Connection, context: ApiContext, door: Door, done: Reported) -> str | None:
    """A link to the ticket's page for the customer whose ticket it is: there it says what they can try, and how it goes."""
    if door.customer_id is None or done.ticket.customer_id != door.customer_id:
        return None
    until = context.clock.now() + timedelta(days=context.settings.link_days)
    return customer_links.create(connection, customer_id=door.customer_id, ticket_id=done.ticket.id, expires_at=until)


def _sorry(visitor: Visitor, error: HearthwatchError) -> Response:
    return pages.sorry(visitor.context, visitor.language(), error, of_code=visitor.code is not None)


def _thanked(visitor: Visitor, request: Request) -> Response:
    context = visitor.context
    try:
        with context.database.reading() as connection:
            door = visitor.opener(connection)
    except HearthwatchError as error:
        return _sorry(visitor, error)
    query = request.query_params
    number = query.get("n", "")
    return pages.thanks(
        context,
        door,
        visitor.language(door.language),
        visitor.wanted,
        number=number if number.isascii() and number.isdecimal() and len(number) < 16 else "",
        danger=query.get("danger") == "1",
        mail=query.get("mail") == "1",
        ticket=_token(query.get("go", "")),
    )


def _token(text: str) -> str:
    """A link's token, and nothing that could lead elsewhere."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]{20,100}", text) else ""
