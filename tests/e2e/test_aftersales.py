"""From finding to closed case on real servers, on five paths at once, while every kind of process is killed (SIGKILL).

Killed are: jobs and API somewhere in a round; the ingestor while it takes in what devices tell; whoever sends, when the receiver has
its message and before the answer. Held are: every value that was sent is stored once; every notice and ticket that a path waits for
comes about; every letter, text and event has arrived, and where the receiver honours the idempotency key it has each once; one ticket
stands for a cause.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.tickets import states
from hearthwatch.records import job_runs, mailbox, notices, outbox, tickets
from hearthwatch.run.assembly import Platform
from tests.e2e.aftersales import House, opened, play
from tests.e2e.aftersales_paths import PATHS

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
"""A Sunday evening; steps of half a day end at ten, morning and evening."""
MORNING = 10
DAYS = 16
ONCE = frozenset({"update", "replacement", "check_up", "recall", "all_clear", "survey"})
EVERYTHING = 100_000
KILLS_SEED = int(os.environ.get("HEARTHWATCH_TEST_SEED", "5"))
LEASE = 16

pytestmark = pytest.mark.timeout(3600)


def test_nothing_is_lost_and_nothing_comes_twice_on_five_paths_whoever_is_killed(
    installation: dict[str, str], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stack.enter_context(telling_the_seed())
        house = opened(installation, START, tmp_path, stack, random.Random(KILLS_SEED))
        play(house, [path(house) for path in PATHS], DAYS)
        house.killer.rest()
        while house.now.hour != MORNING:  # what waits for the morning leaves then
            house.step()
        house.killer.rest()
        for _ in range(2):  # what a killed sender had claimed is free again; and what is told of it leaves as well
            house.minutes(LEASE)
        print(f"killed: {dict(house.killer.killed)}")
        check_letters(house.platform, house.now)
        check_received(house)
        check_tickets(house.platform)
        check_jobs(house)
        check_kills(house)


@contextmanager
def telling_the_seed() -> Iterator[None]:
    """Whatever goes wrong says how to play it again."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"HEARTHWATCH_TEST_SEED={KILLS_SEED} plays these kills again")
        raise


def check_letters(platform: Platform, now: datetime) -> None:
    """Every notice that was to leave has left, by each of its channels, once."""
    with platform.database.reading() as connection:
        letters = Counter(one.idempotency_key for one in mailbox.list_letters(connection, limit=EVERYTHING))
        left = outbox.list_items(connection, limit=EVERYTHING)
        written = notices.list_notices(connection, limit=EVERYTHING)
        items = outbox.of_notices(connection, [one.id for one in written])
    assert set(letters.values()) == {1}, "no letter comes twice"
    arrived = {one.idempotency_key for one in left if one.channel == "mailbox" and one.state == "delivered"}
    assert set(letters) == arrived, "what was written to leave has arrived, and nothing else"
    waiting = [one for one in left if one.state not in {"delivered", "cancelled"} and one.next_at <= now]
    assert not waiting, "everything that may leave has left"
    assert not [one for one in written if one.state == "sent" and not items.get(one.id)]
    assert not [one for one in written if one.state in {"failed", "held", "observed"}]
    again = Counter((one.cause, one.device_id, one.customer_id, one.kind) for one in written if one.kind in ONCE)
    assert not [key for key, count in again.items() if count > 1], "nobody is written to twice for one cause"


def check_received(house: House) -> None:
    """The maker's app and the phones have each message once, and none is missing."""
    with house.platform.database.reading() as connection:
        items = outbox.list_items(connection, limit=EVERYTHING)
        written = notices.list_notices(connection, limit=EVERYTHING)
        found = tickets.list_tickets(connection, limit=EVERYTHING)
    for way, channel in (("app", "webhook:app"), ("sms", "sms")):
        left = {one.idempotency_key for one in items if one.channel == channel and one.state == "delivered"}
        assert set(house.received.kept(way)) == left, f"{way}: what was to leave has arrived, and nothing else"
    heard = Counter((str(one["type"]), int(one["data"]["id"])) for one in house.received.events())
    for kind, expected in (
        ("notice.sent", {one.id for one in written if one.state == "sent"}),
        ("ticket.opened", {one.id for one in found}),
    ):
        counted = {id_: count for (type_, id_), count in heard.items() if type_ == kind}
        assert counted == dict.fromkeys(expected, 1), f"{kind}: the app hears of each, once"
    closed = {id_ for type_, id_ in heard if type_ == "ticket.closed"}
    assert closed == {one.id for one in found if one.closed_at is not None}, "and of each that closed"


def check_kills(house: House) -> None:
    """Each kind of process died in the middle of what it does, and what a dead sender had sent came again under its key."""
    killed, plan = house.killer.killed, house.killer.plan
    assert killed["ingest taking in"] == len(plan.intakes)
    assert killed["jobs sending to the app"] == len(plan.events)
    assert killed["jobs sending to the sms"] == len(plan.texts)
    assert killed.total() >= len(plan.intakes) + len(plan.events) + len(plan.texts) + 2, "hardly anything was tried"
    assert house.received.interrupted <= house.received.again(), "it is sent again, for nobody knows that it arrived"


def check_tickets(platform: Platform) -> None:
    """One open ticket for each cause; every row is what its ledger makes of it."""
    with platform.database.reading() as connection:
        found = tickets.list_tickets(connection, limit=EVERYTHING)
        ledgers = {one.id: tickets.events(connection, one.id) for one in found}
    assert found
    assert set(Counter(one.cause for one in found).values()) == {1}
    assert set(Counter(one.stem for one in found if one.state != "closed").values()) <= {1}
    for one in found:
        assert states.fold(ledgers[one.id]) == states.of(one), f"ticket {one.id}"


def check_jobs(house: House) -> None:
    """No run of a job ended with an error, and none was left undone."""
    with house.platform.database.reading() as connection:
        runs = job_runs.list_runs(connection, limit=EVERYTHING)
    assert not house.failed
    assert not [one for one in runs if one.error]
