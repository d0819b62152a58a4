"""Trying quarantine again, for the API and the pages alike: once done it stands in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping

from api.context import ApiContext
from hearthwatch.errors import Missing
from hearthwatch.records import audit


def replay_quarantine(context: ApiContext, actor: str) -> Mapping[str, int]:
    """Try again what is held, through today's decoders. Raises `Missing` where this process can not, `Unavailable`, `Invalid`."""
    if context.replay is None:
        raise Missing("this process replays nothing")
    answer = context.replay()
    with context.database.transaction() as connection:
        audit.note(
            connection,
            at=context.clock.now(),
            actor=actor,
            action="quarantine.replay",
            object="quarantine",
            detail=answer,
        )
    return answer
