"""A platform of separate processes on real servers, its clock, its fleet and its people: the stage of the five paths.

A path is a generator. It acts when its time has come, yields where it waits for the next step of half a day, and asserts what its people
would notice on the way.
"""

from __future__ import annotations

import queue
import random
import re
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from device_sim.people.customers import read_form
from device_sim.people.desk import Desk
from hearthwatch.messaging import open_publisher
from hearthwatch.records import outbox
from hearthwatch.run.assembly import Platform, open_platform
from hearthwatch.run.demo import create_tokens, listen_as_fleet
from hearthwatch.settings import load_settings
from hearthwatch.values import Message
from ingest.history import import_history
from tests.e2e.aftersales_fleet import Encoded, Fleet, phone_of
from tests.e2e.aftersales_kills import KillerAtWork, Received, settings_of_sender
from tests.e2e.story_on_roles import ClockForAll, Persistent, Sent, SteppedRole, Stored, Worked
from tests.gateway_server import gateway
from tests.platform_processes import wait

STEP = timedelta(hours=12)
MINUTE = timedelta(minutes=1)
ROLES = ("ingest", "jobs", "jobs", "api", "api")
LINK = re.compile(r"https?://\S+?(/c/[A-Za-z0-9._~-]+)")
COMMAND_SECONDS = 60.0
START_SECONDS = 1200.0
PAST_DAYS = 45
PAGED = frozenset({"/findings", "/tickets", "/notices", "/mailbox"})
SEED = 11

Plot = Generator[None, None, None]
T = TypeVar("T")


class Role(SteppedRole):
    """A role that the leaps of the clock do not make deaf."""

    def command(self) -> Sequence[str]:
        """As `SteppedRole`."""
        arguments = (self.role, str(self.port), str(self.clock_file))
        return [sys.executable, "-m", "tests.e2e.aftersales_role", *arguments]


@dataclass
class House:
    """All of it. ``failed``: the runs of jobs that ended with an error."""

    platform: Platform
    clock: ClockForAll
    fleet: Fleet
    sent: Sent
    stored: Stored
    worked: Worked
    desk: Desk
    commands: queue.Queue[Message]
    killer: KillerAtWork
    received: Received
    roles: Sequence[Role]
    begun: datetime
    failed: list[str] = field(default_factory=list)
    heard_commands: int = 0

    @property
    def now(self) -> datetime:
        """What time it is."""
        return self.clock.now()

    # -- time

    def step(self) -> None:
        """Time passes to the next ten o'clock: the devices live and tell, the jobs that are due are worked."""
        now = self.clock.advance(STEP - (self.now - self.begun) % STEP)
        self.killer.strike_intake()
        self.publish(self.fleet.live(now))
        self.round()

    def minutes(self, count: int) -> None:
        """A few minutes pass, and the devices say nothing new."""
        self.clock.advance(count * MINUTE)
        self.round()

    def round(self) -> None:
        """Every job that is due is worked, whoever is killed meanwhile; then the devices answer what they were asked."""
        self.killer.strike()
        for outcome in self.worked.run_due():
            if outcome.error:
                self.failed.append(f"{self.now:%m-%d %H:%M} {outcome.job}: {outcome.error}")
        self._obey()

    def publish(self, messages: Iterable[Encoded]) -> None:
        """The devices say something, and all of it is taken in."""
        count = 0
        for topic, payload, retain in messages:
            self.sent.publish(topic, payload, retain=retain)
            count += 1
        if count:
            self.sent.flush(COMMAND_SECONDS)
            self.stored.drain(count, COMMAND_SECONDS)

    def _obey(self) -> None:
        with self.platform.database.reading() as connection:
            told = outbox.count_delivered(connection, channel="mqtt")
        answers: list[Encoded] = []
        while self.heard_commands < told or not self.commands.empty():
            command = self.commands.get(timeout=COMMAND_SECONDS)
            self.heard_commands += 1
            answers += self.fleet.obey(command.topic, command.payload, self.now)
        self.publish(answers)

    def until(self, look: Callable[[], T | None], what: str, steps: int = 12) -> Generator[None, None, T]:
        """Wait, step by step, until a look finds something; fails when it does not for so many steps."""
        for _ in range(steps):
            found = look()
            if found:
                return found
            yield
        found = look()
        assert found, f"{self.now:%m-%d %H:%M}: waited in vain for {what}"
        return found

    # -- what staff see and do

    def items(self, path: str, role: str = "agent", **params: str) -> list[dict[str, Any]]:
        """What a list of the API holds, all of its first page."""
        part: dict[str, int] = {"limit": 1000} if path in PAGED else {}
        found: list[dict[str, Any]] = self.desk.read(role, path, **part, **params)["items"]
        return found

    def one(self, path: str, **params: str) -> dict[str, Any]:
        """The one thing that a list holds."""
        found = self.items(path, **params)
        assert len(found) == 1, f"{path} {params}: {found}"
        return found[0]

    def get(self, path: str, role: str = "agent") -> Any:
        """One thing."""
        return self.desk.read(role, path)

    def do(self, role: str, path: str, body: Mapping[str, Any] | None = None, method: str = "POST") -> Any:
        """Somebody at work does something that has to be possible."""
        answer = self.desk.write(role, method, path, body or {})
        assert answer is not None, f"{method} {path} {body}: it is not possible (any more)"
        return answer

    # -- what customers see and do

    def letters(self, address: str) -> list[dict[str, Any]]:
        """What lies in a mailbox, oldest first."""
        return sorted(self.items("/mailbox", address=f"mailbox://{address}"), key=lambda letter: int(letter["id"]))

    def texts(self, customer: str) -> list[str]:
        """What a customer's phone has received."""
        return self.received.texts(phone_of(customer))

    def link_of(self, letter: Mapping[str, Any]) -> str:
        """The path of the link in a letter."""
        found = LINK.search(letter["text"])
        assert found is not None, letter
        return found.group(1)

    def letter_about(self, address: str, notice: Mapping[str, Any]) -> dict[str, Any]:
        """The letter by which a notice came."""
        return next(one for one in self.letters(address) if one["subject"] == notice["subject"])

    def page(self, path: str) -> str:
        """A customer's page; it has to open."""
        text = self.desk.page(path)
        assert text is not None, path
        return text

    def offered(self, path: str) -> frozenset[str]:
        """The buttons of a customer's page."""
        return read_form(self.page(path)).actions

    def press(self, path: str, action: str, **fields: str) -> None:
        """A customer presses a button, and again where the page does not tell them that it was taken."""
        form = read_form(self.page(path))
        assert action in form.actions, f"{path} offers {sorted(form.actions)}, not {action}"
        taken = self.desk.submit(path, {"nonce": str(form.nonce), "action": action, **fields})
        if not taken:  # it may have been done by a process that died before it said so
            assert action not in self.offered(path), f"{action} was refused and is still offered"


