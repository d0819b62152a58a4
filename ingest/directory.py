"""Who is who, as one session of the ingestor knows it: devices, their aliases, the broker's users, and whether a new device may come in.

Loaded from the records when the session begins and refreshed every few seconds; in between it answers from memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hearthwatch.errors import HearthwatchError
from hearthwatch.records import admissions, aliases, broker_users, hardware
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.values import Identity, Observation
from ingest.admission import HELD_A_DAY, Admission, AdmissionPolicy

LOG = logging.getLogger(__name__)

CLOCKS_APART = timedelta(seconds=60)
ASKED_AGAIN = 1000
"""Ids that were turned away and are looked for in the records once more: somebody may have registered them meanwhile."""


class Directory:
    """What is known of devices. `known`, `plain` and `guarded` are looked up for every message; the rest only where they say so."""

    def __init__(
        self, policy: AdmissionPolicy | None = None, *, ask: bool = False, held_a_day: int | None = HELD_A_DAY
    ) -> None:
        self.admission = Admission(policy or AdmissionPolicy(), held_a_day=held_a_day)
        self.known: set[str] = set()
        self.plain: set[str] = set()  # known under one id
        self.guarded: set[str] = set()  # ids of devices that log in at the broker under their own name
        self.turned_away = 0
        self._ask = ask
        self._aliases: dict[str, str] = {}
        self._several: set[str] = set()  # devices with aliases
        self._enrolled: set[str] = set()
        self._bridges: set[str] = set()
        self._users_mark: object = None
        self._newcomers: set[str] = set()
        self._strangers: dict[str, None] = {}
        self._vouched: dict[tuple[str, str], str] = {}
        self._asked = False
        self._unwritten = 0
        self._learned_at: datetime | None = None

    # -- answers

    def device_of(self, name: str) -> str:
        """The device that an id means."""
        return self._aliases.get(name, name)

    def has_aliases(self, device: str) -> bool:
        """Whether a device has other ids."""
        return device in self._several

    def owner_of(self, name: str) -> str | None:
        """The user of the broker that a device is, if it has one of its own."""
        device = self.device_of(name)
        return device if device in self._enrolled else None

    def is_bridge(self, user: str) -> bool:
        """Whether a user speaks for the devices behind it."""
        return user in self._bridges

    def is_enrolled(self, user: str | None) -> bool:
        """Whether a user is a device's own."""
        return user in self._enrolled

    def told(self) -> dict[str, Any]:
        """For the health: devices that are known, samples of others that were turned away, and why new ones are not taken in."""
        return {
            "known": len(self.known),
            "turned_away_samples": self.turned_away,
            "closed_because": self.admission.reason(),
        }

    # -- newcomers

    def admit(self, device: str) -> None:
        """A device nobody knew is taken in."""
        self._asked = True
        self._newcomers.add(device)
        self._know([device])

    def vouches(self, user: str, convention: str, device: str) -> bool:
        """Whether an unknown id comes from a device that has access of its own: so it may be that device's, and will be joined to it.

        One id for each convention; whatever else a device tells of has to be admitted like any other.
        """
        return user in self._enrolled and self._vouched.setdefault((user, convention), device) == device

    def turn_away(self, device: str, samples: int) -> None:
        """A device nobody knows is not taken in."""
        self._asked = True
        self.turned_away += samples
        self._unwritten += samples
        self._strangers[device] = None
        if len(self._strangers) > ASKED_AGAIN:
            del self._strangers[next(iter(self._strangers))]

    def note(
        self, connection: Connection, sightings: Sequence[Sighting], claims: Sequence[Identity], now: datetime
    ) -> set[str]:
        """Count those of a batch's devices that are new, before they are written down; `noted` when that is durable."""
        if not self._newcomers:
            return set()
        told = (*(one.device for one in sightings), *(one.device for one in claims))
        new = self._newcomers.intersection(told)
        if new:
            admissions.count(connection, now, admitted=len(admissions.not_there(connection, new)))
        return new

    @property
    def newcomers(self) -> int:
        """Devices that were admitted and are not `noted` yet."""
        return len(self._newcomers)

    def noted(self, devices: Iterable[str]) -> None:
        """Their transaction is durable."""
        self._newcomers.difference_update(devices)

    # -- the records

    def load(self, connection: Connection, now: datetime) -> None:
        """Take in all there is."""
        self.known = admissions.all_ids(connection)
        self._load_aliases(connection)
        self._load_users(connection)
        self._load_admissions(connection, now)
        self._learned_at = now

    def learn(self, connection: Connection, claims: Sequence[Identity], now: datetime) -> list[Observation]:
        """Keep hardware addresses and join what is one device; returns what a person should look at."""
        told = [claim for claim in claims if claim.hardware_address or claim.serial or claim.told_by]
        return hardware.learn(connection, told, now, ask=self._ask) if told else []

    def exchange(self, database: Database, now: datetime) -> None:
        """Write down what was counted, and `refresh`; when the records are away, another time."""
        try:
            away = self._unwritten
            if away:
                with database.transaction(alone=False) as connection:
                    admissions.count(connection, now, turned_away=away)
                self._unwritten -= away
            with database.reading() as connection:
                self.refresh(connection, now)
        except HearthwatchError as error:
            LOG.debug("nothing was learned of devices: %s", error)

    def refresh(self, connection: Connection, now: datetime) -> None:
        """Hear what people and other ingestors decided since the last time."""
        since = (self._learned_at or now) - CLOCKS_APART
        if aliases.decided_since(connection, since):
            self._load_aliases(connection)
        if broker_users.mark(connection) != self._users_mark:
            self._load_users(connection)
        if self._strangers:
            there = set(self._strangers) - admissions.not_there(connection, self._strangers.keys())
            self._know(there)
            for device in there:
                self._strangers.pop(device, None)
        if self._asked:
            self._asked = False
            self._load_admissions(connection, now)
        self._learned_at = now

    def _know(self, devices: Iterable[str]) -> None:
        self.known.update(devices)
        self.plain.update(one for one in devices if one not in self._aliases and one not in self._several)

    def _load_aliases(self, connection: Connection) -> None:
        joined = aliases.list_aliases(connection, state=aliases.JOINED)
        self._aliases = {one.alias: one.device for one in joined}
        self._vouched.update({(one.device, one.convention): one.alias for one in joined if one.convention is not None})
        self._several = set(self._aliases.values())
        self.known |= self._several
        self.plain = self.known.difference(self._aliases, self._several)
        self._guard()

    def _load_users(self, connection: Connection) -> None:
        self._users_mark = broker_users.mark(connection)
        users = broker_users.list_users(connection)
        self._enrolled = {user.name for user in users if user.role == broker_users.DEVICE}
        self._bridges = {user.name for user in users if user.role == broker_users.BRIDGE}
        self._know(self._enrolled)  # they are registered when they are enrolled
        self._guard()

    def _guard(self) -> None:
        self.guarded = self._enrolled.union(one for one, device in self._aliases.items() if device in self._enrolled)

    def _load_admissions(self, connection: Connection, now: datetime) -> None:
        stands = admissions.today(connection, now)
        waiting = len(self._newcomers)
        self.admission.learn(now, stands.admitted + waiting, stands.known + waiting)
