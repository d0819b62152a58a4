"""Accounts of people and tokens of programs. Passwords and tokens are stored only as hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid, Missing, Unauthenticated
from hearthwatch.records.database import insert_missing, update_at_revision
from hearthwatch.records.tables import tokens, users

ROLES = ("viewer", "engineer", "agent", "technician", "admin")
TOKEN_PREFIX = "hw_"  # noqa: S105  # not a secret: it tells secret scanners whose tokens these are
SHORTEST_PASSWORD = 10

_HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class User:
    """A person's account."""

    name: str
    role: str
    active: bool
    created_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Token:
    """A program's token. ``hint`` is its last four characters, to recognise it by."""

    id: int
    name: str
    role: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    revision: int


_USER = tuple(users.c[name] for name in User.__dataclass_fields__)
_TOKEN = tuple(tokens.c[name] for name in Token.__dataclass_fields__)


def create_user(connection: Connection, name: str, password: str, role: str, now: datetime) -> User:
    """Make an account. Raises `Conflict` when the name is taken, `Invalid` for another role or a password too short."""
    _check_role(role)
    if not name or len(name) > 120 or not name.isprintable():
        raise Invalid("a user's name has 1 to 120 printable characters", where="name")
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(f"a password has at least {SHORTEST_PASSWORD} characters", where="password")
    row = {"name": name, "password_hash": _HASHER.hash(password), "role": role, "created_at": now}
    if not insert_missing(connection, users, [row]):
        raise Conflict("this account exists already", where=name)
    return get_user(connection, name)


def check_password(connection: Connection, name: str, password: str) -> User:
    """Who signs in. Raises `Unauthenticated`, the same and after the same time for a wrong name and a wrong password."""
    query = sa.select(users.c.password_hash).where(users.c.name == name, users.c.active.is_(True))
    stored = connection.execute(query).scalar_one_or_none()
    try:
        _HASHER.verify(stored or _hash_of_nobody(), password)
    except (VerificationError, InvalidHashError):
        stored = None
    if stored is None:
        raise Unauthenticated("the name or the password is wrong")
    return get_user(connection, name)


def get_user(connection: Connection, name: str) -> User:
    """One account. Raises `Missing`."""
    row = connection.execute(sa.select(*_USER).where(users.c.name == name)).mappings().one_or_none()
    if row is None:
        raise Missing("no such account", where=name)
    return User(**row)


def set_active(connection: Connection, name: str, active: bool) -> User:
    """Close an account or open it again. Raises `Missing`."""
    update_at_revision(connection, users, {"name": name}, None, {"active": active})
    return get_user(connection, name)


def any_account(connection: Connection) -> bool:
    """Whether anybody can sign in."""
    return connection.execute(sa.select(sa.exists().where(users.c.active.is_(True)))).scalar_one() is True


def list_users(connection: Connection) -> list[User]:
    """All accounts, by name."""
    return [User(**row) for row in connection.execute(sa.select(*_USER).order_by(users.c.name)).mappings()]


def create_token(
    connection: Connection, name: str, role: str, now: datetime, expires_at: datetime | None = None
) -> str:
    """Make a token; its text is returned this once and stored only as a hash. Raises `Invalid` for another role."""
    _check_role(role)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = {"name": name[:100], "role": role, "token_hash": _digest(secret), "hint": secret[-4:], "created_at": now}
    connection.execute(sa.insert(tokens).values(**row, expires_at=expires_at))
    return secret


def check_token(connection: Connection, secret: str, now: datetime) -> Token:
    """Whose token this is. Raises `Unauthenticated` when it is unknown, expired or revoked.

    The look-up is by a hash of 256 random bits, so its time tells nothing about any token; the comparison takes constant time besides.
    """
    digest = _digest(secret)
    query = sa.select(*_TOKEN, tokens.c.token_hash).where(tokens.c.token_hash == digest)
    row = connection.execute(query).mappings().one_or_none()
    if row is None or not hmac.compare_digest(row["token_hash"], digest):
        raise Unauthenticated("the token is not known")
    token = Token(**{name: row[name] for name in Token.__dataclass_fields__})
    if token.revoked_at is not None:
        raise Unauthenticated("the token was revoked")
    if token.expires_at is not None and token.expires_at <= now:
        raise Unauthenticated("the token has expired")
    return token


def touch_token(connection: Connection, token_id: int, now: datetime) -> None:
    """Note that a token was used."""
    connection.execute(sa.update(tokens).where(tokens.c.id == token_id).values(last_used_at=now))


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens, oldest first."""
    return [Token(**row) for row in connection.execute(sa.select(*_TOKEN).order_by(tokens.c.id)).mappings()]


def revoke_token(connection: Connection, token_id: int, now: datetime) -> None:
    """Make a token worthless. Raises `Missing`."""
    update_at_revision(connection, tokens, {"id": token_id}, None, {"revoked_at": now})


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid(f"a role is one of {', '.join(ROLES)}", where=role)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=1)
def _hash_of_nobody() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))
