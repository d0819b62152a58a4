"""What every staff page shares: who may see it, the frame around it, its colours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import run, ui
from nicegui.language import Language

from api.context import ApiContext
from api.pages.language import Speaker, languages, speaker
from api.security import READERS, Person, person_of
from hearthwatch.catalogues import own_name
from hearthwatch.errors import HearthwatchError, Missing, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

NAVIGATION = (
    ("/", "Fleet", "home"),
    ("/releases", "Firmware", "system_update_alt"),
    ("/rollouts", "Roll-outs", "published_with_changes"),
    ("/comparisons", "Comparisons", "compare"),
    ("/backtests", "Backtests", "history"),
    ("/devices", "Devices", "devices_other"),
    ("/findings", "Findings", "troubleshoot"),
    ("/tickets", "Tickets", "build"),
    ("/sla", "Service levels", "timer"),
    ("/notices", "Notices", "mail"),
    ("/campaigns", "Recalls", "report"),
    ("/outbox", "Outbox", "outbox"),
    ("/mail", "Inbound mail", "inbox"),
    ("/knowledge", "Knowledge", "menu_book"),
    ("/feedback", "Feedback to product", "reviews"),
    ("/service-figures", "Service figures", "insights"),
    ("/policy", "Policy", "rule"),
    ("/models", "Models", "model_training"),
    ("/quality", "Data quality", "fact_check"),
)

DISMISS = "✕"
"""The button of a message that stays."""
LIBRARY_LANGUAGES: Mapping[str, Language] = {"en": "en-US", "zh-Hans": "zh-CN", "zh-Hant": "zh-TW"}
"""What NiceGUI calls the languages that its own elements speak."""

STYLE = """
body { background: #f6f5f1; color: #23302e; font-variant-numeric: tabular-nums; }
.q-header { background: #17403c; }
.q-drawer { background: #fbfaf7; }
.hw-card { background: #fff; border: 1px solid #e4e1d8; border-radius: 10px; box-shadow: none; }
.hw-quiet { color: #5d6864; }
.hw-figure { font-size: 1.75rem; line-height: 1.2; font-weight: 600; }
.hw-nav { border-radius: 8px; color: #23302e; text-decoration: none; }
.hw-nav:hover { background: #ece9df; }
.hw-here { background: #dfe9e6; font-weight: 600; }
.q-table th { font-weight: 600; color: #5d6864; }
.hw-article h2 { font-size: 1.05rem; font-weight: 600; margin: .75rem 0 .25rem; }
.hw-article ul, .hw-article ol { padding-left: 1.25rem; list-style: revert; }
.hw-article table { border-collapse: collapse; } .hw-article td, .hw-article th { border: 1px solid #e4e1d8; padding: .25rem .5rem; }
.hw-name { display: inline-block; min-width: 6.5rem; overflow-wrap: anywhere; }
.q-table td a, .hw-link { color: #17605a; text-decoration: none; }
.q-table td a:hover, .hw-link:hover { text-decoration: underline; }
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """One opening of a page: by whom, and with which address."""

    context: ApiContext
    person: Person
    request: Request

    async def load(self, work: Callable[Concatenate[ApiContext, P], T], *given: P.args, **named: P.kwargs) -> T:
        """What ``work(context, ...)`` reads, off the event loop. Raises `Unavailable` when the server is ending."""
        answer = await run.io_bound(work, self.context, *given, **named)
        if answer is None:
            raise Unavailable("the server is ending")
        return answer


Build = Callable[[Visit], Awaitable[None]]

PERSON = "person"
"""Where an open page keeps by whom it was opened."""
PAGE_ROLES: dict[str, frozenset[str]] = {}
"""Who may see each page, by its path."""


def staff_page(context: ApiContext, path: str, title: str, build: Build, roles: Collection[str] = READERS) -> None:
    """Register a page that needs a session of one of some roles.

    A foreseen error becomes a sentence on the page, not a stack trace.
    """
    PAGE_ROLES[path] = frozenset(roles)

    async def guarded(request: Request) -> Response | None:
        person = await run.io_bound(person_of, context, request)
        if person is None:
            return RedirectResponse(f"/login?next={quote(request.url.path)}", status_code=303)
        if person.role not in roles and path == "/":
            return RedirectResponse("/tickets", status_code=303)
        ui.context.client.storage[PERSON] = person
        say = speaker(request)
        _in_language(say, f"{say(title)} · {context.settings.brand_name}")
        with frame(context, person, title, request, say):
            if person.role not in roles:
                sentence(say("This page is not for your role: {role}.", role=say.word(person.role)))
                return None
            try:
                await build(Visit(context, person, request))
            except Missing as missing:
                sentence(_told(say, missing))
            except HearthwatchError as error:
                sentence(say("This page is not available right now: {error}", error=_told(say, error)))
        return None

    ui.page(path, response_timeout=20)(guarded)


def _in_language(say: Speaker, title: str) -> None:
    """The title, the language that the page declares, and with it the words of tables and pickers."""
    ui.page_title(title)
    if say.tag in LIBRARY_LANGUAGES:
        client = ui.context.client
        client.page = copy(client.page)
        client.page.language = LIBRARY_LANGUAGES[say.tag]


def _told(say: Speaker, error: HearthwatchError) -> str:
    said = say.said(error.message)
    return say("{place}: {what}", place=say(error.where), what=said) if error.where else said


@contextmanager
def frame(context: ApiContext, person: Person, title: str, request: Request, say: Speaker) -> Iterator[None]:
    """The header, the navigation and a column for the page's own content."""
    path = request.url.path
    ui.colors(
        primary="#17605a",
        secondary="#96531d",
        accent="#b4692b",
        positive="#2f7d4f",
        negative="#b3362b",
        warning="#8f6110",
    )
    ui.add_css(STYLE)
    with ui.left_drawer(bordered=True).props("width=210 breakpoint=900") as drawer:
        for address, name, icon in NAVIGATION:
            if person.role not in PAGE_ROLES.get(address, ()):
                continue
            here = path == address or (address != "/" and path.startswith(address))
            with (
                ui.link(target=address)
                .classes(f"hw-nav row items-center no-wrap gap-3 w-full q-px-sm q-py-sm {'hw-here' if here else ''}")
                .props('aria-current="page"' if here else "")
            ):
                ui.icon(icon, size="20px")
                ui.label(say(name))
    with ui.header().classes("items-center q-px-md"):
        ui.button(icon="menu", on_click=drawer.toggle).props(f"flat round color=white aria-label={say('Navigation')}")
        ui.label(context.settings.brand_name).classes("text-lg font-semibold")
        ui.space()
        ui.label(f"{person.name} · {say.word(person.role)}").classes("text-sm opacity-80 max-sm:hidden")
        _language_switch(request, say)
        if person.signed_in:
            with ui.element("form").props('method=post action="/logout"'):
                ui.button(say("Sign out")).props("flat dense color=white type=submit")
    with ui.column().classes("w-full max-w-7xl mx-auto q-pa-md gap-4"):
        ui.label(say(title)).classes("text-2xl font-semibold").props("role=heading aria-level=1")
        yield


def _language_switch(request: Request, say: Speaker) -> None:
    here = quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
    for language in languages():
        if language != say.language:
            ui.link(own_name(language), f"/language/{language}?to={here}").classes("text-white text-sm").props(
                f'lang="{language.replace("_", "-")}" hreflang="{language.replace("_", "-")}"'
            )


@contextmanager
def card(title: str = "", note: str = "") -> Iterator[None]:
    """A white card with an optional heading and a quiet line below it."""
    with ui.column().classes("hw-card w-full q-pa-md gap-2"):
        if title:
            ui.label(title).classes("text-base font-semibold").props("role=heading aria-level=2")
        if note:
            ui.label(note).classes("hw-quiet text-sm")
        yield


def figure(name: str, value: str, note: str = "") -> None:
    """One number a person came for."""
    with ui.column().classes("hw-card q-pa-md gap-0 grow basis-36"):
        ui.label(name).classes("hw-quiet text-sm")
        ui.label(value).classes("hw-figure")
        if note:
            ui.label(note).classes("hw-quiet text-xs")


def sentence(text: str) -> None:
    """What a page says instead of an empty table."""
    ui.label(text).classes("hw-quiet")


def facts(pairs: dict[str, str]) -> None:
    """Names and values in two columns."""
    with ui.grid(columns="fit-content(40%) 1fr").classes("gap-x-6 gap-y-1 w-full"):
        for name, value in pairs.items():
            ui.label(name).classes("hw-quiet")
            ui.label(value).classes("break-words min-w-0")


def refused(error: HearthwatchError) -> None:
    """Tell the person that what they asked for was not done, and why."""
    told = _told(speaker(ui.context.client.request), error)
    ui.notify(told, type="negative", multi_line=True, close_button=DISMISS)
