"""Accounts, tokens, the audit trail and idempotency keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hearthwatch.errors import Conflict, Invalid, Missing, Unauthenticated
from hearthwatch.records import access, audit, idempotency
from hearthwatch.records.database import Database
from hearthwatch.records.tables import tokens, users

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PASSWORD = "correct horse battery"


def test_a_wrong_password_and_a_wrong_name_are_told_the_same(database: Database) -> None:
    with database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, "agent", AT)
        messages = []
        for name, password in (("ann", "wrong"), ("bob", PASSWORD), ("", "")):
            with pytest.raises(Unauthenticated) as caught:
                access.check_password(connection, name, password)
            messages.append(str(caught.value))
    assert len(set(messages)) == 1


def test_a_closed_account_can_not_sign_in_and_is_no_account(database: Database) -> None:
    with database.transaction() as connection:
        assert not access.any_account(connection)
        access.create_user(connection, "ann", PASSWORD, "agent", AT)
        assert access.any_account(connection)
        assert access.check_password(connection, "ann", PASSWORD).role == "agent"
        access.set_active(connection, "ann", active=False)
        assert not access.any_account(connection)
        with pytest.raises(Unauthenticated):
            access.check_password(connection, "ann", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password", "role"),
    [("ann", "short", "agent"), ("ann", PASSWORD, "king"), ("", PASSWORD, "agent"), ("a\nb", PASSWORD, "agent")],
)
def test_an_account_that_could_not_be_used_is_refused(database: Database, name: str, password: str, role: str) -> None:
    with pytest.raises(Invalid), database.transaction() as connection:
        access.create_user(connection, name, password, role, AT)


def test_a_name_is_taken_once(database: Database) -> None:
    with database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, "agent", AT)
        with pytest.raises(Conflict):
            access.create_user(connection, "ann", PASSWORD, "admin", AT)
        assert [(one.name, one.role) for one in access.list_users(connection)] == [("ann", "agent")]


def test_neither_passwords_nor_tokens_are_stored(database: Database) -> None:
    with database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, "agent", AT)
        secret = access.create_token(connection, "ci", "engineer", AT)
        stored = str(connection.execute(sa.select(users)).all()) + str(connection.execute(sa.select(tokens)).all())
    assert secret.startswith("hw_")
    assert secret not in stored
    assert PASSWORD not in stored


@pytest.mark.parametrize("secret", ["", "hw_", "hw_unknown", "\udcff", "x" * 100_000])
def test_an_unknown_token_is_nobodys(database: Database, secret: str) -> None:
    with pytest.raises(Unauthenticated), database.reading() as connection:
        access.check_token(connection, secret, AT)


def test_an_expired_and_a_revoked_token_are_worthless(database: Database) -> None:
    with database.transaction() as connection:
        short = access.create_token(connection, "short", "viewer", AT, expires_at=AT + DAY)
        token = access.check_token(connection, short, AT)
        assert (token.name, token.role, token.hint) == ("short", "viewer", short[-4:])
        with pytest.raises(Unauthenticated, match="expired"):
            access.check_token(connection, short, AT + DAY)
        access.touch_token(connection, token.id, AT)
        access.revoke_token(connection, token.id, AT)
        with pytest.raises(Unauthenticated, match="revoked"):
            access.check_token(connection, short, AT)
        (listed,) = access.list_tokens(connection)
        assert (listed.revoked_at, listed.last_used_at) == (AT, AT)
        with pytest.raises(Missing):
            access.revoke_token(connection, 99, AT)


def test_the_audit_trail_tells_who_did_what_to_which_thing(database: Database) -> None:
    with database.transaction() as connection:
        audit.note(connection, at=AT, actor="ann", action="acknowledge", object="finding:1", detail={"note": "x"})
        audit.note(connection, at=AT, actor="a" * 500, action="mute", object="finding:2")
        newest, oldest = audit.list_entries(connection)
        assert (newest.object, len(newest.actor), newest.detail) == ("finding:2", 120, {})
        assert (
            audit.list_entries(connection, about="finding:1")
            == audit.list_entries(connection, after=newest.id)
            == [oldest]
        )


def test_a_key_used_for_another_request_is_a_conflict(database: Database) -> None:
    with database.transaction() as connection:
        assert idempotency.find(connection, "k", "ann", "digest") is None
        idempotency.keep(connection, "k", "ann", "digest", status=201, response={"id": 1}, at=AT)
        found = idempotency.find(connection, "k", "ann", "digest")
        assert found is not None
        assert (found.status, found.response) == (201, {"id": 1})
        assert idempotency.find(connection, "k", "bob", "other") is None
        with pytest.raises(Conflict, match="another request"):
            idempotency.find(connection, "k", "ann", "other")
        assert idempotency.forget(connection, AT + DAY) == 1
