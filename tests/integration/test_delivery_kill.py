"""Killed (SIGKILL) after the receiver has it and before it is marked: it goes once more under the same key, and no third time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from alerts import delivery
from alerts.channels.gateway import GatewayChannel
from alerts.channels.mail import MailChannel
from alerts.channels.mail_server import mail_server as address_of
from alerts.channels.webhook import WebhookChannel
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import Channel
from hearthwatch.records import outbox
from hearthwatch.records.database import open_database
from tests.gateway_server import Gateway, Got, gateway
from tests.smtp_server import MailServer, mail_server

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

BUILD = {
    "mail": (
        "mailto:kim@home.example",
        "MailChannel(address_of('mailto://127.0.0.1:{port}?from=care@maker.example'), clock)",
    ),
    "sms": ("sms:+4917012345", "GatewayChannel('sms', 'json://127.0.0.1:{port}/sms/{{to}}')"),
    "webhook:erp": (
        "event:erp",
        "WebhookChannel('webhook:erp', 'http://127.0.0.1:{port}/', [b'k' * 32], clock, address='event:erp')",
    ),
}
CHILD = """
import sys
from alerts import delivery
from alerts.channels.gateway import GatewayChannel
from alerts.channels.mail import MailChannel
from alerts.channels.mail_server import mail_server as address_of
from alerts.channels.webhook import WebhookChannel
from hearthwatch.clock import SystemClock
from hearthwatch.records.database import open_database
clock = SystemClock()
database = open_database(sys.argv[1])
channel = {build}
print("ready", flush=True)
sys.stdin.readline()
delivery.deliver(database, {{channel.name: channel}}, clock.now(), worker="child")
"""


@dataclass
class Killing:
    """A server that kills whoever sends to it, once it has what was sent."""

    port: int
    keys: Callable[[], list[str]]
    victim: list[int]


class Deadly(list[Got]):
    """What a gateway got; the first thing it gets is the end of its sender."""

    def __init__(self, victim: list[int]) -> None:
        super().__init__()
        self.victim = victim

    def append(self, one: Got) -> None:
        super().append(one)
        end(self.victim)


class DeadlyLetters(list[EmailMessage]):
    """As `Deadly`, for a mail server."""

    def __init__(self, victim: list[int]) -> None:
        super().__init__()
        self.victim = victim

    def append(self, one: EmailMessage) -> None:
        super().append(one)
        end(self.victim)


def end(victim: list[int]) -> None:
    if victim:
        os.kill(victim.pop(), signal.SIGKILL)


@contextmanager
def killing(name: str) -> Iterator[Killing]:
    victim: list[int] = []
    if name == "mail":
        server: MailServer
        with mail_server() as server:
            server.letters = DeadlyLetters(victim)
            yield Killing(server.port, server.keys, victim)
        return
    standing_in: Gateway
    with gateway() as standing_in:
        standing_in.got = Deadly(victim)
        yield Killing(standing_in.port, lambda: [one.key for one in standing_in.got], victim)


def here(name: str, port: int, clock: SteppedClock) -> Channel:
    if name == "mail":
        return MailChannel(address_of(f"mailto://127.0.0.1:{port}?from=care@maker.example"), clock)
    if name == "sms":
        return GatewayChannel("sms", f"json://127.0.0.1:{port}/sms/{{to}}")
    return WebhookChannel(name, f"http://127.0.0.1:{port}/", [b"k" * 32], clock, address="event:erp")


@pytest.mark.parametrize("name", sorted(BUILD))
def test_a_killed_sender_s_letter_goes_once_more_under_its_key(name: str, tmp_path: Path, clock: SteppedClock) -> None:
    address, build = BUILD[name]
    place = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    database = open_database(place)
    database.upgrade()
    with database.transaction() as connection:
        payload = {"subject": "s", "text": "t", "html": ""}
        outbox.put(
            connection, kind="letter", channel=name, address=address, payload=payload, key="letter:1", now=clock.now()
        )
    with killing(name) as server:
        program = textwrap.dedent(CHILD).format(build=build.format(port=server.port))
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        server.victim.append(child.pid)
        child.stdin.write(b"\n")
        child.stdin.close()
        assert child.wait(timeout=60) == -signal.SIGKILL
        child.stdout.close()
        with database.transaction() as connection:
            (item,) = outbox.list_items(connection)
            assert item.state == "claimed", "it does not know that it was sent"
            assert item.claimed_until is not None
            later = max(item.claimed_until, clock.now()) + timedelta(days=400)
        channel = here(name, server.port, clock)
        for _ in range(3):
            delivery.deliver(database, {name: channel}, later, worker="next")
        assert len(server.keys()) == 2
        assert len(set(server.keys())) == 1
    with database.reading() as connection:
        assert [one.state for one in outbox.list_items(connection)] == ["delivered"]
    database.close()
