"""What the descriptions of Home Assistant discovery said: entities, the topics they listen to, and their devices.

State: ``{"entities": {key: entity}, "topics": {topic: [keys]}, "devices": {device: state}, "waiting": {topic: word}}``. A key is the
discovery topic between prefix and ``/config``, for a component of a bundle with its own key after it. A topic may be anybody's, and
a device may be described before or after it speaks, so all of it is one state; each of its four maps is a `Shelf`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.drafts import Drafts
from hearthwatch.wire.home_assistant_boots import hear_presence
from hearthwatch.wire.home_assistant_entity import Entity, topics_of
from hearthwatch.wire.limits import KNOWN_COPY
from hearthwatch.wire.naming import Quantity, wholesome
from hearthwatch.wire.rejections import bounded
from hearthwatch.wire.shelf import Shelf

NAME = "home_assistant"

MAX_ENTITIES = 50_000
MAX_DEVICES = 10_000
MAX_ENTITIES_OF_DEVICE = 256
MAX_ENTITIES_OF_TOPIC = 512
MAX_WAITING = 2000
"""Topics whose last word is kept until a description says whose presence it is."""


class Memory:
    """The answer to one message while it is being made, over the state that was given."""

    def __init__(self, state: State | None, message: Message) -> None:
        self._given = state
        known = state or {}
        self._entities = Shelf(known.get("entities"))
        self._topics = Shelf(known.get("topics"))
        self._devices = Shelf(known.get("devices"))
        self._waiting = Shelf(known.get("waiting"))
        self._drafts = Drafts(NAME, self._devices.get, message)
        self.message = message

    def draft(self, device: str) -> Draft:
        """The draft of a device. Raises `Invalid` for one device more than can be remembered."""
        if self._devices.get(device) is None and len(self._devices) >= MAX_DEVICES:
            raise Invalid(f"more than {MAX_DEVICES} devices")
        return self._drafts.of(device)

    # -- entities

    def entity(self, key: str) -> Entity | None:
        """The entity that was described under a key."""
        known: Entity | None = self._entities.get(key, _bundle_of(key))
        return known

    def listeners(self, topic: str) -> list[tuple[str, Entity]]:
        """The entities that listen to a topic, with their keys."""
        found = ((key, self.entity(key)) for key in self._topics.get(topic) or ())
        return [(key, entity) for key, entity in found if entity is not None]

    def components(self, bundle: str) -> list[str]:
        """Keys of the components that a bundle described."""
        return [key for key in self._entities.beside(_bundle_of(bundle) or bundle) if key.startswith(bundle + "/")]

    def describe(self, key: str, entity: Entity | None) -> None:
        """Put an entity in the place of what was described under its key; None removes it. Raises `Invalid` beyond the limits."""
        before = self.entity(key)
        if before == entity:
            return
        if entity is not None:
            self._check_room(key, entity, new=before is None)
        if before is not None:
            self._forget(key, before)
        if entity is not None:
            self._entities.put(key, entity, _bundle_of(key))
            for topic in topics_of(entity):
                self._topics.put(topic, sorted({*(self._topics.get(topic) or ()), key}))
            draft = self.draft(entity["d"])
            draft.keep("keys", sorted({*_keys(draft), key}))
            owned = {source["m"]: key for source in entity["s"] if "m" in source}
            draft.keep("owners", {**_owners(draft), **owned} or None)

    def _check_room(self, key: str, entity: Entity, *, new: bool) -> None:
        if new and len(self._entities) >= MAX_ENTITIES:
            raise Invalid(f"more than {MAX_ENTITIES} entities")
        if len({*_keys(self.draft(entity["d"])), key}) > MAX_ENTITIES_OF_DEVICE:
            raise Invalid(f"more than {MAX_ENTITIES_OF_DEVICE} entities of one device")
        if any(len(self._topics.get(topic) or ()) >= MAX_ENTITIES_OF_TOPIC for topic in topics_of(entity)):
            raise Invalid(f"more than {MAX_ENTITIES_OF_TOPIC} entities that listen to one topic")

    def _forget(self, key: str, entity: Entity) -> None:
        self._entities.put(key, None, _bundle_of(key))
        for topic in topics_of(entity):
            left = [other for other in self._topics.get(topic) or () if other != key]
            self._topics.put(topic, left or None)
        draft = self.draft(entity["d"])
        draft.keep("keys", [other for other in _keys(draft) if other != key] or None)
        self.disown(entity["d"], key)

    def own_name(self, device: str, key: str, quantity: Quantity, source: str) -> Quantity:
        """A quantity under a name that no other entity of the device has: the first ever seen keeps the plain one."""
        draft = self.draft(device)
        owners = _owners(draft)
        digest = sha256(f"{key} {quantity.metric}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        names = (quantity.metric, wholesome(f"{source} {quantity.metric}", ""), f"s_{digest}_{quantity.metric}"[:63])
        name = next((name for name in names if owners.get(name, key) == key), names[-1])
        draft.keep("owners", {**owners, name: key})
        return Quantity(name, quantity.factor, quantity.offset)

    def disown(self, device: str, key: str) -> None:
        """Give back the names that an entity has."""
        draft = self.draft(device)
        owners = _owners(draft)
        draft.keep("owners", {metric: owner for metric, owner in owners.items() if owner != key} or None)

    # -- presence

    def wait(self, topic: str, word: str) -> str:
        """Keep a word that may tell a presence until somebody says whose it is."""
        if self._waiting.get(topic) is not None or len(self._waiting) < MAX_WAITING:
            self._waiting.put(topic, word)
        return "no description says yet whose presence this is"

    def waited(self, topic: str) -> str | None:
        """The word that was kept for a topic; it waits no longer."""
        word = self._waiting.get(topic)
        self._waiting.put(topic, None)
        return word if isinstance(word, str) else None

    def hear_availability(
        self, draft: Draft, availability: Mapping[str, Any], place: Sequence[Any], *, here: bool
    ) -> None:
        """Remember what one of the topics of an availability said."""
        draft.keep("seen", {**_seen(draft), signature(place): here, of_all(availability): here})

    def ask_neighbours(self, entity: Entity) -> None:
        """What a topic said to other devices it says to this one too: a gateway's presence comes once, before or between descriptions."""
        draft, availability = self.draft(entity["d"]), entity.get("a")
        for place in availability["of"] if availability else ():
            if signature(place) in _seen(draft):
                continue
            others = {other["d"] for _, other in self.listeners(place[0])} - {entity["d"]}
            told = (_seen(self.draft(other)).get(signature(place)) for other in sorted(others))
            here = next((word for word in told if word is not None), None)
            if here is not None and availability is not None:
                self.hear_availability(draft, availability, place, here=bool(here))

    def judge_presence(self, device: str, *, heard: bool) -> str | None:
        """A device is online when one of its entities is available, by what was heard so far; returns why that is nothing new.

        ``heard``: its availability was told just now. Else only a change counts, such as by a new description.
        """
        draft = self.draft(device)
        seen = _seen(draft)
        entities = [self.entity(key) for key in _keys(draft)]
        verdicts = [
            _available(entity["a"], seen) for entity in entities if entity is not None and entity.get("a") is not None
        ]
        known = [verdict for verdict in verdicts if verdict is not None]
        if not known:
            return None
        online, before = any(known), draft.recall("online")
        if not heard and online == before:
            return None
        if draft.recall("esphome"):
            hear_presence(draft, online=online, known=before)
        return draft.presence("availability", online=online)

    # -- the answer

    def finish(self, ignored: str | None) -> tuple[Decoded, State | None]:
        """The answer and the next state, which is the given object when nothing changed. Raises `Invalid` when all was refused."""
        values, rejected, changed = self._drafts.gather()
        if rejected and not values:
            raise Invalid(f"{rejected[0].part}: {rejected[0].reason}")
        for device, following in changed.items():
            self._devices.put(device, following)
        shelves = {
            "entities": self._entities,
            "topics": self._topics,
            "devices": self._devices,
            "waiting": self._waiting,
        }
        known = self._given or {}
        parts = {key: shelf.settled() for key, shelf in shelves.items()}
        same = all(parts[key] is known.get(key) or not (parts[key] or known.get(key)) for key in parts)
        ignored = "a description, which is remembered" if ignored == KNOWN_COPY and not same else ignored
        reason = None if values else ignored or "nothing in it that we measure"
        state = self._given if same else {key: part for key, part in parts.items() if part}
        return Decoded(tuple(values), bounded(rejected), reason), state


