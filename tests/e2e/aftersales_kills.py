"""Who kills on the five paths, and when: by chance within rounds, in the middle of what is taken in, and in the middle of what is sent.

The receiver stands for a maker's own app and for its SMS gateway. It honours the idempotency key: what comes again counts once.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.gateway_server import Got
from tests.platform_processes import Role

LONGEST_SECONDS = 2.5
STEPS_OF_INTAKE = range(2, 13)
EARLY, LATE = range(4, 30), range(40, 80)
TEXTS = range(1, 5)


@dataclass(frozen=True)
class Plan:
    """Whom it hits and when. All drawn from one seed.

    ``share`` of the rounds have a stroke in them until there were ``most``; a stroke falls into what is taken in in each of the
    ``intakes`` (numbers of steps), and into the sending of each of the ``events`` and ``texts`` (numbers of first messages).
    """

    share: float
    most: int
    intakes: frozenset[int]
    events: frozenset[int]
    texts: frozenset[int]


def drawn(chance: random.Random) -> Plan:
    """A plan of nine or so: starting a process again costs seconds."""
    events = frozenset({chance.choice(EARLY), chance.choice(LATE)})
    intakes = frozenset(chance.sample(STEPS_OF_INTAKE, 2))
    return Plan(share=0.3, most=4, intakes=intakes, events=events, texts=frozenset({chance.choice(TEXTS)}))


class KillerAtWork:
    """Kills processes with SIGKILL while they work, and starts them again. ``killed`` counts by what they were doing."""

    def __init__(self, roles: Sequence[Role], chance: random.Random) -> None:
        self.plan = drawn(chance)
        self.killed: Counter[str] = Counter()
        self._roles = {role.name: role for role in roles}
        self._chance = chance
        self._intakes = 0
        self._due: threading.Thread | None = None
        self._one_at_a_time = threading.Lock()

    def strike(self) -> None:
        """A round begins."""
        self.rest()
        victims = [role for role in self._roles.values() if role.role != "ingest"]
        done = sum(self.killed[f"{role} in a round"] for role in ("jobs", "api"))
        if done < self.plan.most and self._chance.random() < self.plan.share:
            self._strike_soon(self._chance.choice(victims), "in a round", LONGEST_SECONDS)

    def strike_intake(self) -> None:
        """Devices begin to tell of a step."""
        self._intakes += 1
        if self._intakes in self.plan.intakes:
            self.rest()
            victims = [role for role in self._roles.values() if role.role == "ingest"]
            self._strike_soon(self._chance.choice(victims), "taking in", LONGEST_SECONDS / 5)

    def rest(self) -> None:
        """Wait for a stroke that is on its way."""
        if self._due is not None:
            self._due.join()
            self._due = None

    def end(self, name: str, doing: str) -> None:
        """Kill one at once, and start it again."""
        with self._one_at_a_time:
            victim = self._roles[name]
            victim.kill()
            victim.start()
            self.killed[f"{victim.role} {doing}"] += 1

    def _strike_soon(self, victim: Role, doing: str, longest_seconds: float) -> None:
        after = self._chance.uniform(0.0, longest_seconds)
        self._due = threading.Thread(target=self._strike_after, args=(after, victim.name, doing), name="killer")
        self._due.start()

    def _strike_after(self, seconds: float, name: str, doing: str) -> None:
        threading.Event().wait(seconds)
        self.end(name, doing)


class Received(list[Got]):
    """What arrived, in the order of arrival. Some senders end when their message is here and before they hear that it is.

    Senders are known by the first part of the path they post to, which each process has in its settings.
    """

    def __init__(self, killer: KillerAtWork) -> None:
        super().__init__()
        self._killer = killer
        self._seen: dict[str, set[str]] = {"app": set(), "sms": set()}
        self._turn = threading.Lock()
        self.interrupted: set[str] = set()

    def append(self, one: Got) -> None:
        """A message is here; it may be the end of its sender."""
        sender, way = one.path.split("/")[1:3]
        with self._turn:
            super().append(one)
            first = one.key not in self._seen[way]
            self._seen[way].add(one.key)
            number = len(self._seen[way])
        plan = self._killer.plan
        if first and number in (plan.events if way == "app" else plan.texts):
            self.interrupted.add(one.key)
            self._killer.end(sender, f"sending to the {way}")

    def kept(self, way: str) -> Mapping[str, Got]:
        """What a receiver that honours the key has, by key."""
        return {one.key: one for one in self if one.path.split("/")[2] == way}

    def events(self) -> Iterable[Mapping[str, Any]]:
        """What the app has heard."""
        return [one.json() for one in self.kept("app").values()]

    def texts(self, phone: str) -> list[str]:
        """What a phone has received."""
        told = [one.json() for one in self.kept("sms").values() if one.path.endswith(phone)]
        return [f"{one['title']}\n{one['message']}" for one in told]

    def again(self) -> set[str]:
        """Keys of what came more than once."""
        return {key for key, count in Counter(one.key for one in self).items() if count > 1}


def settings_of_sender(name: str, port: int) -> dict[str, str]:
    """Settings by which a process tells the app and the phones, so that the receiver knows which process it is."""
    place = f"127.0.0.1:{port}/{name}"
    webhook = f'{{"app": {{"url": "http://{place}/app", "secrets": ["a secret that both sides know, long enough"]}}}}'
    return {"webhooks": webhook, "channels": f'{{"sms": "json://{place}/sms/{{to}}"}}'}
