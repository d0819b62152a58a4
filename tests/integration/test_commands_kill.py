"""An ingestor that is killed while answers come: every command has its answer in the end, and what MQTT 5 tells a device."""

from __future__ import annotations

import queue
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from alerts import commands as asked
from alerts import delivery
from alerts.channels.command import CommandChannel
from hearthwatch.messaging import open_publisher
from hearthwatch.messaging.address import parse_broker
from hearthwatch.records import commands, devices
from hearthwatch.records.database import Database, open_database
from hearthwatch.values import Message
from tests.faults.ingest_child import Child
from tests.integration.scripted_devices import Answers, Scripted, wait_until

DEVICES = [f"lamp-{number}" for number in range(40)]
PATIENCE_S = 60.0


def answer(said: Message) -> Answers:
    given = msgspec.json.decode(said.payload)
    topic = said.topic.replace("/command", "/reply")
    return [(topic, {"id": given["id"], "ok": True, "detail": {"turn": turn}}) for turn in (1, 2)]


def ask_all(database: Database) -> None:
    now = datetime.now(UTC)
    with database.transaction() as connection:
        for device in DEVICES:
            asked.ask(connection, device, "diagnostics", why="a test", actor="ann", now=now)


def states(database: Database) -> list[tuple[str, Any]]:
    with database.reading() as connection:
        found = commands.list_commands(connection, limit=1000)
    return [(one.state, (one.answer or {}).get("turn")) for one in found]


def test_an_ingestor_that_is_killed_while_answers_come_loses_none(mosquitto: str, tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path), "broker": mosquitto, "conventions": ["native"], "batch_messages": 5}
    child = Child(options)
    child.wait_until_handled(0)
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    publisher = open_publisher(mosquitto, client_id="hearthwatch-commands")
    lamps = Scripted(mosquitto, "lamps", ["hearthwatch/v1/+/command"], answer)
    with database.transaction() as connection:
        devices.register(connection, [{"id": one} for one in DEVICES])
    ask_all(database)
    delivery.deliver(database, {"mqtt": CommandChannel(publisher)}, datetime.now(UTC), worker="test")
    child.kill()
    lamps.settle()
    again = Child(options)
    try:
        wait_until(lambda: states(database) == [("answered", 1)] * len(DEVICES), PATIENCE_S)
    finally:
        again.end()
        lamps.close()
        publisher.close()
        database.close()


def test_a_native_device_that_speaks_mqtt_5_is_told_where_to_answer_and_by_which_id(mosquitto: str) -> None:
    heard: queue.Queue[paho.MQTTMessage] = queue.Queue()
    address = parse_broker(mosquitto)
    device = paho.Client(CallbackAPIVersion.VERSION2, client_id="lamp-1", protocol=paho.MQTTv5)
    device.on_subscribe = lambda *_given: heard.put(paho.MQTTMessage())
    device.on_message = lambda _client, _data, message: heard.put(message)
    device.connect(address.host, address.port)
    device.subscribe("hearthwatch/v1/lamp-1/command", 1)
    device.loop_start()
    heard.get(timeout=PATIENCE_S)  # it is subscribed
    publisher = open_publisher(mosquitto, client_id="hearthwatch-commands")
    text = '{"id":"r1","kind":"diagnostics"}'
    CommandChannel(publisher).deliver(address="hearthwatch/v1/lamp-1/command", subject="", text=text, html="", key="k")
    told: Any = heard.get(timeout=PATIENCE_S).properties
    assert (told.ResponseTopic, told.CorrelationData) == ("hearthwatch/v1/lamp-1/reply", b"r1")
    publisher.close()
    device.disconnect()
    device.loop_stop()
