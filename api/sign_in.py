"""Signing in and out: a form that works without JavaScript for the pages, JSON for programs that act for a person."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.context import ApiContext, Context
from api.security import COOKIE, Anyone, check_origin, cookie_options, sign_session
from api.templating import page
from hearthwatch.errors import Throttled, Unauthenticated
from hearthwatch.records import access, audit
from hearthwatch.records.access import User

router = APIRouter(tags=["session"])
pages = APIRouter(include_in_schema=False)

WINDOW = timedelta(minutes=5)
GUESSES = 10
NAMES_REMEMBERED = 10_000


class WhoAmI(BaseModel):
    """The caller as we know them."""

    name: str
    role: str


class Credentials(BaseModel):
    """A person's name and password."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=120)]
    password: Annotated[str, Field(max_length=1000)]


class GuessBrake:
    """Slows guessing: after some wrong passwords for a name from one place, none is looked at for a while."""

    def __init__(self) -> None:
        self._wrong: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def check(self, guesser: str, now: datetime) -> None:
        """Raise `Throttled` while a name at a place has had too many wrong guesses."""
        with self._lock:
            wrong = self._recent(guesser, now)
            if len(wrong) >= GUESSES:
                wait = (wrong[0] + WINDOW - now).total_seconds()
                raise Throttled("too many wrong passwords; wait a little", retry_after=wait)

    def note_wrong(self, guesser: str, now: datetime) -> None:
        """Count a wrong guess."""
        with self._lock:
            wrong = self._recent(guesser, now)
            wrong.append(now)
            self._wrong[guesser] = wrong
            if len(self._wrong) > NAMES_REMEMBERED:
                self._wrong.pop(next(iter(self._wrong)))

    def _recent(self, guesser: str, now: datetime) -> deque[datetime]:
        wrong = self._wrong.get(guesser) or deque(maxlen=GUESSES)
        while wrong and wrong[0] <= now - WINDOW:
            wrong.popleft()
        return wrong


def check_credentials(request: Request, context: ApiContext, name: str, password: str) -> User:
    """Whose name and password these are. Raises `Unauthenticated`, `Throttled`, or `Denied` for another site's form."""
    check_origin(context, request)
    now = context.clock.now()
    brake: GuessBrake = request.app.state.guess_brake
    guesser = f"{name}@{request.client.host if request.client else ''}"  # nobody can lock others out of their accounts
    brake.check(guesser, now)
    try:
        with context.database.transaction() as connection:
            user = access.check_password(connection, name, password)
            audit.note(connection, at=now, actor=user.name, action="session.begin", object=f"user:{user.name}")
    except Unauthenticated:
        brake.note_wrong(guesser, now)
        raise
    return user


# -- for programs


@router.get("/session")
def who_am_i(caller: Anyone) -> WhoAmI:
    """Who the caller is, and their role."""
    return WhoAmI(name=caller.name, role=caller.role)


@router.post("/session", status_code=201, response_model=WhoAmI)
def begin_session(request: Request, response: Response, context: Context, body: Credentials) -> WhoAmI:
    """Sign in; the answer sets a cookie that later requests carry."""
    user = check_credentials(request, context, body.name, body.password)
    response.set_cookie(value=sign_session(context, user, context.clock.now()), **cookie_options(context))
    return WhoAmI(name=user.name, role=user.role)


@router.delete("/session", status_code=204)
def end_session(request: Request, context: Context, response: Response) -> None:
    """Sign out."""
    check_origin(context, request)
    response.delete_cookie(COOKIE, path="/")


# -- for people


@pages.get("/login")
def show_form(context: Context, next: str = "/") -> HTMLResponse:  # noqa: A002  # its name in the address
    """The form."""
    return _form(context, local_path(next), "")


@pages.post("/login")
def sign_in(
    request: Request,
    context: Context,
    name: Annotated[str, Form(max_length=120)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002  # its name in the form
) -> Response:
    """Sign in and go on to the page that was wanted."""
    target = local_path(next)
    try:
        user = check_credentials(request, context, name, password)
    except (Unauthenticated, Throttled) as error:
        return _form(context, target, error.message, status=401 if isinstance(error, Unauthenticated) else 429)
    response = RedirectResponse(target, status_code=303)
    response.set_cookie(value=sign_session(context, user, context.clock.now()), **cookie_options(context))
    return response


@pages.post("/logout")
def sign_out(request: Request, context: Context) -> Response:
    """Sign out and show the form."""
    check_origin(context, request)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(COOKIE, path="/")
    return response


def local_path(target: str) -> str:
    """A place on this site to go on to; whatever leads elsewhere becomes the first page."""
    parts = urlsplit(target)
    harmless = not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if harmless and target.isprintable() and "\\" not in target else "/"


def _form(context: ApiContext, target: str, problem: str, *, status: int = 200) -> HTMLResponse:
    brand = context.settings.brand_name
    return page("login.html", status=status, referrer="same-origin", brand=brand, target=target, problem=problem)
