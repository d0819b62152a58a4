"""A fleet in real time, at any broker: what ``hearthwatch sim`` runs."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from device_sim.conventions import Translator
from device_sim.fleet import Fleet
from device_sim.scenario import Scenario, load_scenario
from device_sim.uplink import Message
from hearthwatch.clock import SystemClock
from hearthwatch.errors import Invalid
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Clock, Publisher, Receipt, Subscriber
from hearthwatch.values import Message as Received

LOG = logging.getLogger(__name__)

_REPORT_EVERY = timedelta(minutes=1)
_FLUSH_SECONDS = 30.0
_SHORTEST_S = 0.001


def run_sim(
    broker: str,
    *,
    devices: int,
    rate: float,
    seed: int,
    scenario: Path | None,
    convention: str,
    stop: threading.Event,
    clock: Clock | None = None,
) -> None:
    """Publish until ``stop`` is set: ``rate`` messages a second over all devices, each with one sample of the present.

    Everything that happens to the devices happens in real time, and they answer commands. Raises `Invalid` for a wrong scenario
    or convention, `Unavailable` when the broker stays away.
    """
    if rate <= 0:
        raise Invalid("the rate is a number above 0", where="rate")
    translator = Translator(convention)
    time = clock or SystemClock()
    interval = timedelta(seconds=max(devices / rate, _SHORTEST_S))
    fleet = Fleet(_paced(load_scenario(scenario).scaled(devices=devices), time.now(), interval), seed)
    publisher = open_publisher(broker, client_id=f"device-sim-{seed}")
    commands: queue.SimpleQueue[Received] = queue.SimpleQueue()
    subscriber = _listen(broker, seed, translator.command_filters, commands)
    try:
        _Live(fleet, publisher, translator, commands, time, stop).run(interval)
    finally:
        subscriber.stop()
        publisher.close()


def _paced(scenario: Scenario, start: datetime, interval: timedelta) -> Scenario:
    seconds = interval.total_seconds()
    return scenario.model_copy(update={"start": start, "sample_minutes": seconds / 60, "step_hours": seconds / 3600})


def _listen(broker: str, seed: int, filters: Sequence[str], commands: queue.SimpleQueue[Received]) -> Subscriber:
    subscriber = open_subscriber(
        broker,
        client_id=f"device-sim-{seed}-commands",
        filters=filters,
        session_expiry_s=0,
        receive_maximum=100,
    )

    def take(message: Received, receipt: Receipt) -> None:
        commands.put(message)
        subscriber.acknowledge([receipt])

    subscriber.start(take, lambda up, _present: LOG.info("the broker is %s", "there" if up else "away"))
    return subscriber


class _Live:
    """The loop that keeps the fleet in step with the clock."""

    def __init__(
        self,
        fleet: Fleet,
        publisher: Publisher,
        translator: Translator,
        commands: queue.SimpleQueue[Received],
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._fleet = fleet
        self._publisher = publisher
        self._translator = translator
        self._commands = commands
        self._clock = clock
        self._stop = stop
        self._sent = 0
        self._reported = (clock.now(), 0)

    def run(self, interval: timedelta) -> None:
        """Say hello, then a sample of every device per interval, spread over the next one; say goodbye at the end."""
        until = self._fleet.now
        self._send(self._fleet.hello(), until, interval)
        while not self._stop.is_set():
            until += interval
            if self._wait(until):
                break
            self._send(self._fleet.step(until), until, interval)
        self._publish(self._fleet.goodbye())
        self._publisher.flush(_FLUSH_SECONDS)

    def _send(self, messages: Sequence[Message], begin: datetime, interval: timedelta) -> None:
        said = self._translator.translate(messages, begin)
        for number, message in enumerate(said):
            if self._wait(begin + interval * (number / len(said))):
                return
            self._publisher.publish(message[0], message[1], retain=message[2])
            self._sent += 1
            self._obey()
        self._report()

    def _obey(self) -> None:
        while not self._commands.empty():
            command = self._commands.get()
            self._say(self._translator.answer(command.topic, command.payload))
            heard = self._translator.hear(command.topic, command.payload)
            if heard is not None:
                self._publish(self._fleet.receive_command(*heard))

    def _publish(self, messages: Sequence[Message]) -> None:
        self._say(self._translator.translate(messages, self._clock.now()))

    def _say(self, messages: Sequence[Message]) -> None:
        for topic, payload, retain in messages:
            self._publisher.publish(topic, payload, retain=retain)
            self._sent += 1

    def _wait(self, at: datetime) -> bool:
        """Wait for an instant; True when we are to end."""
        ahead = (at - self._clock.now()).total_seconds()
        return self._stop.wait(ahead) if ahead > 0 else self._stop.is_set()

    def _report(self) -> None:
        now, (since, sent) = self._clock.now(), self._reported
        if now - since >= _REPORT_EVERY:
            LOG.info("%d messages sent, %.1f a second", self._sent, (self._sent - sent) / (now - since).total_seconds())
            self._reported = (now, self._sent)
