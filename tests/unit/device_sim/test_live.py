"""A fleet in real time at a broker."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator

import pytest

from device_sim.live import run_sim
from hearthwatch.errors import Invalid
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Receipt
from hearthwatch.values import Message
from tests.unit.device_sim.conftest import SMALL

BROKER = "local://live-fleet"


@pytest.fixture
def heard() -> Iterator[queue.Queue[Message]]:
    """Everything that is published at the broker."""
    subscriber = open_subscriber(BROKER, client_id="listener", filters=["#"], session_expiry_s=0, receive_maximum=1000)
    messages: queue.Queue[Message] = queue.Queue()

    def take(message: Message, receipt: Receipt) -> None:
        messages.put(message)
        subscriber.acknowledge([receipt])

    subscriber.start(take, lambda _up, _present: None)
    yield messages
    subscriber.stop()


def running(stop: threading.Event, convention: str = "native", rate: float = 400.0) -> threading.Thread:
    arguments = {"devices": 12, "rate": rate, "seed": 1, "scenario": SMALL, "convention": convention, "stop": stop}
    thread = threading.Thread(target=run_sim, args=(BROKER,), kwargs=arguments)
    thread.start()
    return thread


def until(messages: queue.Queue[Message], ending: str, count: int) -> list[Message]:
    found: list[Message] = []
    while len(found) < count:
        message = messages.get(timeout=20)
        if message.topic.endswith(ending):
            found.append(message)
    return found


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(Invalid, match="rate"):
        run_sim(BROKER, devices=1, rate=rate, seed=1, scenario=None, convention="native", stop=threading.Event())


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(Invalid, match="convention"):
        run_sim(BROKER, devices=1, rate=1, seed=1, scenario=None, convention="morse", stop=threading.Event())


def test_devices_come_report_the_present_and_leave(heard: queue.Queue[Message]) -> None:
    stop = threading.Event()
    thread = running(stop)
    telemetry = until(heard, "/telemetry", 60)
    stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()
    farewells = [json.loads(message.payload)["online"] for message in until(heard, "/presence", 12)]
    assert farewells == [False] * 12
    assert len({message.topic for message in telemetry}) == 12
    samples = json.loads(telemetry[-1].payload)["samples"]
    assert len(samples) == 1
    assert samples[0]["at"][:10] == telemetry[-1].received_at.date().isoformat()


def test_the_rate_is_kept(heard: queue.Queue[Message]) -> None:
    stop = threading.Event()
    began = time.monotonic()
    thread = running(stop, rate=60.0)
    until(heard, "/telemetry", 36)
    took = time.monotonic() - began
    stop.set()
    thread.join(timeout=20)
    # Hello takes one interval (12 / 60 s), then 36 messages at 60 a second; a busy machine may be slower, never faster.
    assert took > 0.5


def test_a_live_device_obeys_commands(heard: queue.Queue[Message]) -> None:
    stop = threading.Event()
    thread = running(stop)
    device = until(heard, "/telemetry", 1)[0].topic.split("/")[2]
    publisher = open_publisher(BROKER, client_id="commander")
    publisher.publish(f"hearthwatch/v1/{device}/command", b'{"id": "c9", "kind": "diagnose"}')
    replies = until(heard, "/reply", 1)
    stop.set()
    thread.join(timeout=20)
    publisher.close()
    assert json.loads(replies[0].payload)["id"] == "c9"


def test_it_speaks_other_conventions(heard: queue.Queue[Message]) -> None:
    stop = threading.Event()
    thread = running(stop, convention="tasmota")
    states = until(heard, "/STATE", 12)
    stop.set()
    thread.join(timeout=20)
    assert all("Wifi" in json.loads(state.payload) for state in states)
