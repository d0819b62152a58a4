"""The customer's page: plain HTML behind a signed link, without login and without scripts. Opening it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from alerts.customers import page as customer
from alerts.customers.page import CustomerView
from alerts.notices.catalogue import choose
from api.context import ApiContext, Context
from api.customer_text import told
from api.customer_words import LANGUAGES, Words
from api.errors import status_of
from api.templating import HEADERS, page
from hearthwatch.errors import Conflict, Denied, HearthwatchError, Invalid, Missing, Unavailable

router = APIRouter(include_in_schema=False)

Token = Annotated[str, Path(min_length=1, max_length=200)]
Lang = Annotated[str | None, Query(max_length=35)]
UTC = ZoneInfo("UTC")

_PROBLEMS: dict[type[HearthwatchError], str] = {
    Conflict: "problem_sent",
    Denied: "problem_old",
    Invalid: "problem_unknown",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at the page: which link, in which language the reader wants it, if they said so."""

    token: str
    wanted: str | None
    accepted: str

    def language(self, own: str | None = None) -> str:
        """The language to speak: the chosen one, else the notice's own, else the browser's."""
        return choose(self.wanted or own or self.accepted or "en")

    def address(self, **query: str) -> str:
        """The page's own address, in the chosen language."""
        chosen = {"lang": self.wanted} if self.wanted else {}
        asked = urlencode({**chosen, **query})
        return f"/c/{self.token}" + (f"?{asked}" if asked else "")


@router.head("/c/{token}")
@router.get("/c/{token}")
def open_page(request: Request, context: Context, token: Token, lang: Lang = None) -> Response:
    """Show the notice, the device and how the ticket is going."""
    visit = _visit(request, token, lang)
    try:
        with context.database.reading() as connection:
            view = customer.view(connection, token, context.clock.now(), context.secret_key)
            return _shown(context, connection, visit, view)
    except HearthwatchError as error:
        return _sorry(context, visit, error)


@router.post("/c/{token}")
def answer_page(
    request: Request,
    context: Context,
    token: Token,
    nonce: Annotated[str, Form(max_length=300)] = "",
    action: Annotated[str, Form(max_length=40)] = "",
    lang: Lang = None,
) -> Response:
    """Do what the button says, once, and show the page as it is then."""
    visit = _visit(request, token, lang)
    try:
        with context.database.transaction() as connection:
            customer.answer(connection, token, nonce, action, context.clock.now(), context.secret_key)
    except (Conflict, Denied, Invalid) as error:
        return _not_done(context, visit, error)
    except HearthwatchError as error:
        return _sorry(context, visit, error)
    return RedirectResponse(visit.address(), status_code=303, headers=HEADERS)


def _visit(request: Request, token: str, lang: str | None) -> Visit:
    accepted = request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
    return Visit(token, lang, accepted[:35])


def _not_done(context: ApiContext, visit: Visit, error: HearthwatchError) -> Response:
    """The page as it is, with a word on why nothing was done."""
    problem = next(key for kind, key in _PROBLEMS.items() if isinstance(error, kind))
    try:
        with context.database.reading() as connection:
            view = customer.view(connection, visit.token, context.clock.now(), context.secret_key)
            return _shown(context, connection, visit, view, problem=problem, status=status_of(error))
    except HearthwatchError as gone:
        return _sorry(context, visit, gone)


def _shown(
    context: ApiContext,
    connection: Connection,
    visit: Visit,
    view: CustomerView,
    *,
    problem: str = "",
    status: int = 200,
) -> Response:
    words = Words(visit.language(view.language), ZoneInfo(view.timezone))
    text = told(connection, view, words.language)
    return page(
        "customer.html",
        status=status,
        words=words,
        view=view,
        headline=text.headline,
        greeting=text.greeting,
        paragraphs=[words.on_the_page(paragraph) for paragraph in text.paragraphs],
        devices=text.devices,
        outcome=_outcome(words, view),
        problem=words("problem", reason=words(problem)) if problem else "",
        form=visit.address(),
        languages=[(name, own, Visit(visit.token, name, "").address()) for name, own in LANGUAGES.items()],
        brand=context.settings.brand_name,
        phone=context.settings.brand_phone,
        privacy=_web_address(context.settings.brand_privacy_url),
    )


def _outcome(words: Words, view: CustomerView) -> str:
    return words(f"answered_{view.answered}") if view.answered in customer.ACTIONS else ""


def _web_address(text: str) -> str:
    return text if text.startswith(("https://", "http://")) else ""


def _sorry(context: ApiContext, visit: Visit, error: HearthwatchError) -> Response:
    """A link that is not good, for whatever reason, looks the same to everybody; a store that is away says so."""
    away = isinstance(error, Unavailable)
    status = status_of(error) if away else status_of(Missing(""))
    words = Words(visit.language(), UTC)
    return page(
        "customer_sorry.html",
        status=status,
        words=words,
        title=words("away" if away else "gone"),
        note=words("away_note" if away else "gone_note"),
        brand=context.settings.brand_name,
        phone=context.settings.brand_phone,
    )
