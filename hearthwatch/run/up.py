"""``hearthwatch up``: the platform in real time, until it is told to end."""

from __future__ import annotations

import ipaddress
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Invalid
from hearthwatch.records import access
from hearthwatch.records.database import Database
from hearthwatch.run.assembly import (
    Platform,
    build_api,
    build_channels,
    build_publisher,
    build_runner,
    check_roles,
    open_platform,
)
from hearthwatch.run.jobs import JOBS, Work
from hearthwatch.run.schedule import Schedule, Timer
from hearthwatch.run.server import WebServer
from hearthwatch.settings import Settings

LOG = logging.getLogger(__name__)


def run_up(settings: Settings, role: str) -> None:
    """Run the roles until SIGTERM or Ctrl-C; what was begun is finished, in at most ten seconds."""
    check_roles(settings, role)
    stopping = _stop_on_signals()
    platform = open_platform(settings, SystemClock())
    ending: list[Callable[[], None]] = [platform.close]
    health: dict[str, object] = {}
    try:
        check_exposure(settings, platform.database)
        if role in {"all", "ingest"}:
            runner = build_runner(platform)
            runner.start()
            ending.append(runner.stop)
            health["ingest"] = runner.health
        if role in {"all", "jobs"}:
            ending.extend(_start_jobs(platform))
        if role in {"all", "api"}:
            server = WebServer(build_api(platform, health), settings.host, settings.port)
            server.start()
            ending.append(server.stop)
            LOG.info("pages and API at %s", server.url)
        LOG.info("running: role %s, broker %s", role, masked(settings.broker))
        stopping.wait()
        LOG.info("ending")
    finally:
        for end in reversed(ending):
            end()


def _start_jobs(platform: Platform) -> list[Callable[[], None]]:
    publisher = build_publisher(platform.settings)
    work = Work(platform, build_channels(platform, publisher))
    timer = Timer(Schedule(JOBS, work, platform.database, platform.clock, platform.holder))
    timer.start()
    return [publisher.close, timer.stop]


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


def masked(address: str) -> str:
    """An address without its password."""
    scheme, separator, rest = address.partition("://")
    credentials, at, place = rest.rpartition("@")
    if not at:
        return address
    user = credentials.split(":", 1)[0]
    return f"{scheme}{separator}{user}:***@{place}"


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping
