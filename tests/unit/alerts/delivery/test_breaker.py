"""A provider that is down: one probe asks, the others wait without losing an attempt, and no other channel notices."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from alerts import delivery
from alerts.channels.outcomes import Busy, NoAnswer, TryLater
from alerts.delivery import breaker, people
from alerts.delivery.breaker import BREAK_AFTER, FIRST_OPEN, LONGEST_OPEN
from alerts.delivery.patience import FIRST_PAUSE, LEAST_PAUSE, LONGEST_PAUSE, pause
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.records import delivery_channels, outbox
from hearthwatch.records.delivery_attempts import OUTCOMES
from hearthwatch.records.delivery_channels import ChannelState
from hearthwatch.records.tables import outbox as table
from tests.unit.alerts.world import NOON, RecordingChannel, World


class Server(RecordingChannel):
    """A provider that is down until it is told to be up, and counts how often it was asked."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name)
        self.error: Exception | None = error
        self.asked = 0

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        super().deliver(address=address, subject=subject, text=text, html=html, key=key)


def letters(world: World, count: int, channel: str = "mail", prefix: str = "l") -> None:
    with world.database.transaction() as connection:
        for number in range(count):
            outbox.put(
                connection,
                kind="letter",
                channel=channel,
                address="mailto:kim@home.example" if channel == "mail" else f"{channel}:kim",
                payload={"subject": "s", "text": "t", "html": ""},
                key=f"{prefix}:{channel}:{number}",
                now=world.now,
            )


def down(world: World, name: str = "mail", error: Exception | None = None) -> Server:
    server = Server(name, error or Unavailable("no route"))
    world.channels[name] = server
    return server


def state(world: World, name: str = "mail") -> ChannelState:
    with world.database.reading() as connection:
        return delivery_channels.get(connection, name)


def test_a_hundred_letters_do_not_each_wait_for_a_dead_server(world: World) -> None:
    server = down(world)
    letters(world, 100)
    assert world.deliver() == {"retried": BREAK_AFTER}
    assert server.asked == BREAK_AFTER
    assert world.deliver() == {}, "nothing while its breaker is open"
    assert sum(item.attempts for item in world.outbox()) == BREAK_AFTER, "who waits has lost no attempt"


def test_one_probe_asks_and_the_rest_follow_where_it_succeeds(world: World) -> None:
    server = down(world)
    letters(world, 40)
    world.deliver()
    world.clock.advance(FIRST_OPEN)
    assert world.deliver() == {"retried": 1}, "a probe that fails keeps the breaker open"
    assert server.asked == BREAK_AFTER + 1
    assert state(world).open_until == world.now + 2 * FIRST_OPEN, "and for longer"
    server.error = None
    world.clock.advance(LONGEST_PAUSE)
    assert world.deliver() == {"delivered": 40}
    assert len({sent["key"] for sent in server.sent}) == 40
    assert not state(world).is_open
    assert state(world).failures == 0


def test_other_channels_do_not_wait_for_a_dead_one(world: World) -> None:
    down(world)
    sms = RecordingChannel("sms")
    world.channels["sms"] = sms
    letters(world, 30)
    letters(world, 30, "sms")
    assert world.deliver() == {"retried": BREAK_AFTER, "delivered": 30}


def test_a_slow_channel_gives_the_others_their_turn(world: World) -> None:
    """Each letter of the slow channel takes a minute; those of the other do not wait until all of them are gone."""
    order: list[str] = []

    class Timed(RecordingChannel):
        def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
            order.append(self.name)
            passed[0] += 8.0 if self.name == "a-slow" else 0.0

    passed = [0.0]
    world.channels |= {"a-slow": Timed("a-slow"), "quick": Timed("quick")}
    letters(world, 6, "a-slow")
    letters(world, 2, "quick")
    delivery.deliver(world.database, world.channels, world.now, worker="test", monotonic=lambda: passed[0])
    assert order[:5] == ["a-slow"] * 3 + ["quick"] * 2
    assert order.count("a-slow") == 6


def test_a_receiver_who_is_refused_or_put_off_says_nothing_against_the_provider(world: World) -> None:
    for error in (Refused("no such user"), TryLater("mailbox full")):
        down(world, error=error)
        letters(world, 10, prefix=type(error).__name__)
        world.deliver()
        assert not state(world).is_open


def test_timeouts_open_it_too_and_are_sent_again_under_their_keys(world: World) -> None:
    server = down(world, error=NoAnswer("no answer in time"))
    letters(world, 10)
    assert world.deliver() == {"retried": BREAK_AFTER}
    assert [item.outcome for item in world.outbox() if item.attempts] == ["timeout"] * BREAK_AFTER
    server.error = None
    world.clock.advance(LONGEST_PAUSE)
    assert world.deliver() == {"delivered": 10}


