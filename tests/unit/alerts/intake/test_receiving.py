"""Mail that comes in: a person's becomes a report, in its thread's ticket; programs open nothing; twice is once; nothing is lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.intake import answers, jobs, reporting, threads
from alerts.intake.answers import Desk
from alerts.intake.mail import parsing, receiving
from alerts.intake.mail.imap import mailbox_of
from alerts.intake.mail.receiving import Incoming
from alerts.intake.report import Contact, Report
from alerts.tickets import conversation, merging
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.records import customers, inbound_mails, notices, reports, ticket_messages
from hearthwatch.records.inbound_mails import InboundMail
from hearthwatch.records.reports import TicketReport
from hearthwatch.records.tables import outbox as outbox_table
from tests.imap_server import ScriptedImap, imap_server
from tests.unit.alerts.intake.letters import bounce, mail
from tests.unit.alerts.intake.pictures import HEIC, picture
from tests.unit.alerts.world import World

KEY = "a key of this test"
DESK = Desk("Acme", "https://acme.example", "care@acme.example", KEY)
PIPE = Incoming("pipe", DESK, "mx.acme.example")


def take(world: World, raw: bytes, incoming: Incoming = PIPE) -> InboundMail:
    with world.database.transaction() as connection:
        return receiving.receive(connection, raw, incoming, world.now)


def report_of(world: World, kept: InboundMail) -> TicketReport:
    assert kept.report_id is not None
    with world.database.reading() as connection:
        return reports.get(connection, kept.report_id)


def kim(world: World) -> None:
    world.home()
    with world.database.transaction() as connection:
        customers.put_customer(
            connection, "c-1", name="Kim", email="Kim@Example.org", channels=["mailto:kim@example.org"]
        )


def letters(world: World) -> list[dict[str, Any]]:
    return [dict(item.payload) | {"to": item.address} for item in world.outbox() if item.kind == "letter"]


# -- what is not taken


@pytest.mark.parametrize(
    "headers",
    [{"Auto_Submitted": "auto-replied"}, {"List_Id": "<x.y>"}, {"sender": "care@acme.example"}, {"Precedence": "bulk"}],
)
def test_what_programs_write_opens_no_ticket_and_gets_no_answer(world: World, headers: dict[str, str]) -> None:
    kept = take(world, mail(**headers))  # type: ignore[arg-type]
    assert kept.state == "ignored"
    assert kept.reason
    assert (world.tickets(), world.outbox()) == ([], [])


def test_what_can_not_be_read_is_kept_whole_with_the_reason(world: World) -> None:
    raw = b'From: a@b.example\nContent-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 500
    kept = take(world, raw)
    assert (kept.state, kept.reason) == ("quarantined", "mail.parts: it has more than 200 parts")
    with world.database.transaction() as connection:
        assert inbound_mails.raw(connection, kept.id) == raw
        assert inbound_mails.waiting(connection) == 1
        inbound_mails.settle(connection, kept.id, "ann", world.now)
        assert inbound_mails.waiting(connection) == 0


def test_a_mail_that_is_too_large_is_refused_and_a_full_quarantine_takes_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Invalid, match="at most"):
        take(world, b"Subject: x\n\n" + b"a" * parsing.LARGEST)
    monkeypatch.setattr(receiving, "LARGEST_QUARANTINE", 100)
    with pytest.raises(Unavailable, match="quarantine of mails is full"):
        take(world, b"no mail at all" * 20)
    with world.database.reading() as connection:
        assert inbound_mails.list_mails(connection) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    raw=st.one_of(
        st.binary(max_size=300), st.binary(max_size=200).map(lambda some: b"From: a@b.example\nSubject: " + some)
    )
)
def test_any_bytes_become_something_that_is_kept(world: World, raw: bytes) -> None:
    assert take(world, raw).state in inbound_mails.STATES
    assert take(world, raw).id == take(world, raw).id


def test_a_flood_of_one_sender_waits_in_quarantine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MOST_AN_HOUR", 3)
    states = [take(world, mail(f"offline {n}", message_id=f"<{n}@x>")).state for n in range(5)]
    assert states == ["taken"] * 3 + ["quarantined"] * 2
    assert take(world, mail("offline", sender="o@example.net", message_id="<o@x>")).state == "taken"
    world.pass_time(hours=2)
    assert take(world, mail("offline", message_id="<later@x>")).state == "taken"


# -- what is taken


def test_a_mail_of_a_customer_becomes_a_report_about_their_only_device(world: World) -> None:
    kim(world)
    kept = take(
        world, mail("It is empty.\n-- \nKim", subject="Battery", photos={"a.jpg": picture(gps=True), "b.heic": HEIC})
    )
    report = report_of(world, kept)
    assert (report.source, report.device_id, report.customer_id, report.mode) == (
        "mail",
        "lock-1",
        "c-1",
        "battery_fade",
    )
    assert report.text == "Battery\n\nIt is empty."
    assert not report.verified, "whoever writes a mail may name any sender"
    assert kept.text is not None
    assert kept.text.endswith("Kim"), "all of it is kept"
    assert [(one["name"], one["kept"]) for one in kept.attachments] == [("a.jpg", True), ("b.heic", False)]
    assert "HEIC" in kept.attachments[1]["why"]
    assert world.ticket().source == "mail"


def test_a_mail_twice_is_one(world: World) -> None:
    kim(world)
    assert take(world, mail()).id == take(world, mail()).id
    with world.database.reading() as connection:
        ticket = reports.of_customer(connection, "c-1")[0].ticket_id
        assert len(ticket_messages.of_ticket(connection, ticket)) == 1


def test_a_device_that_is_named_is_meant(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Kim", email="kim@example.org")
    assert report_of(world, take(world, mail("it hums"))).device_id is None
    assert report_of(world, take(world, mail("lock-2 hums", message_id="<m2@x>"))).device_id == "lock-2"


def test_the_answer_carries_the_tickets_tag_and_tells_nothing_of_an_owner(world: World) -> None:
    kim(world)
    take(world, mail(sender="Neighbour <n@example.net>", text="lock-1 beeps all night"))
    (letter,) = letters(world)
    assert letter["to"] == "mailto:n@example.net"
    assert letter["headers"]["In-Reply-To"] == "<m1@example.org>"
    assert letter["headers"]["Auto-Submitted"] == "auto-replied"
    ticket = world.ticket()
    assert threads.ticket_in([letter["subject"]], KEY) == ticket.id
    assert letter["reply_to"].startswith("care+T")
    for secret in ("Kim", "lock-1", "beeps"):
        assert secret not in letter["text"]


def test_one_address_gets_few_receipts_a_day(world: World) -> None:
    for number in range(answers.RECEIPTS_A_DAY + 3):
        take(world, mail(f"odd thing {number}", message_id=f"<{number}@x>"))
    assert len(letters(world)) == answers.RECEIPTS_A_DAY


def test_an_answer_by_tag_goes_into_its_ticket_and_a_forged_tag_does_not(world: World) -> None:
    first = report_of(world, take(world, mail()))
    subject = threads.in_subject("Re: x", first.ticket_id, KEY)
    second = take(
        world, mail("And it smells.\n\nOn Friday, May 1, Acme wrote:\n> Hello", subject=subject, message_id="<2@x>")
    )
    assert report_of(world, second).ticket_id == first.ticket_id
    assert report_of(world, second).text == "And it smells."
    forged = take(world, mail("other", subject="[#T1-AAAAAAAAAAAA]", message_id="<3@x>"))
    assert report_of(world, forged).ticket_id != first.ticket_id


def test_an_answer_to_an_own_mail_goes_into_the_same_ticket(world: World) -> None:
    first = report_of(world, take(world, mail()))
    second = take(world, mail("More.", message_id="<2@x>", In_Reply_To="<m1@example.org>"))
    assert report_of(world, second).ticket_id == first.ticket_id
    other = take(world, mail("More.", sender="o@example.net", message_id="<3@x>", In_Reply_To="<m1@example.org>"))
    assert report_of(world, other).ticket_id != first.ticket_id, "another person's mail is no proof"


def test_a_mail_is_its_customers_only_where_our_own_server_says_so(world: World) -> None:
    kim(world)
    passed = "mx.acme.example; dkim=pass; dmarc=pass header.from=example.org"
    assert report_of(world, take(world, mail(Authentication_Results=passed))).verified
    foreign = passed.replace("mx.acme.example", "mx.evil.example")
    failed = passed.replace("dmarc=pass", "dmarc=fail")
    for number, said in enumerate((foreign, failed)):
        kept = take(world, mail(message_id=f"<{number}@x>", Authentication_Results=said))
        assert not report_of(world, kept).verified
    untrusting = Incoming("pipe", DESK)
    assert not report_of(
        world, take(world, mail(message_id="<9@x>", Authentication_Results=passed), untrusting)
    ).verified


def test_danger_in_a_mail_comes_first(world: World) -> None:
    kim(world)
    assert report_of(world, take(world, mail("门锁冒烟了", subject="急"))).danger == ["冒烟"]
    assert world.ticket().priority == 1


# -- letters that came back


def reference(world: World) -> str:
    with world.database.reading() as connection:
        ref = (
            connection.execute(sa.select(outbox_table.c.message_ref).where(outbox_table.c.notice_id.is_not(None)))
            .scalars()
            .first()
        )
    assert ref is not None
    return str(ref)


def test_a_bounce_is_noted_on_its_notice_and_opens_nothing(world: World) -> None:
    world.policy()
    world.home()
    world.stand(part="battery")
    world.run()
    before = len(world.tickets())
    ref = reference(world)
    late = take(world, bounce(ref, action="delayed"))
    assert (late.state, (late.reason or "").startswith("late: ")) == ("bounce", True)
    kept = take(world, bounce(ref))
    notice = world.notice()
    assert (kept.state, kept.notice_id) == ("bounce", notice.id)
    with world.database.reading() as connection:
        assert "bounced" in [event.what for event in notices.events(connection, notice.id)]
    assert len(world.tickets()) == before


def test_a_bounce_of_nothing_we_know_is_kept_and_does_nothing(world: World) -> None:
    kept = take(world, bounce("f" * 32))
    assert (kept.state, kept.notice_id) == ("bounce", None)


# -- news for reporters


def tell(world: World) -> list[dict[str, Any]]:
    known = len(letters(world))
    jobs.tell_reporters(world.database, DESK, world.now)
    return letters(world)[known:]


def test_a_stranger_hears_of_answers_to_their_own_ticket_and_once(world: World) -> None:
    first = report_of(world, take(world, mail()))
    world.pass_time(hours=1)
    with world.database.transaction() as connection:
        conversation.reply(connection, first.ticket_id, None, "Please restart it.", "ann", world.now)
    (news,) = tell(world)
    assert "There is an answer to your report" in news["subject"]
    assert "restart" not in news["text"]
    assert re.findall(r"/r/follow/(\w+)", news["text"]) == [answers.link_token(first.id, KEY)]
    assert tell(world) == []


def test_a_stranger_hears_nothing_of_what_is_written_to_the_owner(world: World) -> None:
    kim(world)
    with world.database.transaction() as connection:
        report = Report("qr", "hums", device_id="lock-1", contact=Contact(email="n@example.net"))
        done = reporting.report(connection, report, world.now)
        answers.receipt(connection, done.ticket, done.report, DESK, world.now)
    world.pass_time(hours=1)
    with world.database.transaction() as connection:
        conversation.reply(connection, done.ticket.id, None, "Dear Kim", "ann", world.now)
    assert tell(world) == []


def test_a_stranger_hears_of_answers_on_the_ticket_theirs_was_merged_into(world: World) -> None:
    one = report_of(world, take(world, mail()))
    other = report_of(world, take(world, mail("other", sender="o@example.net", message_id="<o@x>")))
    with world.database.transaction() as connection:
        merging.merge(connection, other.ticket_id, None, one.ticket_id, "ann", world.now)
    world.pass_time(hours=1)
    assert tell(world) == [], "merged is not settled"
    with world.database.transaction() as connection:
        conversation.reply(connection, other.ticket_id, None, "Please restart it.", "ann", world.now)
    assert sorted(letter["to"] for letter in tell(world)) == ["mailto:kim@example.org", "mailto:o@example.net"]


# -- a mailbox


@pytest.mark.parametrize("address", ["imaps://host/INBOX", "http://u:p@h", "imaps://u:p@h:x/", ""])
def test_a_mailbox_without_user_or_of_another_kind_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        mailbox_of(address)
    assert "u:p" not in str(refused.value)


def fetch(world: World, script: ScriptedImap) -> dict[str, int]:
    return dict(jobs.fetch_mail(world.database, script.address, Incoming("imap", DESK), world.now))


def test_new_mail_is_fetched_once_and_marked_after_it_was_taken(world: World) -> None:
    script = ScriptedImap({3: mail(), 7: mail(message_id="<2@x>", Precedence="bulk"), 9: b"no mail"})
    with imap_server(script):
        assert fetch(world, script) == {"taken": 1, "ignored": 1, "quarantined": 1}
        assert fetch(world, script) == {}
    assert script.seen == {3, 7, 9}
    assert all("PEEK" in one for one in script.commands if "BODY" in one)


def test_a_connection_that_breaks_before_the_mark_gives_the_mail_again_and_it_stays_one(world: World) -> None:
    script = ScriptedImap({1: mail()}, break_at="STORE")
    with imap_server(script):
        with pytest.raises(Unavailable):
            fetch(world, script)
        assert script.seen == set()
        assert fetch(world, script) == {"taken": 1}
    assert len(world.tickets()) == 1
    assert script.seen == {1}


def test_a_mail_that_is_too_large_stays_in_the_mailbox_and_is_noted(world: World) -> None:
    script = ScriptedImap({1: mail("x")}, said_sizes={1: parsing.LARGEST + 1})
    with imap_server(script):
        assert fetch(world, script) == {"quarantined": 1}
    with world.database.reading() as connection:
        (kept,) = inbound_mails.list_mails(connection)
    assert "still in the mailbox" in (kept.reason or "")
    assert kept.subject == "My lock"


def test_a_bug_of_ours_sets_one_mail_aside_and_the_next_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reporting.report

    def broken(connection: Any, report: Report, *more: Any) -> Any:
        if "first" in report.text:
            raise ZeroDivisionError
        return whole(connection, report, *more)

    monkeypatch.setattr(reporting, "report", broken)
    script = ScriptedImap({1: mail("first"), 2: mail("second", message_id="<2@x>")})
    with imap_server(script):
        assert fetch(world, script) == {"quarantined": 1, "taken": 1}


def test_a_wrong_password_and_a_server_that_is_away_are_told_without_it(world: World) -> None:
    script = ScriptedImap()
    with imap_server(script):
        wrong = script.address.replace("secret%20word", "guess")
        with pytest.raises(Unavailable, match="refuses the user or password") as refused:
            jobs.fetch_mail(world.database, wrong, Incoming("imap", DESK), world.now)
        assert "guess" not in str(refused.value)
        away = script.address
    with pytest.raises(Unavailable, match="can not be reached"):
        jobs.fetch_mail(world.database, away, Incoming("imap", DESK), world.now)


def test_what_nobody_needs_any_more_is_forgotten(world: World) -> None:
    kept = take(world, mail(Precedence="bulk"))
    world.pass_time(days=31)
    jobs.forget(world.database, world.now)
    with world.database.reading() as connection:
        after = inbound_mails.get(connection, kept.id)
    assert (after.sender, after.subject) == (None, "")


def test_a_short_address_is_known_among_many_that_end_like_it(world: World) -> None:
    world.home(99)
    with world.database.transaction() as connection:
        for number in range(30):
            customers.put_customer(connection, f"a-{number}", name="Li", email=f"{number}7@qq.example")
        customers.put_customer(connection, "c-99", name="Kim", email="7@QQ.example", channels=["mailbox://c-99"])
    kept = take(world, mail(sender="7@qq.example", text="It squeaks"))
    assert report_of(world, kept).customer_id == "c-99"
