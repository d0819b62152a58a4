"""The customer's page over HTTP. Opening it (GET, HEAD) changes nothing; a button (POST with a nonce) acts once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from alerts.customers import choices, opening
from alerts.notices.catalogue import choose
from api.context import ApiContext, Context
from api.customer.look import Farewell, Look, Press, phrase
from api.customer.rendering import note, rendered, sorry
from api.customer.sections import ACTS
from api.customer.sections import choices as choices_section
from api.customer.sent import Sent, SentForm
from api.customer.speech import Speech
from api.errors import status_of
from api.templating import HEADERS
from hearthwatch.errors import Conflict, Denied, HearthwatchError, Invalid
from hearthwatch.records import customer_links, customers
from hearthwatch.records.customers import Customer

router = APIRouter(include_in_schema=False)

Token = Annotated[str, Path(min_length=1, max_length=200)]
Lang = Annotated[str | None, Query(max_length=35)]
LONGEST_PARAMETER = 100
ONE_CLICK = "List-Unsubscribe"
MAIL = "mail"
UNSUBSCRIBED = (
    phrase("You will get no more service mail from us"),
    phrase("We still answer what you ask us, and warn you of dangers. With the link in a letter you can change this."),
)

PROBLEMS: Mapping[type[HearthwatchError], str] = {
    Conflict: phrase("This was sent before, or it is no longer possible. The page below shows how things are now."),
    Denied: phrase("The page was open for too long. Please choose again."),
    Invalid: phrase("Please choose one of the buttons."),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a link: in which language the reader wants it, if they said so, and the address's other parameters."""

    context: ApiContext
    token: str
    wanted: str | None
    accepted: str
    query: Mapping[str, str]

    def language(self, own: str | None = None) -> str:
        """The language to speak: the chosen one, else the customer's own, else the browser's."""
        return choose(self.wanted or own or self.accepted or "en")

    def look(self, connection: Connection) -> Look:
        """What the link shows now. Raises `Missing` or `Denied` for a link that is not good (any more)."""
        now = self.context.clock.now()
        opened = opening.opened(connection, self.token, now)
        own = opened.notice.language if opened.notice else opened.customer.language
        say = Speech(self.language(own), ZoneInfo(opened.timezone))
        path = f"/c/{self.token}"
        return Look(connection, opened, now, say, self.query, self.context.settings, path, self.wanted)


@router.head("/c/{token}")
@router.get("/c/{token}")
def open_page(request: Request, context: Context, token: Token, lang: Lang = None) -> Response:
    """Show the customer what their link is about."""
    return _shown(_visit(request, context, token, lang))


@router.post("/c/{token}")
def press_button(request: Request, context: Context, token: Token, sent: SentForm, lang: Lang = None) -> Response:
    """Do what the button says, once, and show the page as it is then."""
    visit = _visit(request, context, token, lang)

    def press(connection: Connection) -> tuple[Look, str | Farewell | None]:
        look = visit.look(connection)
        return look, _press(visit, look, sent)

    try:
        look, said = context.database.retrying(press)
    except (Conflict, Denied, Invalid) as error:
        return _shown(visit, error)
    except HearthwatchError as error:
        return _sorry(visit, error)
    if isinstance(said, Farewell):
        return note(look.say, context.settings, said.title, said.note)
    address = look.address(**({"said": said} if said else {}))
    return RedirectResponse(address, status_code=303, headers=HEADERS)


@router.head("/c/{token}/unsubscribe")
@router.get("/c/{token}/unsubscribe")
def ask_before_unsubscribing(request: Request, context: Context, token: Token, lang: Lang = None) -> Response:
    """Show what the customer can choose. A person or a mail scanner opened the address; nothing is withdrawn by that."""
    visit = _visit(request, context, token, lang)
    return _shown(replace(visit, query={"step": choices_section.STEP}))


@router.post("/c/{token}/unsubscribe")
def unsubscribe(request: Request, context: Context, token: Token, sent: SentForm, lang: Lang = None) -> Response:
    """Withdraw service notices by mail: what the button of a mail program posts by itself (RFC 8058), so it needs no nonce.

    A link that has run out still withdraws: an old letter's button has to work.
    """
    visit = _visit(request, context, token, lang)
    if sent.field(ONE_CLICK) != "One-Click":
        return _shown(replace(visit, query={"step": choices_section.STEP}), Invalid("this is no one-click request"))

    def withdraw(connection: Connection) -> Customer:
        link = customer_links.of_token(connection, token)
        customer = customers.get_customer(connection, link.customer_id)
        choices.unsubscribe(connection, customer, MAIL, context.clock.now())
        return customer

    try:
        customer = context.database.retrying(withdraw)
    except HearthwatchError as error:
        return _sorry(visit, error)
    say = Speech(visit.language(customer.language), ZoneInfo("UTC"))
    return note(say, context.settings, *UNSUBSCRIBED)


def _press(visit: Visit, look: Look, sent: Sent) -> str | Farewell | None:
    action = sent.field("action")
    found = ACTS.get(action)
    if found is None:
        raise Invalid("there is no such button", where="action")
    section, act = found
    opening.spend(look.connection, look.link, sent.field("nonce"), look.now, visit.context.secret_key)
    said = act(Press(look, action, sent.fields, sent.files))
    return f"{section.name}.{said}" if isinstance(said, str) else said


def _visit(request: Request, context: ApiContext, token: str, lang: str | None) -> Visit:
    accepted = request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
    query = {name: value for name, value in request.query_params.items() if len(value) <= LONGEST_PARAMETER}
    return Visit(context, token, lang, accepted[:35], query)


def _shown(visit: Visit, error: HearthwatchError | None = None) -> Response:
    """The page as it is; with a word on why nothing was done, where that is so."""
    problem = ""
    if error is not None:
        problem = next(sentence for kind, sentence in PROBLEMS.items() if isinstance(error, kind))
    try:
        with visit.context.database.reading() as connection:
            look = visit.look(connection)
            nonce = opening.nonce(look.link, look.now, visit.context.secret_key)
            return rendered(look, nonce, problem=problem, status=status_of(error) if error else 200)
    except HearthwatchError as gone:
        return _sorry(visit, gone)


def _sorry(visit: Visit, error: HearthwatchError) -> Response:
    return sorry(Speech(visit.language(), ZoneInfo("UTC")), visit.context.settings, error)