def test_a_provider_that_asks_to_wait_is_not_asked_before(world: World) -> None:
    server = down(world, error=Busy("answered 429", retry_after=600))
    letters(world, 10)
    assert world.deliver() == {"retried": 1}
    assert state(world).open_until == world.now + timedelta(seconds=600)
    server.error = None
    world.clock.advance(timedelta(seconds=599))
    assert world.deliver() == {}
    world.clock.advance(timedelta(seconds=1))
    assert world.deliver() == {"delivered": 10}


def test_a_letter_behind_a_breaker_is_given_up_in_its_time_without_an_attempt(world: World) -> None:
    server = down(world)
    letters(world, 200)
    began = world.now
    while world.now - began < timedelta(hours=45):
        world.deliver()
        world.pass_time(hours=1)
    assert {item.state for item in world.outbox()} == {"failed"}
    assert server.asked < 60, "one probe at a time"
    assert all("given up" in str(item.last_error) for item in world.outbox())


def test_a_person_pauses_one_channel_alone_and_its_time_counts_from_when_it_goes_on(world: World) -> None:
    world.channels["sms"] = RecordingChannel("sms")
    letters(world, 3)
    letters(world, 2, "sms")
    with world.database.transaction() as connection:
        people.pause_channel(connection, "mail", "ann", world.now, "wrong sender")
    assert world.deliver() == {"delivered": 2}
    world.pass_time(hours=72)
    with world.database.transaction() as connection:
        people.resume_channel(connection, "mail", "ann", world.now)
    down(world)
    assert world.deliver() == {"retried": 3}, "nothing is given up for the days in which nobody could send it"


def test_resuming_a_channel_whose_breaker_is_open_sends_a_probe_at_once(world: World) -> None:
    server = down(world)
    letters(world, 10)
    world.deliver()
    server.error = None
    with world.database.transaction() as connection:
        people.resume_channel(connection, "mail", "ann", world.now)
    assert world.deliver() == {"delivered": 7}, "the three that failed still wait for their own time"


def test_what_is_served_by_no_channel_is_an_error_that_is_told_and_waits_for_the_settings(world: World) -> None:
    letters(world, 2, "wecom")
    assert world.deliver() == {"retried": 2}
    assert {item.outcome for item in world.outbox()} == {"nomatch"}
    assert all("wecom" in str(item.last_error) and "settings" in str(item.last_error) for item in world.outbox())
    assert not state(world, "wecom").is_open
    world.channels["wecom"] = RecordingChannel("wecom")
    world.clock.advance(LONGEST_PAUSE)
    assert world.deliver() == {"delivered": 2}


def test_an_address_of_old_that_is_a_web_address_is_told_where_it_belongs(world: World) -> None:
    letters(world, 1)
    with world.database.transaction() as connection:
        connection.execute(sa.update(table).values(channel="slack", address="slack://t0ken/x"))
    world.deliver()
    (item,) = world.outbox()
    assert "settings" in str(item.last_error)
    assert "t0ken" not in str(item.last_error)


# -- laws


@given(st.text(min_size=1), st.integers(1, 60), st.none() | st.floats(0, 1e5))
def test_a_pause_stays_within_its_bounds_and_can_be_repeated(key: str, attempt: int, asked: float | None) -> None:
    drawn = pause(key, attempt, asked)
    assert drawn == pause(key, attempt, asked)
    bound = min(FIRST_PAUSE * 2 ** min(attempt - 1, 20), LONGEST_PAUSE)
    least = timedelta(seconds=asked or 0.0)
    assert max(least, LEAST_PAUSE) <= drawn <= max(least, bound)


def test_pauses_of_letters_that_failed_together_are_spread() -> None:
    drawn = sorted(pause(f"k{number}", 8).total_seconds() for number in range(400))
    bound = (FIRST_PAUSE * 2**7).total_seconds()
    below = [sum(one < share * bound for one in drawn) / len(drawn) for share in (0.25, 0.5, 0.75)]
    assert all(abs(found - share) < 0.1 for found, share in zip(below, (0.25, 0.5, 0.75), strict=True))


@given(st.lists(st.sampled_from(OUTCOMES), max_size=40))
def test_a_breaker_is_open_only_after_failures_of_the_provider_in_a_row_and_never_for_long(outcomes: list[str]) -> None:
    stands, now, row = ChannelState("mail"), NOON, 0
    for outcome in outcomes:
        stands = breaker.after(stands, outcome, now, reason="x")
        if outcome in {"away", "busy", "timeout"}:
            row += 1
        elif outcome not in {"nomatch", "broken"}:
            row = 0
        assert stands.failures == row
        assert stands.is_open == (row >= BREAK_AFTER)
        assert stands.open_until is None or FIRST_OPEN <= stands.open_until - now <= LONGEST_OPEN
        assert (stands.failing_since is None) == (row == 0)
