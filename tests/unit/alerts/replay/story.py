"""A story of some homes that a policy is live in: what detectors see, what jobs do, what people do, at random and step by step."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.replay.enact import Past, enact
from alerts.replay.rhythm import Rhythm
from alerts.replay.stage import scratch
from alerts.replay.written import Written, read
from alerts.tickets import acts, ending, requests
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import consents, customers, devices, findings, notices, outages, policies, releases, tickets
from hearthwatch.records.devices import Sighting
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.values import Observation, Severity, Span
from tests.unit.alerts.world import BAD, FIX, GOOD, MODEL, RELAPSE, World

STEP = timedelta(hours=3)
RHYTHM = Rhythm(STEP, STEP)
MODES = (("battery_fade", "battery"), ("overheating", None), ("wifi_failing", None), ("reboots", None))
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
HOMES = 4


@dataclass
class Story:
    """Homes with two devices each. A step: detectors say what they see, the jobs run, the people act; all at the clock's time."""

    world: World
    random: random.Random
    seen: dict[tuple[str, str, str], Severity] = field(default_factory=dict)
    """What is wrong with which device at the moment, by detector."""
    called_worse: int | None = None
    """A release that detectors call worse, from the next step on."""

    def prepare(self) -> None:
        """The homes, before anything happens."""
        for number in range(1, HOMES + 1):
            self.world.home(
                number,
                devices_=(f"lock-{number}", f"lock-{number}b"),
                consent=("service",) if number != 2 else (),
                timezone=self.random.choice(("UTC", "Asia/Shanghai", "America/New_York")),
                version=BAD if number % 2 else GOOD,
                channels=[] if number == 4 and self.random.random() < 0.3 else None,
            )
        self.world.technician()
        self.world.pass_time(hours=3)

    def run(self, days: float) -> Span:
        """Live through some days; gives the span."""
        since = self.world.now
        for _ in range(int(days * 24 / 3)):
            self.world.pass_time(hours=3)
            self.detectors()
            self.world.run()
            self.people()
        return Span(since, self.world.now)

    # -- what is seen

    def detectors(self) -> None:
        """Faults begin and end; once a day detectors say what lasts; what was not seen for a day recovers."""
        draw = self.random
        if draw.random() < 0.25:
            mode, _ = draw.choice(MODES)
            key = (
                f"lock-{draw.randint(1, HOMES)}{draw.choice(('', 'b'))}",
                draw.choice(("anomaly", "prognosis")),
                mode,
            )
            self.seen.setdefault(key, draw.choice(SEVERITIES))
            self._say(*key)
        for key in [key for key in self.seen if draw.random() < 0.04]:
            del self.seen[key]
        if self.called_worse is not None and self.world.now.hour in {3, 15}:
            self._call_worse(self.called_worse)
        if self.world.now.hour == 3:
            for key in sorted(self.seen):
                if draw.random() < 0.2:
                    self.seen[key] = draw.choice(SEVERITIES)
                self._say(*key)
        with self.world.database.transaction() as connection:
            findings.recover(connection, self.world.now, quiet=timedelta(hours=24))
            if draw.random() < 0.05:
                self._flash(connection, draw.choice((GOOD, FIX, BAD)))

    def _flash(self, connection: object, version: str) -> None:
        device = f"lock-{self.random.randint(1, HOMES)}"
        devices.see(connection, [Sighting(device, self.world.now, version, None, None)])  # type: ignore[arg-type]

    def _say(self, device: str, kind: str, mode: str) -> None:
        part = dict(MODES)[mode]
        foretold = kind == "prognosis"
        seen = Observation(
            kind,  # type: ignore[arg-type]
            "device",
            device,
            mode,
            self.seen[device, kind, mode],
            self.world.now,
            {"metrics": ["x"], "reasons": []},
            round(self.random.uniform(0.2, 0.95), 2) if foretold else None,
            part,
        )
        with self.world.database.transaction() as connection:
            findings.observe(connection, seen, relapse=RELAPSE)

    def _call_worse(self, release: int) -> None:
        told = {"verdict": "worse", "model": MODEL, "version": BAD, "metrics": ["reboots"], "reasons": []}
        at = self.world.now
        seen = Observation("cohort", "release", f"release:{release}", "reboots", "critical", at, told)
        with self.world.database.transaction() as connection:
            findings.observe(connection, seen, relapse=RELAPSE)

    # -- what people do

    def people(self) -> None:
        """Now and then somebody does something."""
        for act in (self._staff, self._customer, self._consent, self._judge, self._maker):
            if self.random.random() < 0.15:
                act()

    def _staff(self) -> None:
        standing = [one for one in self.world.tickets() if one.state != "closed"]
        if not standing:
            return
        ticket, now = self.random.choice(standing), self.world.now
        code = self.random.choice(("confirmed", "no_fault_found", "recovered", "different_fault", "customer_declined"))
        with self.world.database.transaction() as connection:
            try:
                if self.random.random() < 0.3:
                    acts.schedule(connection, ticket.id, None, now + timedelta(days=2), "t-1", now)
                else:
                    part = "motor" if code == "different_fault" else None
                    ending.close(connection, ticket.id, None, code=code, part=part, note=None, actor="tom", now=now)
            except HearthwatchError:
                return

    def _customer(self) -> None:
        sent = [one for one in self.world.notices() if one.state == "sent" and one.kind in notices.ASKING]
        if not sent:
            return
        notice, now = self.random.choice(sent), self.world.now
        answer = self.random.choice(("later", "not_mine", "visit", "later"))
        actor = f"customer:{notice.customer_id}"
        with self.world.database.transaction() as connection:
            notices.change(connection, notice.id, None, {"answer": answer})
            notices.note(connection, notice.id, now, answer, actor, {})
            if answer == "visit":
                requests.request_visit(
                    connection,
                    device_id=notice.device_id,
                    customer_id=notice.customer_id,
                    home_id=notice.home_id,
                    finding_id=notice.finding_id,
                    actor=actor,
                    now=now,
                )

    def _consent(self) -> None:
        with self.world.database.transaction() as connection:
            customer = f"c-{self.random.randint(1, HOMES)}"
            consents.record(connection, customer, "service", self.random.random() < 0.6, self.world.now, "page")

    def _judge(self) -> None:
        with self.world.database.transaction() as connection:
            standing = findings.list_findings(connection, states=("open", "acknowledged"))
            if not standing:
                return
            finding, now = self.random.choice(standing), self.world.now
            what = self.random.choice(("acknowledge", "expect", "mute"))
            if what == "mute":
                findings.mute(connection, finding.id, None, now + timedelta(hours=30), "eve", now)
            elif what == "expect":
                findings.expect(connection, finding.id, None, "eve", now)
            else:
                findings.acknowledge(connection, finding.id, None, "eve", now)

    def _maker(self) -> None:
        with self.world.database.transaction() as connection:
            known = {one.version for one in releases.list_releases(connection)}
            if FIX not in known:
                releases.create(
                    connection,
                    model=MODEL,
                    version=FIX,
                    replaces=BAD,
                    fixes=[BAD, "wifi_failing"],
                    released_at=self.world.now,
                )
            elif self.random.random() < 0.5:
                begins = self.world.now + STEP
                outages.plan(
                    connection,
                    model=None,
                    region="north",
                    from_at=begins,
                    to_at=begins + timedelta(hours=9),
                    reason="works",
                )
            else:
                device = f"lock-{self.random.randint(1, HOMES)}"
                customers.own(
                    connection, device, f"c-{self.random.randint(1, HOMES)}", None, self.world.now + timedelta(hours=1)
                )


def lived(world: World, span: Span) -> Written:
    """What the live policy did."""
    with world.database.reading() as connection:
        return read(connection, span)


def version_of(world: World, number: int) -> PolicyVersion:
    """A version as if it were live."""
    with world.database.reading() as connection:
        return replace(policies.get(connection, number), mode="live")


def replayed(world: World, version: PolicyVersion, span: Span, rhythm: Rhythm = RHYTHM) -> tuple[Written, Past]:
    """What a replay says that a policy would have done."""
    with world.database.reading() as connection, scratch() as stage:
        past = enact(connection, stage, version, span, rhythm)
        return read(stage, span), past


def story(world: World, seed: int) -> Story:
    """The homes of a seed, prepared."""
    made = Story(world, random.Random(seed))
    made.prepare()
    return made


def at(text: str) -> datetime:
    """A time of these tests."""
    return datetime.fromisoformat(text)


def ticket_ids(world: World) -> list[int]:
    """The tickets there are."""
    with world.database.reading() as connection:
        return [one.id for one in tickets.list_tickets(connection, limit=10_000)]
