"""What the descriptions of Home Assistant discovery said: entities, the topics they listen to, and their devices.

State: ``{"entities": {key: entity}, "topics": {topic: [keys]}, "devices": {device: state}, "waiting": {topic: word}}``. A key is the
discovery topic between prefix and ``/config``, for a component of a bundle with its own key after it. A topic may be anybody's, and
a device may be described before or after it speaks, so all of it is one state.
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
        self._given: Mapping[str, Any] = state or {}
        self._no_state = state is None
        self._changed: dict[str, dict[str, Any]] = {}
        self._drafts = Drafts(NAME, self._map("devices"), message)
        self.message = message

    def _map(self, key: str) -> Mapping[str, Any]:
        known = self._changed.get(key, self._given.get(key))
        return known if isinstance(known, dict) else {}

    def _own(self, key: str) -> dict[str, Any]:
        """A part of the state to write to: copied once."""
        if key not in self._changed:
            self._changed[key] = dict(self._map(key))
        return self._changed[key]

    def draft(self, device: str) -> Draft:
        """The draft of a device. Raises `Invalid` for one device more than can be remembered."""
        known = self._map("devices")
        if device not in known and len(known) >= MAX_DEVICES:
            raise Invalid(f"more than {MAX_DEVICES} devices")
        return self._drafts.of(device)

    # -- entities

    def entity(self, key: str) -> Entity | None:
        """The entity that was described under a key."""
        known: Entity | None = self._map("entities").get(key)
        return known

    def listeners(self, topic: str) -> list[tuple[str, Entity]]:
        """The entities that listen to a topic, with their keys."""
        entities = self._map("entities")
        return [(key, entities[key]) for key in self._map("topics").get(topic, ()) if key in entities]

    def components(self, bundle: str) -> list[str]:
        """Keys of the components that a bundle described."""
        return [key for key in self._map("entities") if key.startswith(bundle + "/")]

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
            self._own("entities")[key] = entity
            topics = self._own("topics")
            for topic in topics_of(entity):
                topics[topic] = sorted({*topics.get(topic, ()), key})
            draft = self.draft(entity["d"])
            draft.keep("keys", sorted({*_keys(draft), key}))
            self.disown(entity["d"], key)
            owned = {source["m"]: key for source in entity["s"] if "m" in source}
            draft.keep("owners", {**_owners(draft), **owned} or None)

    def _check_room(self, key: str, entity: Entity, *, new: bool) -> None:
        if new and len(self._map("entities")) >= MAX_ENTITIES:
            raise Invalid(f"more than {MAX_ENTITIES} entities")
        if len({*_keys(self.draft(entity["d"])), key}) > MAX_ENTITIES_OF_DEVICE:
            raise Invalid(f"more than {MAX_ENTITIES_OF_DEVICE} entities of one device")
        topics = self._map("topics")
        if any(len(topics.get(topic, ())) >= MAX_ENTITIES_OF_TOPIC for topic in topics_of(entity)):
            raise Invalid(f"more than {MAX_ENTITIES_OF_TOPIC} entities that listen to one topic")

    def _forget(self, key: str, entity: Entity) -> None:
        del self._own("entities")[key]
        topics = self._own("topics")
        for topic in topics_of(entity):
            left = [other for other in topics.get(topic, ()) if other != key]
            topics[topic] = left
            if not left:
                del topics[topic]
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
        waiting = self._map("waiting")
        if waiting.get(topic) != word and (topic in waiting or len(waiting) < MAX_WAITING):
            self._own("waiting")[topic] = word
        return "no description says yet whose presence this is"

    def waited(self, topic: str) -> str | None:
        """The word that was kept for a topic; it waits no longer."""
        word = self._map("waiting").get(topic)
        if word is not None:
            del self._own("waiting")[topic]
        return word if isinstance(word, str) else None

    def judge_presence(self, device: str, *, heard: bool) -> str | None:
        """A device is online when one of its entities is available, by what was heard so far; returns why that is nothing new.

        ``heard``: its availability was told just now. Else only a change counts, such as by a new description.
        """
        draft = self.draft(device)
        seen = draft.recall("seen")
        seen = seen if isinstance(seen, dict) else {}
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
        if changed:
            self._own("devices").update(changed)
        state = {**self._given, **self._changed}
        state = {key: part for key, part in state.items() if part}
        same = all(self._given.get(key, {}) == part for key, part in self._changed.items())
        ignored = "a description, which is remembered" if ignored == KNOWN_COPY and not same else ignored
        reason = None if values else ignored or "nothing in it that we measure"
        following = (None if self._no_state else self._given) if same else state
        return Decoded(tuple(values), bounded(rejected), reason), following


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
