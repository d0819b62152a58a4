"""Real payloads made wrong: bytes flipped, cut, doubled, exchanged, and JSON whose leaves say something else."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from tests.sparkplug_payloads import varint
from tests.strategies import HOSTILE

LEAVES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**53 + 1, 2**64, -(2**70), 1e308, -1e-308, 0.1),
    *(
        "",
        " ",
        "NaN",
        "nan",
        "1e400",
        "true",
        "online",
        "ON",
        "2.4.1",
        "\x00",
        "\u202e",
        "°C",
        "x" * 300,
        "a/b#+",
        "..",
        "é",
    ),
    *(
        "1970-01-01T00:00:00",
        "9999-12-31T23:59:59Z",
        "2026-05-01T12:00:00+25:00",
        "0x90fd9ffffe6494fc",
        "DE:AD:BE:EF:FE:ED",
    ),
    *([], {}, [[]], [None], {"": {}}, {"a": {"b": {"c": {"d": {"e": 1}}}}}),
)


def mutated(rng: random.Random, payload: bytes, others: Sequence[bytes]) -> bytes:
    """One payload after one to four changes. The same state of ``rng`` gives the same payload."""
    for _ in range(rng.randrange(1, 5)):
        payload = _changed_json(rng, payload) if rng.random() < 0.5 else _changed_bytes(rng, payload, others)
    return payload[:200_000]


def _changed_bytes(rng: random.Random, payload: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(payload) + 1)
    until = min(len(payload), at + rng.randrange(1, 9))
    kind = rng.randrange(8)
    if kind == 0:
        return payload[:at] + bytes([rng.randrange(256)]) + payload[at + 1 :]
    if kind == 1:
        return payload[:at]
    if kind == 2:
        return payload[:at] + payload[until:]
    if kind == 3:
        return payload[:at] + payload[at:until] * rng.choice((2, 3, 500)) + payload[until:]
    if kind == 4:
        return payload[:at] + rng.randbytes(rng.randrange(1, 9)) + payload[at:]
    if kind == 5:  # a length or a number of a binary encoding
        return payload[:at] + varint(rng.choice((0, 1, 127, 128, 2**31, 2**32 - 1, 2**63, 2**64 - 1))) + payload[until:]
    if kind == 6:
        other = rng.choice(others)
        return payload[:at] + other[rng.randrange(len(other) + 1) :]
    return rng.choice((*HOSTILE, rng.choice(others)))


def _changed_json(rng: random.Random, payload: bytes) -> bytes:
    try:
        tree = json.loads(payload)
    except (ValueError, RecursionError):
        return payload
    if not isinstance(tree, (dict, list)) or not tree:
        return json.dumps(rng.choice(LEAVES)).encode("utf-8", "surrogatepass")
    inside: Any = tree
    while True:
        key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
        if not (isinstance(inside[key], (dict, list)) and inside[key]) or rng.random() < 0.2:
            break
        inside = inside[key]
    if isinstance(inside, dict) and rng.random() < 0.2:
        inside[rng.choice([str(leaf)[:300] for leaf in LEAVES])] = inside.pop(key)
    elif rng.random() < 0.15:
        del inside[key]
    else:
        inside[key] = rng.choice(LEAVES)
    return json.dumps(tree).encode()
