"""Quarantine, decoder states, metric names and imports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hearthwatch.errors import Missing
from hearthwatch.records import decoder_states, imports, metric_names, quarantine
from hearthwatch.records.database import Database
from hearthwatch.records.quarantine import QuarantineItem

AT = datetime(2026, 5, 1, tzinfo=UTC)
POISON = QuarantineItem(AT, "mqtt", "hearthwatch/v1/d-1/telemetry", b"\x00{", "d-1", "", "not JSON")


def test_an_item_nobody_held_is_missing(database: Database) -> None:
    with pytest.raises(Missing), database.reading() as connection:
        quarantine.get(connection, 1)


def test_the_same_poison_is_held_once_and_counted(database: Database) -> None:
    with database.transaction() as connection:
        assert quarantine.hold(connection, [POISON, POISON, replace(POISON, part="m.x")]) == 2
        assert quarantine.hold(connection, [replace(POISON, received_at=AT + timedelta(days=1))]) == 0
        other, first = quarantine.list_items(connection)
        assert (first.seen, first.received_at, other.seen, other.part) == (3, AT + timedelta(days=1), 1, "m.x")
        assert first.payload == b"\x00{"
        assert quarantine.list_items(connection, after=other.id) == [first]


def test_parts_that_only_look_alike_are_two_items(database: Database) -> None:
    with database.transaction() as connection:
        items = [replace(POISON, topic="ab", part="c"), replace(POISON, topic="a", part="bc")]
        assert quarantine.hold(connection, items) == 2


def test_what_was_replayed_and_comes_again_is_held_again_but_the_discarded_is_not(database: Database) -> None:
    with database.transaction() as connection:
        quarantine.hold(connection, [POISON, replace(POISON, part="m.x")])
        second, first = quarantine.list_items(connection)
        assert quarantine.mark(connection, [first.id], "replayed") == 1
        assert quarantine.mark(connection, [second.id], "discarded") == 1
        assert quarantine.counts(connection) == {"replayed": 1, "discarded": 1}
        quarantine.hold(connection, [POISON, replace(POISON, part="m.x")])
        assert quarantine.counts(connection) == {"held": 1, "discarded": 1}


def test_a_topic_and_a_reason_longer_than_their_columns_are_cut(database: Database) -> None:
    with database.transaction() as connection:
        quarantine.hold(connection, [replace(POISON, topic="t" * 5000, reason="r" * 5000, device="d" * 500)])
        (held,) = quarantine.list_items(connection, state="held")
    assert (len(held.topic), len(held.reason), len(held.device or "")) == (1024, 400, 64)


def test_decoder_states_come_back_and_none_forgets_one(database: Database) -> None:
    with database.transaction() as connection:
        decoder_states.save(connection, {("tasmota", "plug-1"): {"prefix": "x"}, ("homie", "h"): {"a": [1]}}, AT)
        decoder_states.save(connection, {("tasmota", "plug-1"): {"prefix": "y"}, ("homie", "h"): None}, AT)
        decoder_states.save(connection, {}, AT)
        assert decoder_states.load(connection) == {("tasmota", "plug-1"): {"prefix": "y"}}


def test_metric_names_beyond_the_budget_are_not_admitted(database: Database) -> None:
    with database.transaction() as connection:
        assert metric_names.admit(connection, ["a", "b", "a"], "d-1", AT, 2) == {"a", "b"}
        assert metric_names.admit(connection, ["c", "b"], "d-1", AT, 2) == {"b"}
        assert metric_names.admit(connection, ["c", "d"], None, AT, 3) == {"c"}
        assert metric_names.load(connection) == {"a", "b", "c"}


def test_an_import_that_has_not_finished_has_no_result(database: Database) -> None:
    with database.transaction() as connection:
        first = imports.begin(connection, "past.csv", "[source]", AT)
        second = imports.begin(connection, "past.csv", "[source]", AT)
        imports.finish(connection, first, AT, {"rows": 3})
        assert [(one.id, one.result) for one in imports.list_imports(connection)] == [
            (second, None),
            (first, {"rows": 3}),
        ]
