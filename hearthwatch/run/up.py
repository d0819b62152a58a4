"""``hearthwatch up``: the platform in real time, until it is told to end."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any, TypeVar

from hearthwatch.addresses import masked
from hearthwatch.clock import SystemClock
from hearthwatch.errors import HearthwatchError, Invalid, Unavailable
from hearthwatch.records import access
from hearthwatch.records.database import Database
from hearthwatch.run import logs, whereabouts
from hearthwatch.run.assembly import (
    Opener,
    Platform,
    build_api,
    build_channels,
    build_desk,
    build_health,
    build_ingestor,
    build_publisher,
    open_platform,
)
from hearthwatch.run.collector import settle_collector
from hearthwatch.run.mappings import spoken
from hearthwatch.run.reporting import Reporter
from hearthwatch.run.server import WebServer
from hearthwatch.settings import Settings
from ingest.lookout import Lookout

LOG = logging.getLogger(__name__)

START_PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 1.0
SAY_EVERY_SECONDS = 10.0
END_SECONDS = 9.0

T = TypeVar("T")
End = Callable[[], None]


class ToldToEnd(Exception):
    """SIGTERM or Ctrl-C came before everything was open."""


class PatientOpener(Opener):
    """Waits for a server that is away at the start, for a minute; then its absence is an error, and whoever started us tries again."""

    def __init__(self, stopping: threading.Event, seconds: float = START_PATIENCE_SECONDS) -> None:
        self._stopping = stopping
        self._seconds = seconds

    def attempt(self, opening: Callable[[], T]) -> T:
        """Try until it works. Raises `Unavailable` when the patience is over, `ToldToEnd` when we are."""
        until = time.monotonic() + self._seconds
        say_at = 0.0
        while True:
            try:
                return opening()
            except Unavailable as away:
                now = time.monotonic()
                if now >= until:
                    raise
                if now >= say_at:
                    LOG.warning("%s; it is waited for", away)
                    say_at = now + SAY_EVERY_SECONDS
            if self._stopping.wait(RETRY_SECONDS):
                raise ToldToEnd


def run_up(settings: Settings, role: str) -> None:
    """Run the roles until SIGTERM or Ctrl-C; what was begun is finished, in at most ten seconds.

    What could not be finished by then is left as a kill would leave it: messages stay with the broker, a job is taken over by the
    next process, a delivery is tried again under its key.
    """
    spoken(settings)  # what is wrong with a mapping file ends us before anything is opened
    stopping = _stop_on_signals()
    try:
        platform = open_platform(settings, SystemClock(), role, PatientOpener(stopping))
    except ToldToEnd:
        LOG.info("ended before the servers came")
        return
    logs.identify(role=role, holder=platform.holder)
    ending: list[Sequence[End]] = []
    try:
        _start(platform, role, ending)
        settle_collector()
        LOG.info("running: role %s, broker %s", role, masked(settings.broker))
        stopping.wait()
        LOG.info("ending")
    finally:
        _end_in_time()
        _end(ending)
        platform.close()
    LOG.info("ended")


def _start(platform: Platform, role: str, ending: list[Sequence[End]]) -> None:
    """Start the parts of a role. ``ending`` gets, part by part, what ends it."""
    settings = platform.settings
    health: dict[str, object] = {}
    if role in {"all", "api"}:
        check_exposure(settings, platform.database)
    serve = build_api if role in {"all", "api"} else build_health
    server = WebServer(serve(platform, health), settings.host, settings.port)
    ending.append([server.stop])
    if role in {"all", "ingest"}:
        ingestor = build_ingestor(platform)
        ending.append([ingestor.stop])
        ingestor.start()
        health["ingest"] = ingestor.health
        lookout = Lookout(platform.database, platform.clock, platform.holder, ingestor.health)
        ending.append([lookout.stop])
        lookout.start()
    if role in {"all", "jobs"}:
        ending.append(_start_jobs(platform, health))
    server.start()
    if role in {"all", "api"}:
        ending.append([partial(whereabouts.forget, settings)])
        whereabouts.tell(settings, server.url)
    LOG.info("%s at %s", "pages and API" if role in {"all", "api"} else "health and metrics", server.url)
    reporter = Reporter(platform.database, platform.clock, platform.holder, role, health)
    ending.append([reporter.stop])
    reporter.start()


def _start_jobs(platform: Platform, health: dict[str, object]) -> Sequence[End]:
    from hearthwatch.run.jobs import JOBS, Work  # it brings all of analytics along
    from hearthwatch.run.schedule import Schedule, Timer

    publisher = build_publisher(platform.settings)
    work = Work(platform, build_channels(platform, publisher), desk=build_desk(platform))
    schedule = Schedule(JOBS, work, platform.database, platform.clock, platform.holder)
    timer = Timer(schedule)
    timer.start()

    def tell() -> Mapping[str, Any]:
        return {"ok": True, "leads": schedule.leads}

    health["jobs"] = tell
    return [work.backtests.stop, work.replays.stop, timer.stop, publisher.close]


def _end(parts: Sequence[Sequence[End]]) -> None:
    """End all parts at the same time, each in its own order."""
    threads = [threading.Thread(target=_end_part, args=(part,), name="ending") for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _end_part(part: Sequence[End]) -> None:
    for end in part:
        try:
            end()
        except HearthwatchError as error:
            LOG.warning("while ending: %s", error)
        except Exception:  # the other parts still have to end
            LOG.exception("while ending")


def _end_in_time() -> None:
    """See that the process ends, whatever still runs: a long job, a server that does not answer."""

    def end() -> None:
        time.sleep(END_SECONDS)
        LOG.warning("not everything ended in %.0f s; what is left is done again by the next process", END_SECONDS)
        logging.shutdown()
        os._exit(0)

    threading.Thread(target=end, name="end in time", daemon=True).start()


def check_exposure(settings: Settings, database: Database) -> None:
    """Raise `Invalid` when others than this machine could reach the pages and nobody has to sign in."""
    if is_loopback(settings.host):
        return
    with database.reading() as connection:
        if not access.any_account(connection):
            raise Invalid(
                "without any account the pages are for this machine only; make one with: hearthwatch user create NAME --role admin",
                where="host",
            )


def is_loopback(host: str) -> bool:
    """Whether an interface is this machine's alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping
