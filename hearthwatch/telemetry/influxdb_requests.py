"""Lines into the server in requests of bounded size, and what of them it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.influxdb_lines import untag
from hearthwatch.telemetry.influxdb_server import Malformed, Partial, TooLarge

MAX_LINES, MAX_BYTES = 5_000, 4 << 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line the server will never take, and why."""

    line: bytes
    reason: str


def send(write: Callable[[bytes], None], body: Sequence[bytes]) -> list[Refusal]:
    """Write lines in requests of bounded size. Returns the lines that are refused for good; all others are stored."""
    refused: list[Refusal] = []
    start = size = 0
    for place, one in enumerate(body):
        if place > start and (place - start >= MAX_LINES or size + len(one) > MAX_BYTES):
            _send_part(write, body[start:place], refused)
            start, size = place, 0
        size += len(one) + 1
    if start < len(body):
        _send_part(write, body[start:], refused)
    return refused


def _send_part(write: Callable[[bytes], None], part: Sequence[bytes], refused: list[Refusal]) -> None:
    try:
        write(b"\n".join(part))
    except (Malformed, TooLarge, Partial) as error:
        # Writing a line again changes nothing, so the refused ones are found by halving.
        if len(part) == 1:
            refused.append(Refusal(part[0], str(error)))
            return
        middle = len(part) // 2
        _send_part(write, part[:middle], refused)
        _send_part(write, part[middle:], refused)


def raise_refused(refused: Sequence[Refusal]) -> None:
    """Raises `Invalid` when the server refused something for good, naming the first device."""
    if not refused:
        return
    first = refused[0]
    head = first.line.split(b" ", 1)[0].decode("utf-8", "replace")
    device = next((part[7:] for part in head.split(",") if part.startswith("device=")), head)
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    raise Invalid(f"the server refuses it: {first.reason}{more}", where=untag(device))
