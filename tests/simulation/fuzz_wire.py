"""``make fuzz-wire``: real messages made wrong, through the real decoder with all conventions on, its states carried along.

Messages are those that ``HEARTHWATCH_DATA`` holds and those that documentation prints. Every answer must be well-formed values or
`Invalid`, and every state must survive being saved. What breaks that is printed as JSON lines which ``hearthwatch decode`` replays,
made as few as still break it.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.values import Message
from hearthwatch.wire.registry import CONVENTIONS, Decoder, conventions
from tests.mappings import EXAMPLE, NAMED, both
from tests.payload_mutations import mutated
from tests.recorded_messages import Sample, printed, recorded
from tests.strategies import START
from tests.well_formed import check_well_formed

SPOKEN = conventions(CONVENTIONS, both())
"""All conventions, and mapping files of either kind."""
SESSION = 200
"""Messages that go through one decoder."""
_LEVELS = ("", "x" * 300, "é", "$state", "5", "a b", "..", "\x00", "online", "status", "NBIRTH", "config")


class Broken(Exception):
    """The decoder did something else than to give values or `Invalid`."""


class Tally:
    """What came out of the messages so far."""

    def __init__(self) -> None:
        self.cases = 0
        self.outcomes: Counter[str] = Counter()
        self.conventions: Counter[str] = Counter()
        self.slowest_s = 0.0


def sessions(rng: random.Random, samples: Sequence[Sample], cases: int) -> Iterator[list[Message]]:
    """Stretches of the recordings in their own order, most of their messages made wrong."""
    payloads = [payload for _, payload in samples]
    while cases > 0:
        length = min(SESSION, cases)
        cases -= length
        start = rng.randrange(len(samples))
        session = []
        for number in range(length):
            step = start + number if rng.random() < 0.8 else rng.randrange(len(samples))
            topic, payload = samples[step % len(samples)]
            if rng.random() < 0.6:
                payload = mutated(rng, payload, payloads)
            if rng.random() < 0.1:
                topic = _changed_topic(rng, topic)
            at = START + timedelta(seconds=number * rng.choice((0, 1, 3600)))
            session.append(Message(topic, payload, at, retain=rng.random() < 0.2, redelivered=rng.random() < 0.05))
        yield session


def _changed_topic(rng: random.Random, topic: str) -> str:
    levels = topic.split("/")
    place = rng.randrange(len(levels))
    levels[place : place + rng.randrange(2)] = [rng.choice(_LEVELS)]
    return "/".join(levels)


def run(session: Sequence[Message], tally: Tally | None = None) -> None:
    """One session through a decoder of its own. Raises `Broken`."""
    decoder = Decoder(SPOKEN)
    for message in session:
        started = time.perf_counter()
        try:
            name, answer = decoder.decode(message)
            check_well_formed(answer)
            outcome = "values" if answer.values else "rejected" if answer.rejected else "ignored"
        except Invalid:
            name, outcome = decoder.convention_of(message.topic), "invalid"
        except Exception as error:  # anything else is what is looked for
            raise Broken(traceback.format_exc()) from error
        if tally is not None:
            tally.cases += 1
            tally.outcomes[outcome] += 1
            tally.conventions[name or "nobody"] += 1
            tally.slowest_s = max(tally.slowest_s, time.perf_counter() - started)
    for key, state in decoder.states().items():
        if msgspec.json.decode(msgspec.json.encode(state)) != state:
            raise Broken(f"the state of {key} is not what was saved of it")


def shrunk(session: Sequence[Message]) -> list[Message]:
    """The session without the messages that it takes no part of."""
    kept = list(session)
    size = len(kept)
    while size:
        for start in range(len(kept) - size, -1, -size):
            fewer = kept[:start] + kept[start + size :]
            try:
                run(fewer)
            except Broken:
                kept = fewer
        size = size // 2 if size > 1 else 0
    return kept


def as_line(message: Message) -> str:
    """A message as ``hearthwatch decode`` reads it."""
    given = {
        "topic": message.topic,
        "payload_base64": base64.b64encode(message.payload).decode(),
        "retain": message.retain,
    }
    return json.dumps(given)


def main(arguments: Sequence[str]) -> int:
    """0 when nothing broke; the figures go to standard output, cases that broke as well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=os.environ.get("HEARTHWATCH_DATA"))
    options = parser.parse_args(arguments)
    samples = printed()
    if options.data is not None:
        samples += recorded(options.data / "mqtt-payloads")
    else:
        print("HEARTHWATCH_DATA is not set: only messages that documentation prints are used", file=sys.stderr)
    tally = Tally()
    started = time.perf_counter()
    for session in sessions(random.Random(options.seed), samples, options.cases):
        try:
            run(session, tally)
        except Broken as broken:
            print(broken, file=sys.stderr)
            print("\n".join(as_line(message) for message in shrunk(session)))
            print(
                f"seed {options.seed}: broken after {tally.cases} cases; replay the lines on standard output with",
                file=sys.stderr,
            )
            named = Path(tempfile.mkdtemp(prefix="fuzz-wire-")) / "named.toml"
            named.write_text(NAMED, encoding="utf-8")
            every = ",".join(CONVENTIONS)
            print(
                f"HEARTHWATCH_CONVENTIONS={every} hearthwatch decode --mapping {EXAMPLE} --mapping {named}",
                file=sys.stderr,
            )
            return 1
    figures = {
        "cases": tally.cases,
        "seed": options.seed,
        "samples": len(samples),
        "outcomes": dict(tally.outcomes.most_common()),
        "conventions": dict(tally.conventions.most_common()),
        "slowest_ms": round(tally.slowest_s * 1000, 1),
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
