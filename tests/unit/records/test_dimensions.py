"""What splits a model beside its firmware, with its time; and the standing comparisons by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Conflict, Invalid, Missing, Stale
from hearthwatch.records import attributes, comparison_looks, comparisons, devices
from hearthwatch.records.comparison_looks import ComparisonLook
from hearthwatch.records.database import Database
from tests.records_rows import look_figures

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ASK = {"model": "M", "by": "batch", "treatment": "B7", "since": AT, "now": AT, "actor": "ada"}


def spans(database: Database, device: str) -> list[tuple[str, str, datetime, datetime | None]]:
    with database.reading() as connection:
        return [(one.name, one.value, one.from_at, one.to_at) for one in attributes.of_device(connection, device)]


@pytest.mark.parametrize("name", ["", "1st", "a b", "model", "firmware", "x" * 64])
def test_an_attribute_that_is_no_name_or_means_something_else_already_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="attribute"):
        attributes.check_name(name)


def test_a_value_holds_from_ever_until_another_one_is_told(database: Database) -> None:
    with database.transaction() as connection:
        assert attributes.tell(connection, [("d-1", "batch", "B7"), ("d-2", "batch", "B7")], AT) == 2
        assert attributes.tell(connection, [("d-1", "batch", "B7")], AT + DAY) == 0
        assert attributes.tell(connection, [("d-1", "batch", "B8")], AT + 2 * DAY) == 1
        assert attributes.present(connection, ["d-1", "d-2", "d-3"]) == {
            "d-1": {"batch": "B8"},
            "d-2": {"batch": "B7"},
        }
        assert len(attributes.find(connection, "batch", ["d-1", "d-2"])) == 3
    assert spans(database, "d-1") == [
        ("batch", "B7", attributes.EVER, AT + 2 * DAY),
        ("batch", "B8", AT + 2 * DAY, None),
    ]


def test_a_value_taken_back_ends_and_one_told_later_begins_then(database: Database) -> None:
    with database.transaction() as connection:
        attributes.tell(connection, [("d-1", "supplier", "ACME")], AT)
        attributes.tell(connection, [("d-1", "supplier", None)], AT + DAY)
        attributes.tell(connection, [("d-1", "supplier", "Sol")], AT + 2 * DAY)
    assert spans(database, "d-1") == [
        ("supplier", "ACME", attributes.EVER, AT + DAY),
        ("supplier", "Sol", AT + 2 * DAY, None),
    ]


def test_two_words_at_the_same_time_leave_the_last_one(database: Database) -> None:
    with database.transaction() as connection:
        attributes.tell(connection, [("d-1", "batch", "B7")], AT)
        attributes.tell(connection, [("d-1", "batch", "B8")], AT + DAY)
        attributes.tell(connection, [("d-1", "batch", "B9")], AT + DAY)
    assert spans(database, "d-1")[1:] == [("batch", "B9", AT + DAY, None)]


def test_a_device_that_moves_keeps_its_former_region_for_the_time_before(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "region": "north", "hardware": "A"}], AT)
        assert attributes.of_device(connection, "d-1") == []  # nothing has changed yet
        devices.update(connection, "d-1", None, {"region": "south"}, AT + DAY)
        devices.register(connection, [{"id": "d-1", "region": "west", "hardware": "A"}], AT + 2 * DAY)
    assert spans(database, "d-1") == [
        ("region", "north", attributes.EVER, AT + DAY),
        ("region", "south", AT + DAY, AT + 2 * DAY),
        ("region", "west", AT + 2 * DAY, None),
    ]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"by": "firmware"}, "releases"),
        ({"by": "part:"}, "which part"),
        ({"by": "<b>"}, "attribute"),
        ({"control": ["B7"]}, "with itself"),
        ({"since": AT + DAY}, "future"),
        ({"since": AT - 181 * DAY}, "180 days back"),
    ],
)
def test_a_question_without_an_answer_is_refused(database: Database, changes: dict[str, object], match: str) -> None:
    with database.transaction() as connection, pytest.raises(Invalid, match=match):
        comparisons.create(connection, **(ASK | changes))  # type: ignore[arg-type]


def test_the_same_question_is_asked_once_until_it_is_ended(database: Database) -> None:
    with database.transaction() as connection:
        first = comparisons.create(connection, **ASK, control=["B2", "B1"])  # type: ignore[arg-type]
        assert first.control == ("B1", "B2")
        with pytest.raises(Conflict):
            comparisons.create(connection, **ASK, control=["B1", "B2"])  # type: ignore[arg-type]
        with pytest.raises(Stale):
            comparisons.end(connection, first.id, 9, AT + DAY)
        with pytest.raises(Missing):
            comparisons.end(connection, 99, None, AT + DAY)
        ended = comparisons.end(connection, first.id, first.revision, AT + DAY)
        assert (ended.ended_at, ended.revision) == (AT + DAY, 2)
        with pytest.raises(Conflict):
            comparisons.end(connection, first.id, None, AT + DAY)
        second = comparisons.create(connection, **ASK, control=["B1", "B2"])  # type: ignore[arg-type]
        assert comparisons.list_comparisons(connection, ended=False) == [second]
        assert comparisons.list_comparisons(connection, model="M", after=second.id) == [ended]


def test_looks_at_a_comparison_are_written_once(database: Database) -> None:
    with database.transaction() as connection:
        one = comparisons.create(connection, **ASK)  # type: ignore[arg-type]
        looks = [
            ComparisonLook(
                comparison_id=one.id,
                **look_figures(
                    "reboots", AT + day * DAY, "too_early", "w" * 900, 1.5, (10, 20), (1.0, 2.0), (3.0, 4.0)
                ),
            )
            for day in (0, 1)
        ]
        assert comparison_looks.append(connection, looks) == 2
        assert comparison_looks.append(connection, looks) == 0
        assert [look.at for look in comparison_looks.list_looks(connection, one.id, metric="reboots")] == [AT, AT + DAY]
        assert [look.at for look in comparison_looks.latest(connection)] == [AT + DAY]


def test_a_look_at_a_comparison_nobody_asked_for_is_refused(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as connection:
        comparison_looks.append(connection, [ComparisonLook(comparison_id=99, **look_figures("x", AT, "same"))])
