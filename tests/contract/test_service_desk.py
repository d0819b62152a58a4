"""What every service desk promises: words arrive once however often they are given, states follow, errors say whether to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from alerts.mirrors.desks import open_desk
from alerts.mirrors.webhook_desk import WebhookDesk, read_report
from alerts.mirrors.zammad import ZammadDesk
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Invalid, Missing, Refused, Unavailable
from hearthwatch.ports import ServiceDesk
from hearthwatch.service_desk import DeskCase, DeskCustomer, DeskPlace, DeskWord
from tests.desk_webhook import SECRET, OwnDesk, own_desk
from tests.zammad_server import AGENT, PERSON, Zammad, zammad

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLOCK = SteppedClock(NOW)
OPENED = DeskWord(41, NOW, "change", "policy", "Opened: the battery fades")
NOTE = DeskWord(44, NOW, "note", "kim", "Ordered a battery <b>now</b>")
REPLY = DeskWord(47, NOW, "reply", "kim", "A battery is on its way to you.")
CASE = DeskCase(
    "HW-12-a3f9", "lock-1 (LOCK-1): the battery fades", "open", 2, "https://hw.example.com/tickets/12", (OPENED,)
)


@dataclass(frozen=True)
class Harness:
    """A desk and its own side: the words it shows of the ticket, and its state there."""

    desk: ServiceDesk
    words: Callable[[], list[str]]
    state: Callable[[], str]
    fail: Callable[[int], None]
    deafen: Callable[[], None]


@pytest.fixture
def server() -> Iterator[Zammad]:
    with zammad() as its:
        yield its
        assert its.wrong == [], "only what is published may be asked"
        assert its.letters == [], "the desk must not write to customers by itself"


@pytest.fixture
def own() -> Iterator[OwnDesk]:
    with own_desk() as its:
        yield its
        assert its.unsigned == 0


@pytest.fixture(params=["zammad", "webhook"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    if request.param == "zammad":
        its: Zammad = request.getfixturevalue("server")
        desk = open_desk(its.address, "", CLOCK)
        assert desk is not None
        states = {"new": "open", "open": "open", "pending reminder": "waiting", "closed": "closed"}
        yield Harness(
            desk,
            lambda: [body.splitlines()[0] for body in its.bodies()],
            lambda: states[next(iter(its.tickets.values()))["state"]],
            its.faults.append,
            lambda: setattr(its, "deaf", 1),
        )
        return
    mine: OwnDesk = request.getfixturevalue("own")
    desk = open_desk(mine.address, SECRET, CLOCK)
    assert desk is not None
    yield Harness(
        desk,
        lambda: [one["text"] for _, one in sorted(mine.words.get(CASE.reference, {}).items())],
        lambda: str(mine.tickets[CASE.reference]["state"]),
        mine.faults.append,
        lambda: setattr(mine, "deaf", 1),
    )


# -- every desk


def test_a_ticket_is_shown_with_its_first_word_and_has_a_place_then(harness: Harness) -> None:
    place = harness.desk.put(CASE, None)
    assert harness.words() == [OPENED.text]
    assert (place.told, harness.state()) == ("open", "open")
    assert place.id
    assert place.number


def test_what_happens_later_is_added_in_its_order(harness: Harness) -> None:
    place = harness.desk.put(CASE, None)
    harness.desk.put(replace(CASE, words=(NOTE, REPLY)), place)
    assert harness.words() == [OPENED.text, NOTE.text, REPLY.text]


def test_words_given_again_are_told_once(harness: Harness) -> None:
    place = harness.desk.put(CASE, None)
    for _ in range(3):
        place = harness.desk.put(replace(CASE, words=(NOTE,)), place)
    assert harness.words() == [OPENED.text, NOTE.text]


def test_an_answer_nobody_heard_makes_no_second_ticket(harness: Harness) -> None:
    harness.deafen()
    with pytest.raises(Unavailable):
        harness.desk.put(CASE, None)
    harness.desk.put(replace(CASE, words=(OPENED, NOTE)), None)
    assert harness.words() == [OPENED.text, NOTE.text]


def test_an_answer_nobody_heard_repeats_no_word(harness: Harness) -> None:
    place = harness.desk.put(CASE, None)
    harness.deafen()
    with pytest.raises(Unavailable):
        harness.desk.put(replace(CASE, words=(NOTE,)), place)
    harness.desk.put(replace(CASE, words=(NOTE, REPLY)), place)
    assert harness.words() == [OPENED.text, NOTE.text, REPLY.text]


def test_waiting_and_closing_are_shown(harness: Harness) -> None:
    place = harness.desk.put(CASE, None)
    place = harness.desk.put(replace(CASE, state="waiting", words=()), place)
    assert (harness.state(), place.told) == ("waiting", "waiting")
    harness.desk.put(replace(CASE, state="closed", words=(), outcome="confirmed", part="battery"), place)
    assert harness.state() == "closed"


def test_a_ticket_that_was_over_before_it_was_shown_is_shown_as_over(harness: Harness) -> None:
    harness.desk.put(replace(CASE, state="closed"), None)
    assert harness.state() == "closed"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_what_passes_or_can_be_put_right_is_tried_again(harness: Harness, status: int) -> None:
    harness.fail(status)
    with pytest.raises(Unavailable) as told:
        harness.desk.put(CASE, None)
    assert str(status) in str(told.value)


@pytest.mark.parametrize("status", [400, 422])
def test_what_never_will_work_is_refused(harness: Harness, status: int) -> None:
    harness.fail(status)
    with pytest.raises(Refused):
        harness.desk.put(CASE, None)


def test_a_desk_that_is_not_there_is_tried_again() -> None:
    for address in ("zammad://t@127.0.0.1:9?group=a&customer=b@example.com", "webhook://127.0.0.1:9/x"):
        desk = open_desk(address, SECRET, CLOCK)
        assert desk is not None
        with pytest.raises(Unavailable) as told:
            desk.put(CASE, None)
        assert "127.0.0.1" not in str(told.value), "errors hold no addresses, they may hold tokens"


# -- Zammad


def looked(desk: ServiceDesk, place: DeskPlace, seen: int = 0) -> tuple[str, list[tuple[str, str, str]], int]:
    side = desk.look(place, seen)
    assert side is not None
    return side.state, [(word.kind, word.author, word.text) for word in side.words], side.seen


@pytest.fixture
def desk(server: Zammad) -> ZammadDesk:
    return ZammadDesk(server.address, CLOCK)


def test_what_the_desks_people_write_comes_back_once_and_our_own_words_never(server: Zammad, desk: ZammadDesk) -> None:
    place = desk.put(CASE, None)
    server.write(int(place.id), "Called the customer", by=AGENT)
    server.write(
        int(place.id), "<div>We send you<br>a battery &amp; a screw</div>", by=AGENT, internal=False, html=True
    )
    server.write(int(place.id), "Thanks!", by=PERSON, internal=False, sender="Customer")
    state, words, seen = looked(desk, place)
    assert state == "open"
    assert words == [
        ("note", "Chris Chrispresso", "Called the customer"),
        ("reply", "Chris Chrispresso", "We send you\na battery & a screw"),
        ("message", "Kim Doe", "Thanks!"),
    ]
    assert looked(desk, place, seen) == ("open", [], seen)


def test_scripts_in_an_article_do_not_come_back(server: Zammad, desk: ZammadDesk) -> None:
    place = desk.put(CASE, None)
    server.write(int(place.id), "hello <script>alert(1)</script><img src=x onerror=alert(2)>", html=True)
    assert looked(desk, place)[1] == [("note", "Chris Chrispresso", "hello")]


def test_tags_say_how_it_ended(server: Zammad, desk: ZammadDesk) -> None:
    place = desk.put(CASE, None)
    server.tags[int(place.id)] += ["outcome:confirmed", "part:battery"]
    server.set_state(int(place.id), "closed")
    side = desk.look(place, 0)
    assert side is not None
    assert (side.state, side.outcome, side.part) == ("closed", "confirmed", "battery")


def test_a_state_that_the_desk_changed_is_not_put_back_by_a_note(server: Zammad, desk: ZammadDesk) -> None:
    place = desk.put(CASE, None)
    server.set_state(int(place.id), "closed")
    desk.put(replace(CASE, words=(NOTE,)), place)
    assert server.tickets[int(place.id)]["state"] == "closed"


@pytest.mark.parametrize(
    ("theirs", "ours"), [("merged", "merged"), ("pending close", "waiting"), ("our own state", "open")]
)
def test_states_of_the_desk_are_understood(server: Zammad, desk: ZammadDesk, theirs: str, ours: str) -> None:
    place = desk.put(CASE, None)
    server.set_state(int(place.id), theirs)
    assert looked(desk, place)[0] == ours


def test_a_ticket_that_was_deleted_there_is_gone(server: Zammad, desk: ZammadDesk) -> None:
    place = desk.put(CASE, None)
    del server.tickets[int(place.id)]
    assert looked(desk, place) == ("gone", [], 0)
    with pytest.raises(Missing):
        desk.put(replace(CASE, words=(NOTE,)), place)


def test_the_customer_is_named_only_where_we_say_so(server: Zammad, desk: ZammadDesk) -> None:
    desk.put(CASE, None)
    desk.put(replace(CASE, reference="HW-13-a3f9", customer=DeskCustomer("Kim Doe", "kim@example.org")), None)
    assert [one["customer"] for one in server.tickets.values()] == ["care@example.com", "kim@example.org"]


def test_a_desk_that_is_slow_is_tried_again(server: Zammad) -> None:
    server.faults.append(None)
    with pytest.raises(Unavailable, match="did not answer"):
        ZammadDesk(server.address, CLOCK, seconds=0.3).put(CASE, None)


def test_a_wrong_token_names_what_to_do(server: Zammad) -> None:
    with pytest.raises(Unavailable, match="401"):
        ZammadDesk(server.address.replace("s3cret", "other"), CLOCK).put(CASE, None)


def test_a_wait_that_the_desk_asks_for_is_kept(server: Zammad, desk: ZammadDesk) -> None:
    server.faults.append(429)
    with pytest.raises(Unavailable) as told:
        desk.put(CASE, None)
    assert told.value.retry_after == 17


# -- the webhook


def test_a_report_of_the_desk_is_read(own: OwnDesk) -> None:
    report = read_report(
        b'{"reference": "HW-12-a3f9", "state": "closed", "outcome": "confirmed", "part": "battery", "words":'
        b' [{"id": 2, "at": "2026-03-02T09:00:00Z", "author": "Kim", "text": "Done"}]}'
    )
    side = report.side(seen=1)
    assert (side.state, side.outcome, side.part, side.seen) == ("closed", "confirmed", "battery", 2)
    assert [word.text for word in side.words] == ["Done"]
    assert report.side(seen=2).words == ()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{}", "reference"),
        (b'{"reference": "a", "state": "sleeping"}', "state"),
        (b'{"reference": "a", "state": "open", "colour": "red"}', "colour"),
        (b'{"reference": "a", "state": "open", "words": [{"id": 0}]}', "words.0.id"),
        (b"[", "body"),
        (b"\xff\xfe", "body"),
    ],
)
def test_a_report_that_is_wrong_says_where(body: bytes, where: str) -> None:
    with pytest.raises(Invalid) as told:
        read_report(body)
    assert told.value.where == where


def test_a_desk_that_does_not_say_where_it_put_it_knows_it_by_our_reference(own: OwnDesk) -> None:
    desk = WebhookDesk(own.address, SECRET, CLOCK)
    assert desk.put(CASE, None).id == "crm-5"
    assert desk.look(DeskPlace("crm-5", "5", "", "open"), 0) is None


# -- addresses


def test_no_desk_is_no_desk() -> None:
    assert open_desk("", "", CLOCK) is None


@pytest.mark.parametrize(
    ("address", "secret", "why"),
    [
        ("zendesk://x", "", "no service desk speaks 'zendesk'"),
        ("zammads://desk.example.com?group=a&customer=b", "", "TOKEN"),
        ("zammads://t@desk.example.com?group=a", "", "customer"),
        ("webhooks://user@desk.example.com/x", SECRET, "webhooks://host/path"),
        ("webhooks://desk.example.com/x", "short", "at least"),
    ],
)
def test_an_address_that_is_none_says_what_one_looks_like(address: str, secret: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        open_desk(address, secret, CLOCK)
