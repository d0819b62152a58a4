"""What customers agreed to: the newest word counts, the narrower before the wider, and nothing is ever overwritten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import consents
from hearthwatch.records.consents import CHANNELS, PURPOSES, Standing
from hearthwatch.records.database import Database

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)

Word = tuple[str, bool, str | None]


def say(database: Database, *words: Word, customer: str = "c-1", source: str = "page") -> Standing:
    """Words of a customer, a day apart; what then holds."""
    with database.transaction() as connection:
        before = len(consents.history(connection, customer))
        for day, (purpose, granted, channel) in enumerate(words, before):
            consents.record(connection, customer, purpose, granted, AT + day * DAY, source, channel=channel)
        return consents.standing(connection, customer)


def test_a_purpose_or_channel_outside_the_list_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="curiosity"):
        say(database, ("curiosity", True, None))
    with pytest.raises(Invalid, match="pigeon"):
        say(database, ("service", True, "pigeon"))


def test_safety_can_not_be_withdrawn(database: Database) -> None:
    for channel in (None, "mail"):
        with pytest.raises(Conflict, match="warn of dangers"):
            say(database, ("safety", False, channel))
    assert say(database).allows("safety", "mail")


def test_without_a_word_there_is_no_consent(database: Database) -> None:
    holds = say(database)
    assert not any(holds.allows(purpose, channel) for purpose in PURPOSES[1:] for channel in (None, *CHANNELS))


def test_the_newest_word_counts_and_every_word_is_kept(database: Database) -> None:
    holds = say(database, ("service", True, None), ("service", True, None), ("service", False, None))
    assert not holds.allows("service", "mail")
    with database.reading() as connection:
        assert consents.current(connection, "c-1") == {"service": False}
        assert [one.granted for one in consents.history(connection, "c-1")] == [True, False]


def test_who_does_not_want_mail_may_still_be_written_to_by_other_ways(database: Database) -> None:
    holds = say(database, ("service", True, None), ("service", False, "mail"))
    assert not holds.allows("service", "mail")
    assert holds.allows("service", "push")
    assert holds.allows("service"), "what is no message is not asked about a channel"


def test_agreeing_in_general_does_not_bring_back_the_channel_that_was_withdrawn(database: Database) -> None:
    holds = say(database, ("service", False, "mail"), ("service", True, None))
    assert not holds.allows("service", "mail")
    assert holds.allows("service", "sms")


def test_withdrawing_everything_ends_what_was_granted_for_one_channel(database: Database) -> None:
    holds = say(database, ("marketing", True, "mail"), ("marketing", False, None))
    assert not holds.allows("marketing", "mail")
    assert say(database, ("marketing", True, "mail")).allows("marketing", "mail")


def test_it_is_known_how_and_by_whom_a_word_came(database: Database) -> None:
    with database.transaction() as connection:
        consents.record(connection, "c-1", "service", True, AT, "agent", by="ann")
        consents.record(connection, "c-1", "service", False, AT + DAY, "unsubscribe", channel="mail", by="customer:c-1")
        told = [(one.source, one.by, one.channel) for one in consents.history(connection, "c-1")]
    assert told == [("agent", "ann", None), ("unsubscribe", "customer:c-1", "mail")]


def test_a_list_does_not_overrule_a_withdrawal_and_writes_only_what_is_new(database: Database) -> None:
    say(database, ("service", True, None))
    say(database, ("service", False, None), ("marketing", False, "mail"), customer="c-2")
    grants = [
        ("c-1", "service", None),
        ("c-2", "service", None),
        ("c-2", "safety", None),
        ("c-2", "safety", None),
        ("c-2", "marketing", "mail"),
        ("c-3", "service", "sms"),
    ]
    with database.transaction() as connection:
        assert consents.grant_many(connection, grants, AT + DAY, "import") == 2
        assert consents.grant_many(connection, grants, AT + 2 * DAY, "import") == 2
        assert consents.current(connection, "c-2") == {"service": False, "safety": True}
        assert [len(consents.history(connection, one)) for one in ("c-1", "c-2", "c-3")] == [1, 3, 1]
        assert consents.standing(connection, "c-3").allows("service", "sms")


words = st.lists(
    st.tuples(st.sampled_from(PURPOSES[1:]), st.booleans(), st.sampled_from((None, *CHANNELS))), max_size=12
)


@given(words, st.sampled_from(PURPOSES[1:]), st.sampled_from(CHANNELS))
def test_what_holds_for_a_channel_is_its_own_newest_word_since_all_was_withdrawn_else_the_word_about_all(
    said: list[Word], purpose: str, channel: str
) -> None:
    holds = Standing()
    for word in said:
        holds = holds.after(*word)
    about = [(granted, where) for what, granted, where in said if what == purpose and where in {None, channel}]
    ended = max((place for place, word in enumerate(about) if word == (False, None)), default=-1)
    own = [granted for granted, where in about[ended + 1 :] if where == channel]
    general = [granted for granted, where in about if where is None]
    assert holds.allows(purpose, channel) == (own[-1] if own else general[-1] if general else False)


@given(words, st.sampled_from(PURPOSES[1:]))
def test_after_withdrawing_everything_nothing_is_left_of_a_purpose(said: list[Word], purpose: str) -> None:
    holds = Standing()
    for word in [*said, (purpose, False, None)]:
        holds = holds.after(*word)
    assert not any(holds.allows(purpose, channel) for channel in (None, *CHANNELS))
