"""Rejections of one message, bounded: a hostile message must not fill quarantine with a row for each of its bytes."""

from __future__ import annotations

from collections.abc import Sequence

from hearthwatch.values import Rejection

MAX_NAMED = 20
"""How many refused parts of one message are named one by one."""


def bounded(rejected: Sequence[Rejection]) -> tuple[Rejection, ...]:
    """The first rejections as they are and the rest as one, which stands for as many samples as they did."""
    if len(rejected) <= MAX_NAMED:
        return tuple(rejected)
    rest = rejected[MAX_NAMED:]
    reason = f"{len(rest)} more parts were refused, the first of them: {rest[0].reason}"
    together = Rejection(reason, "and more", rest[0].device, sum(one.samples for one in rest))
    return (*rejected[:MAX_NAMED], together)