def opened(
    installation: Mapping[str, str], start: datetime, folder: Path, stack: ExitStack, chance: random.Random
) -> House:
    """A platform with a past of its fleet, all roles ready, customers and field service registered, the policy live."""
    clock_file = folder / "clock"
    clock = ClockForAll(start, clock_file)
    platform = open_platform(load_settings(**installation), clock, "api")
    stack.callback(platform.close)
    fleet = Fleet(SEED, start)
    mapping = fleet.write_history(folder / "past", PAST_DAYS)
    import_history(platform.store, platform.database, folder / "past", mapping, clock.now())
    platform.store.rollup(clock.now())
    commands = listen_as_fleet(platform.settings.broker, stack)
    receiver = stack.enter_context(gateway())
    roles = []
    for number, role in enumerate(ROLES):
        name = f"{role}-{number}"
        options = {**installation, **settings_of_sender(name, receiver.port)}
        made = Role(name, role, options, folder / f"{name}.log", clock_file=clock_file)
        stack.callback(made.kill)
        made.start()
        roles.append(made)
    for made in roles:
        wait(made.ready, made, START_SECONDS)
    sent = Sent(open_publisher(platform.settings.broker, client_id="devices"), clock)
    stack.callback(sent.close)
    stored = Stored(platform.settings.telemetry, sent, [one for one in roles if one.role == "ingest"])
    stack.callback(stored.close)
    ports = [one.port for one in roles if one.role == "api"]
    desk = Desk("http://127.0.0.1", create_tokens(platform), transport=Persistent(ports))
    stack.callback(desk.close)
    killer = KillerAtWork(roles, chance)
    stack.callback(killer.rest)
    receiver.got = received = Received(killer)
    worked = Worked(platform.database, clock)
    house = House(platform, clock, fleet, sent, stored, worked, desk, commands, killer, received, roles, start)
    prepared(house)
    return house


def prepared(house: House) -> None:
    """What is done before the first day."""
    house.publish(house.fleet.hello())
    newest = max(int(one["version"]) for one in house.items("/policies", role="admin"))
    house.do("admin", f"/policies/{newest}/mode", {"mode": "live"})
    for model, kind in (("LOCK-2", "lock"), ("PLUG-1", "plug")):
        body = {"device_class": kind, "warranty_months": 60}
        house.do("engineer", f"/device-models/{model}", body, method="PUT")
    body = {"name": "Sam", "skills": [], "regions": [], "capacity": 20}
    house.do("agent", "/technicians/t-1", body, method="PUT")
    house.desk.upload("agent", "/customers/import", house.fleet.customers_csv())


def play(house: House, paths: Sequence[Plot], days: int) -> None:
    """All paths side by side, until each has come to its end."""
    going = list(paths)
    for _ in range(days * 2):
        began = time.monotonic()
        house.step()
        for one in list(going):
            if next(one, StopIteration) is StopIteration:
                going.remove(one)
        print(f"{house.now:%m-%d %H:%M} {len(going)} paths, {time.monotonic() - began:.1f} s", flush=True)
        if not going:
            return
    raise AssertionError(f"paths that did not end: {going}")
