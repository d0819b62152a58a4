"""A small world to try a policy in: customers with homes and devices, findings, and the stage's jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from alerts import jobs
from alerts.channels.mailbox import MailboxChannel
from alerts.customers import opening, page
from alerts.customers.page import CustomerView
from alerts.notices.wording import Brand
from alerts.policy import versions as policy
from alerts.policy.file import default_text
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import Channel
from hearthwatch.records import (
    consents,
    customers,
    devices,
    findings,
    mailbox,
    notices,
    outbox,
    releases,
    technicians,
    tickets,
)
from hearthwatch.records.database import Database
from hearthwatch.records.mailbox import Letter
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.values import Finding, Notice, Observation, Release, Severity, SubjectType, Ticket

SECRET = "a secret of this test"
BRAND = Brand("Acme", "+49 30 1234", "https://acme.example/privacy")
RELAPSE = timedelta(days=7)
MODEL = "LOCK-2"
BAD, GOOD, FIX = "2.4.1", "2.4.0", "2.4.2"
Kind = Literal["anomaly", "prognosis", "cohort", "incident", "mismatch"]


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class RecordingChannel:
    """Keeps what it is given; raises what it is told to, in turn."""

    def __init__(self, name: str, errors: Sequence[Exception] = ()) -> None:
        self.name = name
        self.errors = list(errors)
        self.sent: list[dict[str, str]] = []

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append({"address": address, "subject": subject, "text": text, "html": html, "key": key})


@dataclass
class World:
    """Everything stands at the clock's time; ``pass_time`` moves it."""

    database: Database
    clock: SteppedClock
    channels: dict[str, Channel] = field(default_factory=dict)
    commands: RecordingChannel = field(default_factory=lambda: RecordingChannel("mqtt"))

    def __post_init__(self) -> None:
        everyday: dict[str, Channel] = {
            "mailbox": MailboxChannel(self.database, self.clock),
            "mqtt": self.commands,
            "mail": RecordingChannel("mail"),
        }
        self.channels = everyday | self.channels

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def pass_time(self, **much: float) -> datetime:
        return self.clock.advance(timedelta(**much))

    # -- what there is

    def home(
        self,
        number: int = 1,
        *,
        devices_: Sequence[str] = ("lock-1",),
        consent: Sequence[str] = ("service",),
        timezone: str = "UTC",
        language: str = "en",
        channels: Sequence[str] | None = None,
        version: str = GOOD,
        region: str = "north",
    ) -> None:
        """A customer ``c-<n>`` with a home and devices."""
        customer, home = f"c-{number}", f"h-{number}"
        reached_by = [f"mailbox://{customer}"] if channels is None else list(channels)
        self.register(devices_, version=version)
        with self.database.transaction() as connection:
            customers.put_customer(connection, customer, name=f"Kim {number}", language=language, channels=reached_by)
            customers.put_home(connection, home, region=region, timezone=timezone)
            for purpose in consent:
                consents.record(connection, customer, purpose, True, self.now, "test")
            for device in devices_:
                customers.own(connection, device, customer, home, self.now - timedelta(days=100))

    def register(self, ids: Sequence[str], *, version: str = GOOD, **master: Any) -> None:
        """Devices of the model, without an owner."""
        row = {"model": MODEL, "firmware": version, "region": "north", **master}
        with self.database.transaction() as connection:
            devices.register(connection, [{"id": one, **row} for one in ids])

    def technician(
        self, name: str = "t-1", *, skills: Sequence[str] = (), regions: Sequence[str] = (), capacity: int = 8
    ) -> None:
        with self.database.transaction() as connection:
            technicians.put(connection, name, name=name.upper(), skills=skills, regions=regions, capacity=capacity)

    def release(self, version: str, *, fixes: Sequence[str] = (), replaces: str | None = None) -> Release:
        with self.database.transaction() as connection:
            return releases.create(
                connection, model=MODEL, version=version, replaces=replaces, fixes=fixes, released_at=self.now
            )

    def policy(self, mode: str = "live", *, actor: str = "ann", more: str = "", **replaced: str) -> int:
        """The default policy with some lines replaced (``per_round="per_round = 2"``) and ``more`` at its end, in a mode."""
        text = default_text() + more
        for key, line in replaced.items():
            text, count = re.subn(rf"^{key} = .*$", line, text, flags=re.MULTILINE)
            assert count, f"no line {key} in the default policy"
        with self.database.transaction() as connection:
            added = policy.add_policy(connection, text, actor, self.now)
            if mode != added.mode:
                policy.set_mode(connection, added.version, mode, actor, self.now)
            return added.version

    def set_mode(self, version: int, mode: str) -> None:
        with self.database.transaction() as connection:
            policy.set_mode(connection, version, mode, "ann", self.now)

    # -- what is found

    def observe(
        self,
        subject: str = "lock-1",
        mode: str = "battery_fade",
        *,
        kind: Kind = "anomaly",
        severity: Severity = "critical",
        probability: float | None = None,
        part: str | None = None,
        evidence: Mapping[str, Any] | None = None,
        ago: timedelta = timedelta(0),
    ) -> Finding:
        about: SubjectType = "device"
        if subject.startswith(("release:", "group:")):
            about = "release" if subject.startswith("release:") else "group"
        seen = Observation(
            kind,
            about,
            subject,
            mode,
            severity,
            self.now - ago,
            evidence or {"metrics": ["x"], "reasons": []},
            probability,
            part,
        )
        with self.database.transaction() as connection:
            return findings.observe(connection, seen, relapse=RELAPSE)

    def stand(self, subject: str = "lock-1", mode: str = "battery_fade", **more: Any) -> Finding:
        """A finding that has stood for a day and is still seen."""
        self.observe(subject, mode, ago=timedelta(hours=24), **more)
        return self.observe(subject, mode, **more)

    def recover(self, finding: Finding) -> None:
        with self.database.transaction() as connection:
            findings.recover_one(connection, finding.id, self.now, "test")

    # -- what comes of it

    def apply(self) -> Mapping[str, int]:
        return jobs.apply_policy(
            self.database, self.now, brand=BRAND, public_url="http://hw.test", link_life=timedelta(days=30)
        )

    def follow_up(self) -> Mapping[str, int]:
        return jobs.follow_up(
            self.database, self.now, brand=BRAND, public_url="http://hw.test", link_life=timedelta(days=30)
        )

    def deliver(self) -> Mapping[str, int]:
        return jobs.deliver(self.database, self.channels, self.now, worker="test")

    def run(self) -> None:
        """One turn of the jobs, in the order of the table."""
        self.apply()
        self.follow_up()
        self.deliver()

    def notices(self, **which: Any) -> list[Notice]:
        with self.database.reading() as connection:
            return notices.list_notices(connection, limit=10_000, **which)[::-1]

    def notice(self) -> Notice:
        (one,) = self.notices()
        return one

    def tickets(self, **which: Any) -> list[Ticket]:
        with self.database.reading() as connection:
            return tickets.list_tickets(connection, limit=10_000, **which)[::-1]

    def ticket(self) -> Ticket:
        (one,) = self.tickets()
        return one

    def ticket_events(self, ticket: Ticket) -> list[str]:
        with self.database.reading() as connection:
            return [event.what for event in tickets.events(connection, ticket.id)]

    def finding(self, finding: Finding) -> Finding:
        with self.database.reading() as connection:
            return findings.get(connection, finding.id)

    def outbox(self, **which: Any) -> list[OutboxItem]:
        with self.database.reading() as connection:
            return outbox.list_items(connection, limit=10_000, **which)[::-1]

    def letters(self, address: str | None = None) -> list[Letter]:
        with self.database.reading() as connection:
            return mailbox.list_letters(connection, address=address, limit=10_000)[::-1]

    def customers_letters(self) -> list[Letter]:
        return [letter for letter in self.letters() if letter.address.startswith("mailbox://c-")]

    def token(self, customer: str = "c-1") -> str:
        """The token in the customer's newest letter."""
        letter = self.letters(f"mailbox://{customer}")[-1]
        (token,) = re.findall(r"http://hw\.test/c/(\S+)", letter.text)
        return str(token)

    # -- what the customer does

    def see(self, token: str) -> CustomerView:
        """The notice on the page behind a link."""
        with self.database.reading() as connection:
            opened = opening.opened(connection, token, self.now)
            assert opened.notice is not None
            return page.view(connection, opened, opened.notice, self.now)

    def nonce(self, token: str) -> str:
        """A nonce of the page as it is now."""
        with self.database.reading() as connection:
            return opening.nonce(opening.opened(connection, token, self.now).link, self.now, SECRET)

    def press(self, token: str, action: str, nonce: str | None = None) -> CustomerView:
        """Press a button of the notice; what it then shows."""
        used = self.nonce(token) if nonce is None else nonce
        with self.database.transaction() as connection:
            opened = opening.opened(connection, token, self.now)
            assert opened.notice is not None
            opening.spend(connection, opened.link, used, self.now, SECRET)
            page.act(connection, opened, opened.notice, action, self.now)
        return self.see(token)
