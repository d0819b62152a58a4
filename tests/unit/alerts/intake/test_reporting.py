"""What people report lands in one queue: once per device and cause, classified and explained, with the device's evidence beside it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.intake import complaints, danger, matching, reporting
from alerts.intake.classification import classify
from alerts.intake.photos import clean
from alerts.intake.report import Contact, Report, Source, is_address
from alerts.intake.reporting import Reported
from hearthwatch.errors import Invalid, Missing
from hearthwatch.failure_modes import MODES
from hearthwatch.records import customers, devices, report_photos, reports, ticket_messages, tickets
from hearthwatch.values import Event, Ticket
from tests.unit.alerts.intake.pictures import picture
from tests.unit.alerts.world import World

NOON = date(2026, 5, 1)


def take(
    world: World, text: str = "It is empty after two days.", *, source: Source = "page", **more: object
) -> Reported:
    given: dict[str, object] = {"device_id": "lock-1", "customer_id": "c-1", "verified": True, "complaint": "battery"}
    with world.database.transaction() as connection:
        return reporting.report(connection, Report(source, text, **{**given, **more}), world.now)  # type: ignore[arg-type]


def stranger(world: World, text: str = "It is empty after two days.", **more: object) -> Reported:
    return take(world, text, source="qr", **{"customer_id": None, "verified": False, **more})


def events(world: World, ticket: Ticket) -> list[tuple[str, dict[str, object]]]:
    with world.database.reading() as connection:
        return [(one.what, dict(one.detail)) for one in tickets.events(connection, ticket.id)]


def messages(world: World, ticket: Ticket, *, visible: bool = False) -> list[str]:
    with world.database.reading() as connection:
        return [one.text for one in ticket_messages.of_ticket(connection, ticket.id, visible=visible)]


# -- what is refused


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"text": "  ", "complaint": "other"}, "text"),
        ({"text": "x" * 8001}, "text"),
        ({"complaint": "nonsense"}, "complaint"),
        ({"wish": "money"}, "wish"),
        ({"since": NOON + timedelta(days=9)}, "since"),
        ({"since": date(1999, 1, 1)}, "since"),
        ({"contact": Contact(email="kim@@example")}, "contact.email"),
        ({"contact": Contact(name="x" * 201)}, "contact.name"),
    ],
)
def test_a_report_that_says_nothing_or_the_impossible_is_refused_by_name(
    world: World, wrong: dict[str, object], where: str
) -> None:
    world.home()
    with pytest.raises(Invalid) as refused:
        take(world, **wrong)  # type: ignore[arg-type]
    assert refused.value.where == where
    assert world.tickets() == []


def test_a_device_or_a_customer_that_is_not_there_is_refused(world: World) -> None:
    world.home()
    with pytest.raises(Missing):
        take(world, device_id="lock-9")
    with pytest.raises(Missing):
        take(world, customer_id="c-9")


@pytest.mark.parametrize("text", ["kim@example.org", "k.i+m@a-b.example.org"])
def test_a_mail_address_is_one(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "kim", "kim@", "@example.org", "a b@example.org", "a@b", "a@b.c,d@e.f", "a@b.c\nBcc: x@y.z", "a@b.c?cc=d"],
)
def test_what_could_be_more_than_a_mail_address_is_none(text: str) -> None:
    assert not is_address(text)


# -- one ticket per device and cause


def test_a_report_opens_a_request_with_its_source_mode_and_part(world: World) -> None:
    world.home()
    done = take(world)
    ticket = world.ticket()
    assert done.opened
    assert (ticket.kind, ticket.source, ticket.mode, ticket.part) == ("request", "page", "battery_fade", "battery")
    assert (ticket.customer_id, ticket.home_id, ticket.priority) == ("c-1", "h-1", 3)
    assert ticket.title == "lock-1 (LOCK-2): The battery runs down too fast"
    assert [what for what, _ in events(world, ticket)] == ["opened", "message"]
    assert messages(world, ticket) == ["The battery runs down too fast\n\nIt is empty after two days."]


def test_what_a_person_wrote_stands_in_no_ledger(world: World) -> None:
    world.home()
    take(world, "My name is Kim and it is empty.", contact=Contact("Kim", "kim@example.org", "+4912345"))
    told = str(events(world, world.ticket()))
    for secret in ("Kim", "kim@example.org", "+4912345", "empty"):
        assert secret not in told


def test_the_same_again_is_a_message_in_the_same_ticket(world: World) -> None:
    world.home()
    first = take(world)
    second = take(world, "Still empty.", complaint="other")
    assert not second.opened
    assert second.ticket.id == first.ticket.id
    assert messages(world, world.ticket())[-1] == "Still empty."


def test_a_complaint_about_what_was_found_goes_into_the_findings_ticket(world: World) -> None:
    world.policy()
    world.home()
    world.stand(part="battery")
    world.run()
    ticket = world.ticket()
    assert take(world).ticket.id == ticket.id
    assert take(world, "It hums.", complaint="other").ticket.id == ticket.id, (
        "its only ticket, where no other cause is named"
    )
    assert take(world, "It is stuck", complaint="jams").ticket.id != ticket.id


def test_another_cause_is_another_ticket(world: World) -> None:
    world.home()
    assert take(world).ticket.id != take(world, "It is always offline", complaint="offline").ticket.id
    assert len(world.tickets()) == 2


def test_a_former_owners_ticket_is_not_the_new_owners(world: World) -> None:
    world.home()
    before = take(world)
    world.home(2, devices_=("lock-2",))
    with world.database.transaction() as connection:
        customers.own(connection, "lock-1", "c-2", "h-2", world.now)
    after = take(world, customer_id="c-2")
    assert after.ticket.id != before.ticket.id
    assert after.ticket.customer_id == "c-2"


def test_a_strangers_report_reaches_the_owners_ticket_and_is_not_shown_to_the_owner(world: World) -> None:
    world.home()
    own = take(world)
    other = stranger(world, "Your neighbour here.", contact=Contact(email="n@example.org"))
    assert other.ticket.id == own.ticket.id
    assert not other.report.verified
    assert other.report.customer_id is None
    assert any("neighbour" in one for one in messages(world, own.ticket))
    assert not any("neighbour" in one for one in messages(world, own.ticket, visible=True))


def test_the_same_form_sent_twice_is_one_report(world: World) -> None:
    world.home()
    first, again = take(world, once="form-1"), take(world, once="form-1")
    assert again.again
    assert again.report.id == first.report.id
    assert len(messages(world, world.ticket())) == 1


def test_a_symptom_of_a_bad_release_becomes_its_tickets_child(world: World) -> None:
    world.policy()
    world.home()
    bad = world.release("2.4.0", replaces="2.3.0")
    world.stand(f"release:{bad.id}", "reboots", kind="cohort")
    world.stand("lock-1", "reboots", part="controller")
    world.run()
    (parent,) = [one for one in world.tickets() if one.kind == "cohort"]
    assert take(world, "", complaint="restarts").ticket.parent_id == parent.id


def test_reports_of_strangers_without_a_device_are_tickets_of_their_own(world: World) -> None:
    one = stranger(world, "It does not work", device_id=None, complaint="other")
    two = stranger(world, "It does not work", device_id=None, complaint="other")
    assert one.ticket.id != two.ticket.id
    third = stranger(world, "offline", device_id=None, complaint="offline", contact=Contact(email="a@b.example"))
    fourth = stranger(world, "offline again", device_id=None, complaint="offline", contact=Contact(email="A@B.example"))
    assert third.ticket.id == fourth.ticket.id


# -- what is attached


def test_zammad_604_and_osticket_2177_the_device_is_attached_as_it_was_then_and_nobody_types_it(world: World) -> None:
    """github.com/zammad/zammad/issues/604, github.com/osTicket/osTicket/issues/2177: tickets knew nothing of the device they are about."""
    world.policy()
    world.home(language="zh-CN")
    finding = world.stand(part="battery", evidence={"metrics": ["battery_pct"], "reasons": ["it fell"]})
    seen = [Event("lock-1", "native", world.now - timedelta(days=days), "reboot", "watchdog") for days in (1, 2, 9)]
    with world.database.transaction() as connection:
        done = reporting.report(
            connection,
            Report("page", "empty", "battery", device_id="lock-1", customer_id="c-1", verified=True),
            world.now,
            seen,
        )
        devices.update(connection, "lock-1", None, {"firmware": "9.9.9"})
    kept = done.report.snapshot
    assert (done.ticket.device_id, done.ticket.model) == ("lock-1", "LOCK-2")
    assert kept["device"]["firmware"] == "2.4.0"
    assert kept["device"]["model"] == "LOCK-2"
    assert kept["language"] == "zh-CN"
    assert kept["warranty"]["covered"] is None
    assert kept["state"]["state"] == "unknown"
    assert [one["id"] for one in kept["findings"]] == [finding.id]
    assert kept["findings"][0]["evidence"]["reasons"] == ["it fell"]
    assert [one["code"] for one in kept["events"]] == ["watchdog", "watchdog"], "of the last 7 days"
    assert "Kim" not in str(kept)


def test_photos_are_kept_with_the_report(world: World) -> None:
    world.home()
    done = take(world, photos=(clean(picture(gps=True)),), wish="call", since=NOON)
    with world.database.reading() as connection:
        (facts,) = report_photos.photos_of(connection, [done.report.id])[done.report.id]
        _, content = report_photos.photo(connection, facts.id)
        _, small = report_photos.photo(connection, facts.id, thumbnail=True)
    assert content.startswith(b"\xff\xd8")
    assert small.startswith(b"\xff\xd8")
    assert messages(world, world.ticket())[0].endswith("Since: 2026-05-01\nWish: Please call me\nPhotos: 1")


def test_a_report_is_told_in_the_language_it_was_written_in(world: World) -> None:
    world.home()
    take(world, "两天就没电", language="zh-Hans", wish="visit")
    assert messages(world, world.ticket()) == ["电池消耗太快\n\n两天就没电\n\n希望：希望有人上门"]


# -- danger


@pytest.mark.parametrize(
    "text",
    [
        "There was SMOKE coming out",
        "it burns",
        "I got a shock",
        "smells of gas",
        "冒烟了",
        "插座漏电",
        "battery is swollen",
        "外壳烧焦",
    ],
)
def test_words_of_danger_come_first_and_engineers_hear_of_it(world: World, text: str) -> None:
    world.policy("observe")
    world.home()
    done = take(world, text, complaint="other")
    assert done.ticket.priority == 1
    assert done.report.danger
    engineers = [item for item in world.outbox() if item.kind == "engineer"]
    assert engineers
    assert "Danger reported" in engineers[0].payload["subject"]
    assert text not in str(engineers[0].payload)


def test_danger_raises_a_ticket_that_stands(world: World) -> None:
    world.policy()
    world.home()
    ticket = take(world).ticket
    done = take(world, "Now it smokes!")
    assert done.ticket.id == ticket.id
    assert done.ticket.priority == 1
    assert ("raised", {"from": 3, "to": 1, "why": "danger", "report_id": done.report.id}) in events(world, ticket)


@pytest.mark.parametrize(
    "text",
    [
        "The smoke detector is offline",
        "my gas meter shows wrong values",
        "behind a firewall",
        "烟雾报警器离线",
        "燃气表不准",
    ],
)
def test_the_name_of_a_thing_is_no_danger(text: str) -> None:
    assert danger.signs(text) == ()


# -- classification


def test_a_choice_outweighs_words_and_both_are_told(world: World) -> None:
    got = classify("hot", "the battery is warm", [])
    assert got.mode == "overheating"
    assert [(one["by"], one["what"]) for one in got.why] == [("choice", "hot"), ("words", "battery")]


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("it reboots every night", "reboots"),
        ("门锁卡住了", "motor_wear"),
        ("WLAN und so, the wifi is gone", "wifi_failing"),
        ("每天自动重启", "reboots"),
        ("I like it", None),
    ],
)
def test_words_alone_tell_the_mode_in_both_languages(text: str, mode: str | None) -> None:
    assert classify("other", text, []).mode == mode


def test_what_was_found_decides_only_where_nothing_was_named(world: World) -> None:
    finding = world.stand(part="battery")
    assert classify("other", "something is odd", [finding]).mode == "battery_fade"
    assert classify("offline", "", [finding]).mode == "wifi_failing"


def test_a_person_changes_the_classification_and_the_ticket_follows(world: World) -> None:
    world.home()
    done = take(world)
    with world.database.transaction() as connection:
        changed = reporting.reclassify(connection, done.report.id, "motor_wear", "ann", world.now)
    assert changed.mode == "motor_wear"
    assert changed.explained[-1]["what"] == "ann"
    assert (world.ticket().mode, world.ticket().part) == ("motor_wear", "motor")
    with world.database.transaction() as connection, pytest.raises(Invalid):
        reporting.reclassify(connection, done.report.id, "nonsense", "ann", world.now)


def test_every_complaint_has_both_languages_and_a_mode_that_exists() -> None:
    for one in complaints.COMPLAINTS:
        assert one.mode is None or one.mode in MODES
        assert one.name("en") != one.name("zh-Hans")
    assert [one.id for one in complaints.offered("camera")].count("picture") == 1
    assert "picture" not in [one.id for one in complaints.offered("lock")]
    assert len(complaints.offered(None)) == len(complaints.COMPLAINTS)


@given(text=st.text(max_size=200), complaint=st.sampled_from(sorted(complaints.BY_ID)))
def test_any_text_is_classified_as_a_known_mode_or_none(text: str, complaint: str) -> None:
    assert classify(complaint, text, []).mode in {None, *MODES}
    danger.signs(text)


# -- duplicates


def test_tickets_that_may_be_the_same_are_offered_with_the_reason(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    first = take(world, contact=Contact(email="kim@example.org")).ticket
    same_device = take(world, complaint="jams").ticket
    same_mode = take(world, device_id="lock-2").ticket
    contact = stranger(
        world, "offline", device_id=None, complaint="offline", contact=Contact(email="kim@example.org")
    ).ticket
    with world.database.reading() as connection:
        found = {one.ticket.id: one.why for one in matching.candidates(connection, first, world.now)}
    assert found == {
        same_device.id: ("same_device",),
        same_mode.id: ("same_customer_and_mode",),
        contact.id: ("same_contact",),
    }


# -- erasure


def test_what_a_person_wrote_can_be_erased_and_what_it_was_about_stays(world: World) -> None:
    world.home()
    done = take(world, contact=Contact("Kim", "kim@example.org"), photos=(clean(picture()),))
    with world.database.transaction() as connection:
        assert reports.forget_person(connection, "c-1", [], world.now) == 1
        kept = reports.get(connection, done.report.id)
        assert (kept.text, kept.contact_email, kept.contact_name) == ("", None, None)
        assert (kept.mode, kept.complaint, kept.device_id) == ("battery_fade", "battery", "lock-1")
        assert report_photos.photos_of(connection, [done.report.id]) == {}
    assert messages(world, done.ticket) == [""]
