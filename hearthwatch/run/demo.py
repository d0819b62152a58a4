"""``hearthwatch demo``: a simulated fleet through the whole loop, at accelerated time and on the product's own parts.

One stepped clock for all: the fleet publishes a step, the ledger closes, the clock moves, the due jobs of the table run, the people act.
What comes out depends on the seed, not on the speed of the machine.
"""

from __future__ import annotations

import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from device_sim.fleet import Fleet
from device_sim.history import write_history
from device_sim.people import People
from device_sim.scenario import Scenario, load_scenario
from device_sim.truth import write_truth
from hearthwatch.addresses import masked
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import Publisher, Receipt
from hearthwatch.records import access, devices
from hearthwatch.run.assembly import Platform, build_api, build_channels, build_runner, open_platform
from hearthwatch.run.broker import OwnMosquitto, find_mosquitto
from hearthwatch.run.comparison import compare, read_story
from hearthwatch.run.jobs import JOBS, Work
from hearthwatch.run.printing import show
from hearthwatch.run.schedule import Outcome, Schedule
from hearthwatch.run.server import WebServer
from hearthwatch.settings import Settings, load_settings
from hearthwatch.values import Message
from ingest.history import import_history
from ingest.runner import Runner

STEP_SECONDS = 60.0
COMMAND_FILTER = "hearthwatch/v1/+/command"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for."""

    devices: int | None
    days: int | None
    seed: int
    once: bool
    transport: str
    scenario: Path | None
    port: int
    as_json: bool
    telemetry: str | None = None
    records: str | None = None


@dataclass(slots=True)
class Demo:
    """A running demo."""

    scenario: Scenario
    platform: Platform
    clock: SteppedClock
    runner: Runner
    publisher: Publisher
    fleet: Fleet
    people: People
    schedule: Schedule[Work]
    commands: queue.Queue[Message]
    say: Callable[[str], None]
    messages: int = 0
    job_seconds: dict[str, float] = field(default_factory=dict)
    failed_jobs: list[str] = field(default_factory=list)

    def play(self) -> None:
        """The story from its first to its last step."""
        self.begin()
        while self.clock.now() < self.end:
            self.step()

    @property
    def end(self) -> datetime:
        """When the story ends."""
        return self.scenario.start + timedelta(days=self.scenario.days)

    def begin(self) -> None:
        """The devices say hello, and the people do what is done before the first step."""
        self._publish(self.fleet.hello())
        self.people.prepare(self.clock.now())

    def step(self) -> None:
        """One step: the fleet lives and sends, the due jobs run, the people act."""
        # The clock moves first: a device's samples are from before they arrive, or ingest would refuse them as of the future.
        now = self.clock.advance(self.scenario.step)
        self._publish(self.fleet.step(now))
        for outcome in self.schedule.run_due():
            self._note(outcome)
        self._obey_commands()
        self.people.act(now)
        if now.hour == 0:
            self.say(f"{now:%Y-%m-%d}  {self._progress()}")

    def _publish(self, messages: Iterator[tuple[str, bytes, bool]] | Any) -> None:
        for topic, payload, retain in messages:
            self.publisher.publish(topic, payload, retain=retain)
            self.messages += 1
        self.publisher.flush(STEP_SECONDS)
        self.runner.drain(self.messages, STEP_SECONDS)

    def _obey_commands(self) -> None:
        answers: list[tuple[str, bytes, bool]] = []
        expected = self._delivered_commands()
        while self.fleet.commands_received < expected:
            try:
                command = self.commands.get(timeout=STEP_SECONDS)
            except queue.Empty:
                raise Unavailable("a command did not reach its device", where="demo") from None
            answers.extend(self.fleet.receive_command(command.topic, command.payload))
        if answers:
            self._publish(answers)

    def _delivered_commands(self) -> int:
        from hearthwatch.records import outbox

        with self.platform.database.reading() as connection:
            return outbox.count_delivered(connection, channel="mqtt")

    def _note(self, outcome: Outcome) -> None:
        self.job_seconds[outcome.job] = self.job_seconds.get(outcome.job, 0.0) + outcome.seconds
        if outcome.error:
            self.failed_jobs.append(f"{outcome.job}: {outcome.error}")

    def _progress(self) -> str:
        story = read_story(self.platform.database)
        still_open = sum(finding.state == "open" for finding in story.findings)
        sent = sum(notice.state == "sent" for notice in story.notices)
        closed = sum(ticket.state == "closed" for ticket in story.tickets)
        return f"{still_open} open findings, {sent} notices sent, {closed} of {len(story.tickets)} tickets closed"


def run_demo(options: DemoOptions) -> Mapping[str, Any]:
    """Play the story, compare it with the truth, and print the answer. Without ``once`` the pages stay up until Ctrl-C."""
    folder = Path(tempfile.mkdtemp(prefix="hearthwatch-demo-"))
    try:
        with assembled(options, folder) as (demo, server, transport):
            began = time.perf_counter()
            demo.play()
            answer = _answer(demo, folder, transport, time.perf_counter() - began)
            _print(answer, options)
            if not options.once:
                _stay(demo, server)
            return answer
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def assembled(
    options: DemoOptions, folder: Path, scenario: Scenario | None = None
) -> Iterator[tuple[Demo, WebServer, str]]:
    """Everything of a demo, started and not yet played, with its web server and the name of its transport.

    ``scenario``: this one, whatever the options say.
    """
    say = _quiet if options.as_json else _say
    with ExitStack() as stack:
        broker, transport = _transport(options, folder, stack)
        say(f"transport: {transport}")
        scenario = scenario or load_scenario(options.scenario).scaled(devices=options.devices, days=options.days)
        clock = SteppedClock(scenario.start)
        server_port = 0 if options.once else options.port
        platform = open_platform(_settings(folder, broker, server_port, options), clock)
        stack.callback(platform.close)
        _refuse_used_stores(platform)
        say(f"stores: {masked(platform.settings.telemetry_address)}, {masked(platform.settings.records_address)}")
        fleet = Fleet(scenario, options.seed)
        write_truth(fleet, folder / "truth.json")
        import_past(platform, scenario, options.seed, folder, say)
        runner = build_runner(platform)
        runner.start()
        stack.callback(runner.stop)
        commands = listen_as_fleet(broker, stack)
        outgoing = open_publisher(broker, client_id="hearthwatch-commands")
        stack.callback(outgoing.close)
        publisher = open_publisher(broker, client_id="device-sim")
        stack.callback(publisher.close)
        server = WebServer(build_api(platform, {"ingest": runner.health}), "127.0.0.1", server_port)
        server.start()
        stack.callback(server.stop)
        say(f"watch it at {server.url}")
        people = People(fleet, server.url, create_tokens(platform), options.seed)
        stack.callback(people.close)
        work = Work(platform, build_channels(platform, outgoing))
        schedule = Schedule(JOBS, work, platform.database, clock, platform.holder)
        demo = Demo(scenario, platform, clock, runner, publisher, fleet, people, schedule, commands, say)
        yield demo, server, transport


def _transport(options: DemoOptions, folder: Path, stack: ExitStack) -> tuple[str, str]:
    program = None if options.transport == "local" else find_mosquitto()
    if program is None:
        if options.transport == "mosquitto":
            raise Unavailable("mosquitto is not installed (make services installs it)", where="transport")
        return "local://demo", "local"
    broker = OwnMosquitto(program, folder)
    stack.callback(broker.stop)
    return broker.address, "mosquitto"


def _settings(folder: Path, broker: str, port: int, options: DemoOptions) -> Settings:
    # Everything that names a place is given, so that no setting of a real installation leads the demo there.
    return load_settings(
        data_dir=folder,
        telemetry=options.telemetry or f"duckdb:///{folder / 'telemetry.duckdb'}",
        # The folder is thrown away, so nobody waits for the disk.
        records=options.records or f"sqlite:///{folder / 'records.sqlite3'}?synchronous=off",
        broker=broker,
        client_id="hearthwatch-demo",
        policy_file=None,
        host="127.0.0.1",
        port=port,
        public_url=f"http://127.0.0.1:{port or 8080}",
        raw_days=3650,
        rollup_days=3650,
    )


def _refuse_used_stores(platform: Platform) -> None:
    with platform.database.reading() as connection:
        used = bool(devices.list_devices(connection, limit=1))
    if used or platform.store.metrics():
        raise Invalid("the demo tells its story to empty stores only; these hold something already", where="demo")


def import_past(platform: Platform, scenario: Scenario, seed: int, folder: Path, say: Callable[[str], None]) -> None:
    """Take in the history of another fleet of the same models, for the first training."""
    past = folder / "past"
    mapping = write_history(past, scenario, seed + 1_000_003)
    result = import_history(platform.store, platform.database, past, mapping, platform.clock.now())
    platform.store.rollup(platform.clock.now())
    shutil.rmtree(past)
    say(f"imported another fleet's past: {result['devices']} devices, {result['failures']} failures")


def listen_as_fleet(broker: str, stack: ExitStack) -> queue.Queue[Message]:
    """Commands to the devices, as they come; ``stack`` ends the subscription."""
    subscriber = open_subscriber(
        broker, client_id="device-sim-commands", filters=[COMMAND_FILTER], session_expiry_s=3600, receive_maximum=1000
    )
    received: queue.Queue[Message] = queue.Queue()
    connected: queue.Queue[bool] = queue.Queue()

    def take(message: Message, receipt: Receipt) -> None:
        received.put(message)
        subscriber.acknowledge([receipt])

    subscriber.start(take, lambda up, _present: connected.put(up))
    stack.callback(subscriber.stop)
    connected.get(timeout=STEP_SECONDS)
    return received


def create_tokens(platform: Platform) -> dict[str, str]:
    """A token for each of the people, by the name `People` knows them by."""
    tokens = {}
    with platform.database.transaction() as connection:
        for name, role in (
            ("engineer", "engineer"),
            ("agent", "agent"),
            ("technician", "technician"),
            ("admin", "admin"),
            ("second", "admin"),
        ):
            tokens[name] = access.create_token(connection, f"demo {name}", role, platform.clock.now())
    return tokens


def _answer(demo: Demo, folder: Path, transport: str, seconds: float) -> dict[str, Any]:
    ledger = demo.platform.ledger.snapshot()
    sent = demo.fleet.samples_sent
    kept = ledger["stored"] + ledger["quarantined"]
    device_days = demo.fleet.size * demo.scenario.days
    rate = demo.platform.settings.false_alarms_per_1000_device_days
    comparison = compare(read_story(demo.platform.database), folder / "truth.json", rate=rate, device_days=device_days)
    failures = [*comparison.pop("failures"), *(f"job {line}" for line in demo.failed_jobs)]
    if sent != kept:
        failures.append(f"the ledger does not close: {sent} sent, {kept} kept")
    return {
        "ledger": {
            "sent": sent,
            "stored": ledger["stored"],
            "duplicate": ledger["duplicate"],
            "quarantined": ledger["quarantined"],
            "lost": sent - kept,
        },
        **comparison,
        "transport": transport,
        "passed": not failures,
        "failures": failures,
        "seed": demo.fleet.seed,
        "seconds": round(seconds, 1),
        "job_seconds": {name: round(spent, 2) for name, spent in sorted(demo.job_seconds.items())},
    }


def _print(answer: Mapping[str, Any], options: DemoOptions) -> None:
    if options.as_json:
        show(answer, as_json=True)
        return
    for fault in answer["planted"]:
        found = fault["found_at"] or "not found"
        _say(
            f"  {fault['fault']:<14} {fault['device']:<12} began {fault['at'][:10]}  found {found[:10]}  {fault['finding'] or ''}"
        )
    firmware, false = answer["firmware"], answer["false"]
    _say(f"  release {firmware['bad']}: {firmware['verdict']} since {(firmware['found_at'] or '-')[:10]}")
    _say(f"  falsely flagged: {false['devices']} devices of {false['allowed']} allowed")
    _say(f"  ledger: {answer['ledger']}")
    _say(f"  notices: {answer['notices']}  tickets: {answer['tickets']}")
    for failure in answer["failures"]:
        _say(f"  FAILED: {failure}")
    _say("the story came out as planted" if answer["passed"] else "the story did not come out as planted")


def _stay(demo: Demo, server: WebServer) -> None:
    _say(f"the pages stay at {server.url} until Ctrl-C")
    try:
        queue.Queue[None]().get()
    except KeyboardInterrupt:
        demo.schedule.stop()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _quiet(_line: str) -> None:
    """Say nothing."""
