"""Topic filters of a mapping file: MQTT's, in which one level may be the device, its name or a channel."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import is_wholesome, shown

DEVICE, NAME, CHANNEL = "{device}", "{name}", "{channel}"
_GROUPS = {DEVICE: "(?P<device>[^/]+)", NAME: "(?P<name>[^/]+)", CHANNEL: "(?P<channel>[^/]+)", "+": "[^/]*"}
MAX_FILTER = 256
"""Characters of a filter."""
MAX_STREAM = 64
"""Characters of the part of a topic that names a stream; longer ones end in a digest of the whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the levels of a topic say."""

    levels: tuple[str, ...]
    device: str | None = None
    name: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A filter of a mapping file. Two filters are equal when they are spelled alike."""

    text: str
    levels: tuple[str, ...] = field(compare=False)
    _pattern: re.Pattern[str] = field(compare=False, repr=False)

    @property
    def subscription(self) -> str:
        """The same as an MQTT filter."""
        return "/".join("+" if level in (DEVICE, NAME, CHANNEL) else level for level in self.levels)

    def match(self, topic: str) -> Place | None:
        """What a topic says by this filter, or None when it is not of it."""
        found = self._pattern.fullmatch(topic)
        return None if found is None else Place(tuple(topic.split("/")), **found.groupdict())

    def stream(self, place: Place, shared: int) -> str:
        """The kind of message a topic is: its levels without the device and without the first ``shared`` ones, which all filters have."""
        own = [
            given
            for number, given in enumerate(place.levels)
            if number >= shared and (number >= len(self.levels) or self.levels[number] not in (DEVICE, NAME))
        ]
        text = "/".join(own) or "message"
        if len(text) <= MAX_STREAM and text.isprintable():
            return text
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{''.join(letter if letter.isprintable() else '_' for letter in text[:40])}~{digest}"


def parse_filter(text: str) -> TopicFilter:
    """A filter as it stands in a mapping file. Raises `Invalid`."""
    if len(text) > MAX_FILTER or not is_wholesome(text):
        raise Invalid(f"not a topic filter of at most {MAX_FILTER} characters")
    levels = tuple(text.split("/"))
    for number, level in enumerate(levels):
        if not level:
            raise Invalid(f"an empty level in {shown(text)}")
        last = number == len(levels) - 1
        if level in (DEVICE, NAME, CHANNEL, "+") or (level == "#" and last):
            continue
        if level == "#":
            raise Invalid(f"# is only the last level: {shown(text)}")
        if any(letter in level for letter in "+#{}"):
            said = f"{shown(level)} in {shown(text)}"
            raise Invalid(f"a level is a text, +, {{device}}, {{name}}, {{channel}} or, at the end, #: {said}")
    if levels[0].startswith("$"):
        raise Invalid(f"topics that begin with $ are the broker's own: {shown(text)}")
    if all(level in (DEVICE, NAME, CHANNEL, "+", "#") for level in levels):
        raise Invalid(f"no level of it is a text, so it would take everybody's messages: {shown(text)}")
    for one in (DEVICE, NAME, CHANNEL):
        if levels.count(one) > 1:
            raise Invalid(f"{one} stands twice in {shown(text)}")
    if DEVICE in levels and NAME in levels:
        raise Invalid(f"either {{device}} or {{name}}: {shown(text)}")
    return TopicFilter(text, levels, re.compile(_expression(levels), re.DOTALL))


def _expression(levels: tuple[str, ...]) -> str:
    inner = "/".join(_GROUPS.get(level, re.escape(level)) for level in levels if level != "#")
    return inner + ("(?:/.*)?" if levels[-1] == "#" else "")


def overlap(one: str, other: str) -> bool:
    """Whether there is a topic that both MQTT filters match."""
    left, right = one.split("/"), other.split("/")
    for first, second in zip(left, right, strict=False):
        if "#" in (first, second):
            return True
        if first != second and "+" not in (first, second):
            return False
    shorter, longer = sorted((left, right), key=len)
    return len(left) == len(right) or longer[len(shorter)] == "#"
