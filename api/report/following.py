"""How a report goes, for whoever has the letter about it: their own words and pictures, and the state, nothing of the device's owner."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Path, Query
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from alerts.intake import nonces, reporting
from alerts.notices.catalogue import choose
from alerts.tickets import conversation
from api import pictures
from api.context import ApiContext, Context
from api.customer.look import phrase
from api.customer.sections.progress import STATES
from api.customer.speech import Speech
from api.errors import status_of
from api.report import pages
from api.report.pages import Line
from api.templating import HEADERS
from hearthwatch.errors import Conflict, Denied, HearthwatchError, Invalid, Missing
from hearthwatch.records import report_photos, reports, ticket_messages
from hearthwatch.records.reports import TicketReport
from hearthwatch.values import Ticket

router = APIRouter(include_in_schema=False)

Token = Annotated[str, Path(min_length=1, max_length=200)]
Lang = Annotated[str | None, Query(max_length=35)]
WRITTEN = phrase("Thank you. We have added it to your report.")
PROBLEMS = {
    Conflict: phrase("This is settled. Please report it anew if it comes back."),
    Denied: phrase("The form was open for too long. Please send it once more."),
    Invalid: phrase("Please write something, at most 4,000 characters."),
}


@router.head("/r/follow/{token}")
@router.get("/r/follow/{token}")
def follow(context: Context, token: Token, lang: Lang = None, written: bool = False) -> Response:
    """Show how a report goes."""
    return _shown(context, token, lang, done=WRITTEN if written else "")


@router.post("/r/follow/{token}")
def add(
    context: Context,
    token: Token,
    lang: Lang = None,
    text: Annotated[str, Form(max_length=20_000)] = "",
    nonce: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Add to a report."""
    now = context.clock.now()

    def work(connection: Connection) -> None:
        report = reports.followed(connection, token, now)
        nonces.check(_door(report), nonce, now, context.secret_key)
        reporting.add_words(connection, report, text.replace("\x00", "").replace("\r\n", "\n"), now)

    try:
        context.database.retrying(work)
    except (Conflict, Invalid) as error:
        return _shown(context, token, lang, problem=error)
    except Denied as error:
        return _shown(context, token, lang, problem=error)
    except HearthwatchError as error:
        return pages.sorry(context, choose(lang or "en"), error)
    chosen = f"&lang={lang}" if lang in {"en", "zh_Hans"} else ""
    return RedirectResponse(f"/r/follow/{token}?written=true{chosen}", status_code=303, headers=HEADERS)


@router.get("/r/follow/{token}/photos/{photo_id}")
def show_picture(
    context: Context,
    token: Token,
    photo_id: Annotated[int, Path(ge=1, le=2**53)],
    small: bool = False,
) -> Response:
    """A picture of the report itself."""
    with context.database.reading() as connection:
        report = reports.followed(connection, token, context.clock.now())
        if photo_id not in {one.id for one in report_photos.photos_of(connection, [report.id]).get(report.id, ())}:
            raise Missing("no such photo")
        return pictures.served(connection, photo_id, small=small)


def _door(report: TicketReport) -> str:
    return f"follow:{report.id}"


def _shown(
    context: ApiContext, token: str, lang: str | None, *, done: str = "", problem: HearthwatchError | None = None
) -> Response:
    now = context.clock.now()
    try:
        with context.database.reading() as connection:
            report = reports.followed(connection, token, now)
            ticket = conversation.surviving(connection, report.ticket_id)
            say = Speech(choose(lang or report.language), ZoneInfo("UTC"))
            lines = _lines(connection, say, report, ticket)
            photos = [one.id for one in report_photos.photos_of(connection, [report.id]).get(report.id, ())]
    except HearthwatchError as error:
        return pages.sorry(context, choose(lang or "en"), error)
    sentence = next((words for kind, words in PROBLEMS.items() if isinstance(problem, kind)), "")
    return pages.followed(
        context,
        say,
        f"/r/follow/{token}",
        number=report.id,
        standing=say(STATES.get(ticket.state, STATES["open"])),
        lines=lines,
        pictures=photos,
        can_write=ticket.state != "closed",
        nonce=nonces.make(_door(report), now, context.secret_key),
        done=say(done) if done else "",
        problem=say(sentence) if sentence else "",
        status=status_of(problem) if problem else 200,
    )


def _lines(connection: Connection, say: Speech, report: TicketReport, ticket: Ticket) -> list[Line]:
    """Their own words, and the answers where the ticket is theirs alone: what is written to an owner is not a stranger's to read."""
    theirs = {report.message_id}
    return [
        Line(say.moment(one.at), one.text, one.direction == "out")
        for one in ticket_messages.of_ticket(connection, ticket.id)
        if one.id in theirs
        or one.author == f"reporter:{report.id}"
        or (one.direction == "out" and ticket.customer_id is None and one.at >= report.at)
    ]
