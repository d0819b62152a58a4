"""The demo's story on real servers while the platform's processes are killed at random: it comes out as in one process."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from device_sim.fleet import Fleet
from device_sim.people import People
from device_sim.scenario import Scenario, load_scenario
from device_sim.truth import write_truth
from hearthwatch.messaging import open_publisher
from hearthwatch.records import mailbox, notices, tickets
from hearthwatch.run.assembly import Platform, open_platform
from hearthwatch.run.comparison import compare, read_story
from hearthwatch.run.demo import Demo, create_tokens, import_past, listen_as_fleet
from hearthwatch.settings import load_settings
from tests.e2e.story_on_roles import (
    ClockForAll,
    Killer,
    Persistent,
    Sent,
    SteppedRole,
    Stored,
    Worked,
)
from tests.e2e.telling import SEED, STORY, Answer, verdicts
from tests.platform_processes import wait

KILLS_SEED = int(os.environ.get("HEARTHWATCH_TEST_SEED", "4"))
EVERY_SECONDS = (6.0, 14.0)
ROLES = ("ingest", "ingest", "jobs", "jobs", "api", "api")

pytestmark = pytest.mark.timeout(900)


def started(installation: Mapping[str, str], folder: Path, stack: ExitStack) -> list[SteppedRole]:
    """Two of each role on the story's clock, all ready."""
    roles = []
    for number, role in enumerate(ROLES):
        made = SteppedRole(
            f"{role}-{number}", role, installation, folder / f"{role}-{number}.log", clock_file=clock(folder)
        )
        stack.callback(made.kill)
        made.start()
        roles.append(made)
    for made in roles:
        wait(made.ready, made)
    return roles


def clock(folder: Path) -> Path:
    """The file in which the story's clock stands."""
    return folder / "clock"


def test_the_story_comes_out_the_same_whoever_is_killed(
    installation: dict[str, str], local: Answer, tmp_path: Path
) -> None:
    scenario = load_scenario(STORY)
    with ExitStack() as stack:
        time = ClockForAll(scenario.start, clock(tmp_path))
        platform = open_platform(load_settings(**installation), time, "api")
        stack.callback(platform.close)
        demo, roles = assembled(platform, time, scenario, installation, tmp_path, stack)
        killer = Killer(roles, random.Random(KILLS_SEED), EVERY_SECONDS)
        killer.start()
        try:
            demo.play()
        finally:
            killer.stop()
        answer = compared(demo, tmp_path / "truth.json")
        check_nothing_came_twice(platform)
    print(f"killed: {dict(killer.killed)}")
    assert sum(killer.killed.values()) >= 5, "hardly anything was tried"
    assert demo.failed_jobs == []
    assert answer["notices"], "the story had no notice in it"
    assert verdicts(answer) == verdicts(local)


def assembled(
    platform: Platform,
    time: ClockForAll,
    scenario: Scenario,
    installation: Mapping[str, str],
    folder: Path,
    stack: ExitStack,
) -> tuple[Demo, list[SteppedRole]]:
    """A demo whose ingestors, jobs and API are other processes."""
    settings = platform.settings
    fleet = Fleet(scenario, SEED)
    write_truth(fleet, folder / "truth.json")
    import_past(platform, scenario, SEED, folder, lambda _line: None)
    commands = listen_as_fleet(settings.broker, stack)
    roles = started(installation, folder, stack)
    sent = Sent(open_publisher(settings.broker, client_id="device-sim"), time)
    stack.callback(sent.close)
    ports = [role.port for role in roles if role.role == "api"]
    people = People(fleet, "http://127.0.0.1", create_tokens(platform), SEED, transport=Persistent(ports))
    stack.callback(people.close)
    stored: Any = Stored(settings.telemetry, sent, [role for role in roles if role.role == "ingest"])
    stack.callback(stored.close)
    worked: Any = Worked(platform.database, time)
    demo = Demo(scenario, platform, time, stored, sent, fleet, people, worked, commands, lambda _line: None)
    return demo, roles


def compared(demo: Demo, truth: Path) -> dict[str, Any]:
    """What was found against what was planted, as the demo compares it."""
    rate = demo.platform.settings.false_alarms_per_1000_device_days
    device_days = demo.fleet.size * demo.scenario.days
    return compare(read_story(demo.platform.database), truth, rate=rate, device_days=device_days)


def check_nothing_came_twice(platform: Platform) -> None:
    """One letter for each notice that was sent, and one open ticket at most for each cause."""
    with platform.database.reading() as connection:
        letters = Counter(letter.idempotency_key for letter in mailbox.list_letters(connection, limit=100_000))
        sent = [one for one in notices.list_notices(connection, limit=100_000) if one.state == "sent"]
        causes = Counter(one.finding_id for one in tickets.list_tickets(connection, limit=100_000) if one.finding_id)
    assert set(letters.values()) == {1}
    assert len(letters) >= len(sent)
    assert set(causes.values()) == {1}
