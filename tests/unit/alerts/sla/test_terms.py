"""The `[sla]` section of a policy: what is promised to whom, and what is refused with the name of what is wrong."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.policy import decisions
from alerts.policy.file import parse
from alerts.sla.terms import Facts, SlaTerms, Term

HOUR = timedelta(hours=1)
DUE = (1.0, 3.0, 7.0, 14.0)
OFFICE = """
[calendars.office]
timezone = "Europe/Berlin"
workdays = ["09:00-12:00", "13:00-17:00"]
"""


def terms(text: str) -> SlaTerms:
    return SlaTerms.model_validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("langauge = 'en'", "langauge"),
        ("[[terms]]\nname = 'a'\ncalendar = 'offcie'", "there is no calendar 'offcie'"),
        ("[calendars.office]\nworkdays = ['9-17']", "'9-17' is no time of opening"),
        ("[calendars.office]\nworkdays = ['09:00-13:00', '12:00-17:00']", "12:00-17:00 begins before 09:00-13:00 ends"),
        ("[calendars.office]\ntimezone = 'Berlin'\nworkdays = ['09:00-17:00']", "no such time zone"),
        ("[calendars.office]\ncountry = 'DE'", "is never open"),
        ("[calendars.office]\nworkdays = ['09:00-17:00']\ncountry = 'XX'", "no holidays are known of XX"),
        ("[calendars.office]\nworkdays = ['09:00-17:00']\nsubdivision = 'BE'", "belongs to a country"),
        (
            "[calendars.office]\nworkdays = ['09:00-17:00']\nclosed = [2026-12-24]\ndays = { 2026-12-24 = ['09:00-12:00'] }",
            "2026-12-24 is closed and has hours",
        ),
        ("[calendars.always]\nworkdays = ['09:00-17:00']", "never closes"),
        ("[[terms]]\nname = 'a'\nresolution_hours = [1, 2]", "resolution_hours"),
        ("[[terms]]\nname = 'a'\nresolution_hours = -1", "resolution_hours"),
        ("[[terms]]\nname = 'a'\npriorities = [5]", "priorities"),
        ("[[terms]]\nname = 'due_days'", "where no term fits"),
        ("[[terms]]\nname = 'a'\nmodels = ['X']\n[[terms]]\nname = 'a'\nmodels = ['Y']", "two terms are called 'a'"),
        ("reminders = [1.5]", "reminders"),
        ("told_in = 'nights'", "there is no calendar 'nights'"),
        ("team = ['exec://rm']", "no channel serves exec:"),
        ("[[escalations]]\nto = ['boss']", "neither one of"),
        ("[pauses]\nresolution = ['weather']", "resolution"),
    ],
)
def test_what_is_wrong_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        terms(text)
    assert said in str(refused.value)


def test_a_term_that_never_applies_is_refused_with_both_names() -> None:
    with pytest.raises(ValidationError, match="'everyone' and 'locks': the second never applies"):
        terms("[[terms]]\nname = 'everyone'\n[[terms]]\nname = 'locks'\ndevice_classes = ['lock']")


def test_terms_that_overlap_are_refused_with_their_names_and_where_they_do() -> None:
    text = """
    [[terms]]
    name = "locks"
    device_classes = ["lock", "plug"]
    [[terms]]
    name = "the north"
    regions = ["north"]
    """
    with pytest.raises(
        ValidationError, match=r"'locks' and 'the north' both fit.*device_classes lock/plug, regions north"
    ):
        terms(text)


def test_terms_that_overlap_are_taken_once_a_term_before_them_says_what_holds_there() -> None:
    text = """
    [[terms]]
    name = "locks in the north"
    device_classes = ["lock"]
    regions = ["north"]
    [[terms]]
    name = "locks"
    device_classes = ["lock"]
    [[terms]]
    name = "the north"
    regions = ["north"]
    [[terms]]
    name = "everyone"
    """
    assert terms(text).level(Facts(2, device_class="lock", region="north"), DUE).term == "locks in the north"
    assert terms(text).level(Facts(2, device_class="plug", region="north"), DUE).term == "the north"
    assert terms(text).level(Facts(2, device_class="plug", region="south"), DUE).term == "everyone"


def test_the_first_term_that_fits_decides_alone() -> None:
    text = """
    [[terms]]
    name = "urgent"
    priorities = [1]
    resolution_hours = 4
    [[terms]]
    name = "everyone"
    first_response_hours = 8
    resolution_hours = [8, 16, 40, 80]
    """
    urgent, usual = terms(text).level(Facts(1), DUE), terms(text).level(Facts(3), DUE)
    assert urgent.targets["resolution"] == 4 * HOUR
    assert urgent.targets["first_response"] is None, "nothing is taken over from another term"
    assert usual.targets["resolution"] == 40 * HOUR


def test_tickets_that_no_term_fits_are_due_by_the_days_of_the_policy() -> None:
    level = terms("[[terms]]\nname = 'locks'\ndevice_classes = ['lock']\nresolution_hours = 4").level(Facts(2), DUE)
    assert level.term == "due_days"
    assert level.targets == {"resolution": timedelta(days=3)}
    assert SlaTerms().level(Facts(4), DUE).targets == {"resolution": timedelta(days=14)}


def test_conditions_look_at_model_safety_warranty_region_and_groups() -> None:
    text = """
    [[terms]]
    name = "may hurt somebody"
    safety_classes = ["injury"]
    [[terms]]
    name = "pilots in warranty"
    safety_classes = ["none", "property"]
    groups = ["pilot"]
    warranty = ["in"]
    """
    some = terms(text)
    assert some.level(Facts(2, safety_class="injury"), DUE).term == "may hurt somebody"
    assert (
        some.level(Facts(2, safety_class="none", groups=("group=eu", "group=pilot"), warranty="in"), DUE).term
        == "pilots in warranty"
    )
    assert some.level(Facts(2, safety_class="none", groups=("group=pilot",), warranty="out"), DUE).term == "due_days"


def test_a_calendar_has_lunch_holidays_and_half_days() -> None:
    text = (
        OFFICE
        + "country = 'DE'\nsat = ['10:00-12:00']\nclosed = [2026-12-23]\n[calendars.office.days]\n'2026-12-24' = ['09:00-12:00']"
    )
    office = terms(text + "\n[[terms]]\nname='a'\ncalendar='office'").level(Facts(1), DUE).calendar
    zone = ZoneInfo("Europe/Berlin")
    assert office.add(datetime(2026, 12, 22, 16, tzinfo=zone), 2 * HOUR) == datetime(2026, 12, 24, 10, tzinfo=zone)
    assert office.shifts(date(2026, 12, 25)) == ()
    assert len(office.shifts(date(2026, 12, 19))) == 1


def test_midnight_may_be_written_as_24_00() -> None:
    late = terms("[calendars.late]\nworkdays = ['12:00-24:00']").calendar("late")
    begin = datetime(2026, 5, 4, tzinfo=ZoneInfo("UTC"))
    assert late.between(begin, begin + timedelta(days=1)) == 12 * HOUR


def test_the_example_of_the_documentation_is_taken_as_it_stands() -> None:
    page = (Path(__file__).parents[4] / "docs" / "sla.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml$(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    taken = SlaTerms.model_validate(tomllib.loads(example)["sla"])
    assert taken.level(Facts(2, safety_class="injury"), DUE).calendar.name == "always"
    assert taken.level(Facts(2), DUE).targets["resolution"] == 27 * HOUR
    assert taken.calendar("berlin").shifts(date(2026, 12, 24)) != taken.calendar("berlin").shifts(date(2026, 12, 17))


def test_a_ticket_says_its_due_time_from_its_opening_on() -> None:
    promised = "[[sla.terms]]\nname = 'a'\ncalendar = 'office'\nresolution_hours = [1, 2, 4, 8]\n"
    rule = "[[rules]]\nname = 'all'\nticket = true\n"
    office = OFFICE.replace("[calendars", "[sla.calendars")
    friday = datetime(2026, 5, 8, 16, tzinfo=ZoneInfo("Europe/Berlin"))
    with_terms, without = parse(f"name = 'p'\n{office}{promised}{rule}"), parse(f"name = 'p'\n{rule}")
    assert decisions.due(with_terms, 2, friday) == datetime(2026, 5, 11, 10, tzinfo=ZoneInfo("Europe/Berlin"))
    assert decisions.due(without, 2, friday) == friday + timedelta(days=3)


MODELS = st.frozensets(st.sampled_from("XYZ"), max_size=2)
PRIORITIES = st.frozensets(st.integers(1, 4), max_size=2)


@given(st.lists(st.tuples(MODELS, PRIORITIES), min_size=1, max_size=4))
def test_terms_that_are_taken_leave_no_ticket_to_the_order_alone(
    drawn: list[tuple[frozenset[str], frozenset[int]]],
) -> None:
    """Where two terms fit a ticket, the one that decides is a special case of the other, or they lie behind one that decides."""
    made = [Term(name=str(n), models=tuple(m), priorities=tuple(p)) for n, (m, p) in enumerate(drawn)]
    try:
        taken = SlaTerms(terms=tuple(made))
    except ValidationError:
        return
    for model in (*"XYZ", "W"):
        for priority in range(1, 5):
            fitting = [one for one in taken.terms if one.fits(Facts(priority, model=model))]
            for other in fitting[1:]:
                first = fitting[0].conditions()
                assert all(
                    first.get(key, frozenset()) <= values and key in first for key, values in other.conditions().items()
                )
