"""Trying again what was held back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, quarantine
from hearthwatch.records.database import Database
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.run.replaying import replay_held
from hearthwatch.settings import Settings
from hearthwatch.values import Event, Message, Presence, Reading, WriteResult
from hearthwatch.wire.registry import Decoder, conventions
from ingest import quarantine as replaying
from ingest.limits import Limits
from ingest.quarantine import replay
from tests.mappings import mapped

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AT = (NOW - timedelta(minutes=1)).isoformat()
LIMITS = Limits(metric_budget=2)


def telemetry(**metrics: float) -> bytes:
    return msgspec.json.encode({"samples": [{"at": AT, "m": metrics}], "fw": "2.4.1"})


def item(payload: bytes, *, part: str = "", reason: str = "bad", samples: int = 1, topic: str = "") -> QuarantineItem:
    return QuarantineItem(NOW, "mqtt", topic or "hearthwatch/v1/d1/telemetry", payload, "d1", part, reason, samples)


def hold(database: Database, items: Sequence[QuarantineItem]) -> None:
    with database.transaction() as connection:
        quarantine.hold(connection, items)


def run(store: TelemetryStore, database: Database) -> dict[str, int]:
    return replay(store, database, Decoder(conventions(("native",))), NOW, limits=LIMITS)


def states(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return quarantine.counts(connection)


def test_an_empty_quarantine_gives_nothing(store: TelemetryStore, database: Database) -> None:
    assert run(store, database) == {"replayed": 0, "stored": 0, "duplicate": 0, "still_bad": 0}


def test_what_is_still_bad_stays(store: TelemetryStore, database: Database) -> None:
    hold(database, [item(b"no json"), item(telemetry(a=1), part="", reason="sent by another user than the device")])
    assert run(store, database) == {"replayed": 0, "stored": 0, "duplicate": 0, "still_bad": 2}
    assert states(database) == {"held": 2}


def test_rows_of_files_are_left_to_the_import(store: TelemetryStore, database: Database) -> None:
    row = QuarantineItem(NOW, "history.csv", "history.csv", b"1,2", None, "row 1", "no number")
    hold(database, [row])
    assert run(store, database)["still_bad"] == 0
    assert states(database) == {"held": 1}


def test_what_is_good_now_is_stored_once(store: TelemetryStore, database: Database) -> None:
    hold(database, [item(telemetry(a=1), reason="the decoder failed: KeyError")])
    assert run(store, database) == {"replayed": 1, "stored": 1, "duplicate": 0, "still_bad": 0}
    assert run(store, database) == {"replayed": 0, "stored": 0, "duplicate": 0, "still_bad": 0}
    assert states(database) == {"replayed": 1}
    assert store.window("d1", NOW - timedelta(hours=1), NOW).num_rows == 1
    with database.reading() as connection:
        assert devices.get(connection, "d1").firmware == "2.4.1"


def test_a_metric_that_came_too_early_for_the_budget_is_added_to_its_sample(
    store: TelemetryStore, database: Database
) -> None:
    payload = telemetry(a=1, b=2, c=3)
    reading = Reading("d1", "native", NOW - timedelta(minutes=1), {"a": 1.0}, "2.4.1")
    store.write([reading])
    hold(database, [item(payload, part=f"reading at {AT} {name}", samples=0) for name in ("b", "c")])
    answer = run(store, database)
    assert (answer["replayed"], answer["still_bad"], answer["duplicate"], answer["stored"]) == (1, 1, 1, 1)
    table = store.window("d1", NOW - timedelta(hours=1), NOW)
    assert sorted(zip(table["metric"].to_pylist(), table["value"].to_pylist(), strict=True)) == [("a", 1.0), ("b", 2.0)]


def test_identities_are_applied(store: TelemetryStore, database: Database) -> None:
    claim = item(msgspec.json.encode({"model": "lock-2"}), topic="hearthwatch/v1/d1/identity")
    hold(database, [claim])
    assert run(store, database) == {"replayed": 1, "stored": 1, "duplicate": 0, "still_bad": 0}
    with database.reading() as connection:
        assert devices.get(connection, "d1").model == "lock-2"


class Picky:
    """A store that never takes one metric."""

    def __init__(self, real: TelemetryStore) -> None:
        self._real = real

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        if any(isinstance(value, Reading) and "b" in value.metrics for value in values):
            raise Invalid("not this one")
        return self._real.write(values)


def test_what_the_store_cannot_take_stays_alone(store: TelemetryStore, database: Database) -> None:
    hold(database, [item(telemetry(a=1)), item(telemetry(b=1)), item(b"no json")])
    answer = run(Picky(store), database)  # type: ignore[arg-type]
    assert answer == {"replayed": 1, "stored": 1, "duplicate": 0, "still_bad": 2}


@pytest.mark.parametrize("count", [1100])
def test_many_pages_are_replayed(store: TelemetryStore, database: Database, count: int) -> None:
    hold(
        database,
        [item(telemetry(a=number), topic=f"hearthwatch/v1/d{number}/telemetry") for number in range(count)],
    )
    assert run(store, database)["stored"] == count
    assert states(database) == {"replayed": count}


def test_the_parts_of_a_message_are_replayed_together_wherever_a_page_ends(
    store: TelemetryStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "PAGE", 2)
    payload = telemetry(a=1, b=2, c=3)
    store.write([Reading("d1", "native", NOW - timedelta(minutes=1), {"a": 1.0}, "2.4.1")])
    others = [item(telemetry(a=n), topic=f"hearthwatch/v1/d{n}/telemetry") for n in range(2, 5)]
    parts = [item(payload, part=f"reading at {AT} {name}", samples=0) for name in ("b", "c")]
    hold(database, [parts[0], *others, parts[1]])
    answer = replay(store, database, Decoder(conventions(("native",))), NOW, limits=Limits(metric_budget=512))
    assert (answer["replayed"], answer["still_bad"]) == (5, 0)
    table = store.window("d1", NOW - timedelta(hours=1), NOW)
    assert sorted(zip(table["metric"].to_pylist(), table["value"].to_pylist(), strict=True)) == [
        ("a", 1.0),
        ("b", 2.0),
        ("c", 3.0),
    ]


def test_the_limits_of_a_replay_are_those_of_the_settings(store: TelemetryStore, database: Database) -> None:
    old = msgspec.json.encode({"at": (NOW - timedelta(days=40)).isoformat(), "m": {"a": 1}})
    hold(database, [item(old, reason="the time lies before what is kept")])
    assert replay_held(Settings(), store, database, NOW)["still_bad"] == 1
    assert replay_held(Settings(raw_days=60), store, database, NOW) == {
        "replayed": 1,
        "stored": 1,
        "duplicate": 0,
        "still_bad": 0,
    }


def test_quarantine_is_bounded_and_what_was_replayed_leaves_first(
    store: TelemetryStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_ITEMS", 10)
    monkeypatch.setattr(quarantine, "SLACK", 2)
    hold(database, [item(b"no json, and the oldest")])
    hold(database, [item(telemetry(a=number), topic=f"hearthwatch/v1/r{number}/telemetry") for number in range(5)])
    run(store, database)
    assert states(database) == {"held": 1, "replayed": 5}
    hold(database, [item(b"poison %d" % number) for number in range(8)])
    assert states(database) == {"held": 8}, "fourteen were four too many, and two more make room for the next"
    for number in range(30):
        hold(database, [item(b"more %d" % number)])
    assert sum(states(database).values()) <= 10
    with database.reading() as connection:
        newest = quarantine.list_items(connection, limit=1)[0]
    assert newest.payload == b"more 29"


def test_the_same_poison_again_and_again_pushes_nothing_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_ITEMS", 3)
    hold(database, [item(b"one"), item(b"two")])
    for _ in range(20):
        hold(database, [item(b"again")])
    assert states(database) == {"held": 3}


def test_a_mapping_that_was_mended_adds_the_metric_it_missed_once(store: TelemetryStore, database: Database) -> None:
    text = (
        'name = "own"\n[[topics]]\nfilter = "own/{device}"\nkind = "telemetry"\nat = "$.at"\n[topics.metrics]\n'
        'power_w = "$.w"\ntemperature_c = { path = "$.temp", required = true }\n'
    )
    message = Message("own/d1", msgspec.json.encode({"at": AT, "w": 5, "t": 21.5}), NOW)
    wrong, mended = (Decoder([mapped(one)]) for one in (text, text.replace("$.temp", "$.t")))
    _, decoded = wrong.decode(message)
    store.write([value for value in decoded.values if isinstance(value, Reading)])
    (rejection,) = decoded.rejected
    hold(
        database,
        [QuarantineItem(NOW, "mqtt", message.topic, message.payload, "d1", rejection.part, rejection.reason, 0)],
    )
    limits = Limits(metric_budget=512)
    assert replay(store, database, mended, NOW, limits=limits) == {
        "replayed": 1,
        "stored": 1,
        "duplicate": 1,
        "still_bad": 0,
    }
    assert replay(store, database, mended, NOW, limits=limits)["stored"] == 0
    table = store.window("d1", NOW - timedelta(hours=1), NOW)
    assert sorted(zip(table["metric"].to_pylist(), table["value"].to_pylist(), strict=True)) == [
        ("power_w", 5.0),
        ("temperature_c", 21.5),
    ]
