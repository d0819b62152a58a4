"""Who calls, and what they may do: tokens of programs, sessions of people, and this machine alone while there is no account."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from api.context import ApiContext, Context
from hearthwatch.errors import Denied, Missing, Unauthenticated
from hearthwatch.records import access

COOKIE = "hearthwatch_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TOUCH_EVERY = timedelta(days=1)

EVERYONE = ("viewer", "engineer", "agent", "technician", "admin")
READERS = ("viewer", "engineer", "agent", "admin")
ENGINEERS = ("engineer", "admin")
AGENTS = ("agent", "admin")
STAFF = ("engineer", "agent", "admin")
FIELD = ("agent", "technician", "admin")
TICKET_READERS = ("viewer", "engineer", "agent", "technician", "admin")
PHOTO_READERS = ("engineer", "agent", "technician", "admin")
ADMINS = ("admin",)

_FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. ``name`` is an account's; tokens are ``token:<name>``, this machine without accounts is ``local``."""

    name: str
    role: str
    by: Literal["token", "session", "local"]

    @property
    def signed_in(self) -> bool:
        """Whether a person signed in, and so can sign out."""
        return self.by == "session"


Person = Caller
"""The caller as the pages know one: whoever sits at the screen."""


def identify(context: ApiContext, connection: HTTPConnection) -> Caller:
    """Who makes this request. Raises `Unauthenticated`, or `Denied` for a write that another site's page tries through a browser."""
    header = connection.headers.get("authorization")
    if header is not None:
        return _token_caller(context, header)
    cookie = connection.cookies.get(COOKIE)
    if cookie is not None:
        caller = session_caller(context, cookie)
        if caller is not None:
            check_origin(context, connection)
            return caller
    if _nobody_has_to_sign_in(connection, context):
        check_origin(context, connection)
        return Caller("local", "admin", "local")
    raise Unauthenticated("who are you")


def person_of(context: ApiContext, request: HTTPConnection) -> Person | None:
    """Who opens a page; None for one who has to sign in first. Programs' tokens open no pages. Raises `Denied` as `identify`."""
    if "authorization" in request.headers:
        return None
    try:
        return identify(context, request)
    except Unauthenticated:
        return None


def _token_caller(context: ApiContext, header: str) -> Caller:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("the Authorization header is not: Bearer <token>")
    now = context.clock.now()
    with context.database.reading() as connection:
        token = access.check_token(connection, secret.strip(), now)
    if token.last_used_at is None or now - token.last_used_at >= TOUCH_EVERY:
        with context.database.transaction(alone=False) as connection:
            access.touch_token(connection, token.id, now)
    return Caller(f"token:{token.name}", token.role, "token")


# -- sessions


def sign_session(context: ApiContext, user: access.User, now: datetime) -> str:
    """The cookie of a person who has signed in; it runs out after the settings' ``session_hours``."""
    until = now + timedelta(hours=context.settings.session_hours)
    return _signer(context).dumps({"name": user.name, "until": until.timestamp()})


def session_caller(context: ApiContext, cookie: str) -> Caller | None:
    """Whose session a cookie is; None when it was forged, has run out, or the account is closed."""
    try:
        session: dict[str, Any] = _signer(context).loads(cookie)
    except BadSignature:
        return None
    if session["until"] <= context.clock.now().timestamp():
        return None
    with context.database.reading() as connection:
        user = _user(connection, session["name"])
    return Caller(user.name, user.role, "session") if user is not None and user.active else None


def cookie_options(context: ApiContext) -> dict[str, Any]:
    """How the session's cookie is set: out of reach of scripts and of other sites."""
    return {
        "key": COOKIE,
        "httponly": True,
        "samesite": "lax",
        "secure": context.settings.public_url.startswith("https:"),
        "path": "/",
    }


def _signer(context: ApiContext) -> URLSafeSerializer:
    return URLSafeSerializer(context.secret_key, salt="session")


def _user(connection: Connection, name: str) -> access.User | None:
    try:
        return access.get_user(connection, name)
    except Missing:
        return None


# -- this machine


def is_local(connection: HTTPConnection) -> bool:
    """Whether a request was made on this machine to this machine's own name, and not handed on by a proxy.

    The host's name is checked because a page of any site can let its own name point to 127.0.0.1 (DNS rebinding).
    """
    client = connection.client
    return (
        client is not None
        and is_loopback(client.host)
        and is_loopback(connection.url.hostname or "")
        and not any(name in connection.headers for name in _FORWARDING)
    )


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _nobody_has_to_sign_in(connection: HTTPConnection, context: ApiContext) -> bool:
    if not is_loopback(context.settings.host) or not is_local(connection):
        return False
    with context.database.reading() as records:
        return not access.any_account(records)


def check_origin(context: ApiContext, connection: HTTPConnection) -> None:
    """Raise `Denied` for a write, or a websocket, that a page of another origin asks a person's browser for."""
    if connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS:
        return
    origin = connection.headers.get("origin")
    site = connection.headers.get("sec-fetch-site", "same-origin")
    foreign = origin is not None and origin.lower() not in _own_origins(context, connection)
    if foreign or site not in {"same-origin", "none"}:
        raise Denied("a page of another site can not act here", where="Origin")


def _own_origins(context: ApiContext, connection: HTTPConnection) -> set[str]:
    scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
    public = urlsplit(context.settings.public_url)
    here = f"{scheme}://{connection.headers.get('host', '')}"
    return {here.lower(), f"{public.scheme}://{public.netloc}".lower()}


# -- roles


def allow(*roles: str) -> Callable[..., Caller]:
    """A dependency that lets only some roles pass. Raises `Denied` for any other."""

    def check(request: Request, context: Context) -> Caller:
        caller = identify(context, request)
        permit(caller, *roles)
        return caller

    return check


def permit(caller: Caller, *roles: str) -> None:
    """Raise `Denied` when the caller has none of these roles."""
    if caller.role not in roles:
        raise Denied(f"this needs the role {' or '.join(roles)}; {caller.name} is {caller.role}")


Reader = Annotated[Caller, Depends(allow(*READERS))]
TicketReader = Annotated[Caller, Depends(allow(*TICKET_READERS))]
Engineer = Annotated[Caller, Depends(allow(*ENGINEERS))]
Agent = Annotated[Caller, Depends(allow(*AGENTS))]
Staff = Annotated[Caller, Depends(allow(*STAFF))]
FieldWorker = Annotated[Caller, Depends(allow(*FIELD))]
Admin = Annotated[Caller, Depends(allow(*ADMINS))]
Anyone = Annotated[Caller, Depends(allow(*EVERYONE))]
