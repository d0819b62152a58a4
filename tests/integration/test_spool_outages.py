"""The platform as a process, while InfluxDB is killed or stands still: everything is acknowledged, nothing is lost or stored twice."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hearthwatch.messaging import open_publisher
from hearthwatch.telemetry import open_store
from ingest.spools import survey
from tests import influxdb_server
from tests.platform_processes import Role

DEVICES = 20
BASE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
PATIENCE_S = 60.0


class House:
    """Devices, a broker, an InfluxDB of our own, and the platform in one process."""

    def __init__(self, broker: str, folder: Path) -> None:
        self._folder = folder
        self._publisher = open_publisher(broker, client_id="devices")
        (folder / "influxd").mkdir()
        self.influxd, self._influxd_process = influxdb_server.start(folder / "influxd")
        self.address = self.influxd.address("spooled")
        self.data = folder / "data"
        options = {
            "data_dir": str(self.data),
            "telemetry": self.address,
            "broker": broker,
            "conventions": "native",
            "spool_after_s": "1",
            "spool_free_share": "0",
            "batch_messages": "100",
        }
        self.platform = Role("platform", "all", options, folder / "platform.log")
        self.sent = 0
        self.comings: list[bool] = []

    def start(self) -> None:
        self.platform.start()
        wait(self.platform.up, "the platform is up")

    def send(self, rounds: int) -> None:
        """A numbered sample of every device, and a coming or going without a time, per round."""
        for number in range(self.sent, self.sent + rounds):
            at = (BASE + timedelta(seconds=number)).isoformat()
            for device in range(DEVICES):
                sample = {"at": at, "m": {"temperature_c": float(number)}}
                self._publish(f"d{device}", "telemetry", {"fw": "1.0", "boot": "b", "seq": number, "samples": [sample]})
            self.comings.append(not self.comings or not self.comings[-1])
            self._publish("timeless", "presence", {"online": self.comings[-1], "boot": "b"})
        self.sent += rounds
        self._publisher.flush(PATIENCE_S)

    def _publish(self, device: str, kind: str, given: object) -> None:
        self._publisher.publish(f"hearthwatch/v1/{device}/{kind}", json.dumps(given).encode())

    def kill_influxd(self) -> None:
        self._influxd_process.kill()
        self._influxd_process.wait()

    def start_influxd(self) -> None:
        port = int(self.influxd.url.rpartition(":")[2])
        self.influxd, self._influxd_process = influxdb_server.start(self._folder / "influxd", port=port)

    def signal_influxd(self, number: signal.Signals) -> None:
        os.kill(self._influxd_process.pid, number)

    def figures(self) -> dict[str, float]:
        """What /metrics says of the ingestor, by name and label."""
        answer = self.platform.get("/metrics")
        if answer is None:
            return {}
        families = text_string_to_metric_families(answer.text)
        found = {}
        for family in families:
            for sample in family.samples:
                label = next((value for name, value in sample.labels.items() if name != "session"), "")
                found[f"{sample.name.removeprefix('hearthwatch_ingest_')} {label}".strip()] = sample.value
        return found

    def wait_for(self, what: str, told: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """Wait until the figures say so."""
        wait(lambda: bool(figures := self.figures()) and told(figures), f"{what}: {self.figures()}")
        return self.figures()

    def waiting(self) -> int:
        """Messages in the spool, whether the platform runs or not."""
        return sum(state.messages for state in survey(self.data).values())

    def parts(self) -> tuple[int, dict[str, Any]]:
        """What /readyz answers."""
        answer = self.platform.get("/readyz")
        assert answer is not None
        return answer.status_code, answer.json()["parts"]["ingest"]

    def check_stored(self) -> None:
        """Every sample is there, once."""
        store = open_store(self.address)
        until = datetime.now(UTC) + timedelta(days=1)
        for device in range(DEVICES):
            values = store.window(f"d{device}", BASE, until)["value"].to_pylist()
            assert values == [float(number) for number in range(self.sent)], f"d{device}"
        assert store.presence(BASE, until, devices=["timeless"])["online"].to_pylist() == self.comings
        store.close()

    def close(self) -> None:
        self._publisher.close()
        if self.platform.alive:
            self.platform.kill()
        self.signal_influxd(signal.SIGCONT) if self._influxd_process.poll() is None else None
        influxdb_server.stop(self._influxd_process)


def wait(done: Callable[[], bool], what: str, seconds: float = PATIENCE_S, pause: float = 0.1) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, what
        time.sleep(pause)


@pytest.fixture
def house(mosquitto: str, tmp_path: Path) -> Iterator[House]:
    made = House(mosquitto, tmp_path)
    try:
        yield made
    finally:
        made.close()


def closes(figures: dict[str, float]) -> bool:
    """Whether the ledger closes with nothing in flight."""
    gone = sum(figures[f"samples_total {name}"] for name in ("stored", "duplicate", "quarantined", "ignored"))
    received = gone + figures["samples_spooled"] + figures["samples_in_flight"]
    return figures["samples_received_total"] == received and figures["samples_in_flight"] == 0


def test_influxdb_is_killed_and_the_platform_twice_meanwhile_and_nothing_is_lost_or_stored_twice(house: House) -> None:
    house.start()
    each = DEVICES + 1
    house.send(20)
    house.wait_for(
        "the first are stored, not spooled because the server was slow",
        lambda told: told["samples_total stored"] >= 20 * each and told["spool_messages"] == 0,
    )
    house.kill_influxd()
    house.send(40)
    told = house.wait_for(
        "all is acknowledged without a store", lambda told: told["messages_total acknowledged"] >= 60 * each
    )
    assert told["spool_messages"] == 40 * each
    assert told["samples_spooled"] == 40 * each
    assert told["spool_full"] == 0
    status, part = house.parts()
    assert (status, part["store_away"], part["spool"]["messages"]) == (503, True, 40 * each)
    house.platform.kill()
    assert survey(house.data)["hearthwatch-ingest"].messages == 40 * each
    house.send(40)  # it waits with the broker
    house.start()
    house.wait_for("what waited is spooled", lambda told: told["spool_messages"] == 80 * each)
    code, seconds = house.platform.end()
    assert (code, seconds < 10) == (0, True)
    house.start_influxd()
    house.start()
    house.send(20)
    told = house.wait_for(
        "all is stored",
        lambda told: told["messages_total acknowledged"] >= 20 * each and told["spool_messages"] == 0 and closes(told),
    )
    assert told["samples_total duplicate"] == 0
    assert told["samples_total stored"] == 100 * each
    assert house.parts()[0] == 200
    house.check_stored()
    assert not list(house.data.glob("spool/*/*.segment"))


def test_influxdb_stands_still_and_what_comes_is_acknowledged_all_the_same(house: House) -> None:
    house.start()
    each = DEVICES + 1
    house.send(10)
    house.wait_for("the first are stored", lambda told: told["messages_total acknowledged"] >= 10 * each)
    house.signal_influxd(signal.SIGSTOP)
    began = time.monotonic()
    house.send(200)
    house.wait_for("all is acknowledged", lambda told: told["messages_total acknowledged"] >= 210 * each)
    assert time.monotonic() - began < 100, "it waited for a store that does not answer"
    house.platform.kill()
    house.signal_influxd(signal.SIGCONT)  # it stores now what it was asked to before the kill
    house.start()
    house.send(10)
    told = house.wait_for(
        "all is stored",
        lambda told: told["messages_total acknowledged"] >= 10 * each and told["spool_messages"] == 0 and closes(told),
    )
    assert told["samples_total stored"] + told["samples_total duplicate"] >= 210 * each
    house.check_stored()


def test_killed_again_and_again_while_it_spools_and_while_it_empties_the_spool(house: House) -> None:
    chance = random.Random(7)
    house.start()
    for _ in range(2):
        house.kill_influxd()
        for _ in range(2):  # a kill while it spools
            house.send(60)
            threading.Event().wait(chance.uniform(0.2, 1.5))
            house.platform.kill()
            house.start()
        house.start_influxd()
        before = house.waiting()
        assert before > 500
        house.platform.kill()
        house.platform.start()
        wait(lambda left=before: house.waiting() < left, "it empties the spool", pause=0.002)  # type: ignore[misc]
        house.platform.kill()
        print(f"killed when {house.waiting()} of {before} messages were left, of {house.sent * (DEVICES + 1)} sent")
        house.start()
        house.send(20)
    told = house.wait_for(
        "all is stored",
        lambda told: (
            told["messages_total acknowledged"] >= 20 * (DEVICES + 1) and told["spool_messages"] == 0 and closes(told)
        ),
    )
    house.check_stored()
    assert told["samples_in_flight"] == 0
