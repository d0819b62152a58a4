"""Homie and Sparkplug devices at a real broker: what is retained, what is live, and what is left after a restart of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher, TelemetryStore
from hearthwatch.records import devices
from hearthwatch.records.database import Database
from hearthwatch.values import Device
from tests.integration.ingestor import Ingestor, ingesting
from tests.sparkplug_payloads import encode

PATIENCE_S = 30.0
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SINCE, UNTIL = NOW - timedelta(days=1), NOW + timedelta(days=1)
MS = int(NOW.timestamp() * 1000)


@pytest.fixture
def publisher(mosquitto: str) -> Iterator[Publisher]:
    device = open_publisher(mosquitto, client_id="device")
    yield device
    device.close()


@contextmanager
def listening(broker: str, store: TelemetryStore, database: Database, at: datetime) -> Iterator[Ingestor]:
    with ingesting(broker, store, database, SteppedClock(at), spoken=("homie", "sparkplug")) as ingestor:
        yield ingestor


def device(database: Database, device_id: str) -> Device:
    with database.reading() as connection:
        return devices.get(connection, device_id)


def values(store: TelemetryStore, device_id: str) -> list[tuple[str, float]]:
    window = store.window(device_id, SINCE, UNTIL)
    return list(zip(window["metric"].to_pylist(), window["value"].to_pylist(), strict=True))


def test_what_the_broker_kept_of_a_homie_device_is_no_new_measurement(
    mosquitto: str, publisher: Publisher, store: TelemetryStore, database: Database
) -> None:
    announced = {
        "$state": "ready",
        "$fw/name": "weatherstation",
        "$fw/version": "1.0.0",
        "$stats/battery": "80",
        "room/temperature/$datatype": "float",
        "room/temperature/$unit": "°C",
        "room/temperature": "19.5",
    }
    for name, said in announced.items():
        publisher.publish(f"homie/station/{name}", said.encode(), retain=True)
    publisher.flush(PATIENCE_S)
    with listening(mosquitto, store, database, NOW) as ingestor:
        ingestor.runner.drain(len(announced), PATIENCE_S)
        assert values(store, "station") == []
        known = device(database, "station")
        assert (known.model, known.firmware, known.online) == ("weatherstation", "1.0.0", True)
        publisher.publish("homie/station/room/temperature", b"21.5", retain=True)
        publisher.flush(PATIENCE_S)
        ingestor.runner.drain(len(announced) + 1, PATIENCE_S)
        assert values(store, "station") == [("temperature_c", 21.5)]
    publisher.publish("homie/station/room/temperature", b"22.5", retain=True)
    publisher.publish("homie/station/$state", b"lost", retain=True)
    publisher.flush(PATIENCE_S)
    with listening(mosquitto, store, database, NOW + timedelta(minutes=1)) as ingestor:
        ingestor.runner.drain(2, PATIENCE_S)
        assert values(store, "station") == [("temperature_c", 21.5), ("temperature_c", 22.5)], (
            "declarations are remembered"
        )
        assert device(database, "station").online is False
        snapshot = ingestor.ledger.snapshot()
        assert snapshot["received"] == 2, "a session that goes on is sent no copies"


def test_a_sparkplug_node_and_its_device(
    mosquitto: str, publisher: Publisher, store: TelemetryStore, database: Database
) -> None:
    session = {"name": "bdSeq", "dataType": "UInt64", "value": 7}
    firmware = {"name": "Properties/FW", "dataType": "String", "value": "3.1.0"}
    level: dict[str, Any] = {"name": "Tank/Temperature", "alias": 5, "dataType": "Float", "value": 40.5}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("NBIRTH/gate", {"seq": 0, "timestamp": MS, "metrics": [session, firmware]}),
        ("DBIRTH/gate/pump", {"seq": 1, "timestamp": MS, "metrics": [{**level, "properties": {"engUnit": "°C"}}]}),
        (
            "DDATA/gate/pump",
            {"seq": 2, "timestamp": MS + 1, "metrics": [{"alias": 5, "dataType": "Float", "value": 41.5}]},
        ),
    ]
    with listening(mosquitto, store, database, NOW) as ingestor:
        for name, view in steps:
            publisher.publish(f"spBv1.0/plant/{name}", encode(view))
        publisher.flush(PATIENCE_S)
        ingestor.runner.drain(len(steps), PATIENCE_S)
        assert device(database, "plant.gate").firmware == "3.1.0"
        assert values(store, "plant.gate.pump") == [("temperature_c", 40.5), ("temperature_c", 41.5)]
        assert [device(database, one).online for one in ("plant.gate", "plant.gate.pump")] == [True, True]
    with listening(mosquitto, store, database, NOW + timedelta(minutes=1)) as ingestor:
        late = {"seq": 3, "timestamp": MS + 2, "metrics": [{"alias": 5, "dataType": "Float", "value": 42.5}]}
        publisher.publish("spBv1.0/plant/DDATA/gate/pump", encode(late))
        publisher.publish("spBv1.0/plant/NDEATH/gate", encode({"metrics": [{**session, "value": 6}]}))
        publisher.publish("spBv1.0/plant/NDEATH/gate", encode({"metrics": [session]}))
        publisher.flush(PATIENCE_S)
        ingestor.runner.drain(3, PATIENCE_S)
        assert values(store, "plant.gate.pump")[-1] == ("temperature_c", 42.5), "certificates outlive a restart"
        assert [device(database, one).online for one in ("plant.gate", "plant.gate.pump")] == [False, False]
        assert ingestor.ledger.snapshot()["ignored"] == 1, "the death of the older session"