def _bundle_of(key: str) -> str | None:
    """What the components of a bundle have in common; they are looked for together."""
    return "/".join(key.split("/")[:2]) if key.startswith("device/") else None


def signature(place: Sequence[Any]) -> str:
    """An availability's topic with its payloads, as the key of what was heard on it."""
    return "\n".join(str(part) for part in place)


def of_all(availability: Mapping[str, Any]) -> str:
    """The key of the last thing heard on any of an availability's topics."""
    return "latest\n" + "\n".join(signature(place) for place in availability["of"])


def _available(availability: Mapping[str, Any], seen: Mapping[str, bool]) -> bool | None:
    """Whether an entity is available, None where nothing was heard. With ``all`` one that was not heard yet counts as absent."""
    if availability["mode"] == "latest":
        return seen.get(of_all(availability))
    heard = [seen.get(signature(place)) for place in availability["of"]]
    if availability["mode"] == "any":
        return True if True in heard else None if None in heard else False
    return False if False in heard else None if None in heard else True


def _seen(draft: Draft) -> Mapping[str, Any]:
    seen = draft.recall("seen")
    return seen if isinstance(seen, dict) else {}


def _keys(draft: Draft) -> list[str]:
    keys = draft.recall("keys")
    return keys if isinstance(keys, list) else []


def _owners(draft: Draft) -> Mapping[str, Any]:
    owners = draft.recall("owners")
    return owners if isinstance(owners, dict) else {}


def new_claim(draft: Draft, claim: Sequence[str | None]) -> str | None:
    """Whether a device claims something new: None, or the reason to ignore that it says the same again."""
    if draft.recall("claim") == list(claim):
        return KNOWN_COPY
    draft.keep("claim", list(claim))
    return None
