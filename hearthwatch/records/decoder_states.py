"""What stateful conventions remember, so that a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing, replace_rows
from hearthwatch.records.tables import decoder_states

Key = tuple[str, str]
"""Convention and partition."""


def load(
    connection: Connection, *, conventions: Sequence[str] | None = None, since: datetime | None = None
) -> dict[Key, Mapping[str, Any]]:
    """Saved states, by convention and partition; of some conventions only, or those saved from a time on."""
    query = sa.select(decoder_states.c.convention, decoder_states.c.partition, decoder_states.c.state)
    if conventions is not None:
        query = query.where(decoder_states.c.convention.in_(conventions))
    if since is not None:
        query = query.where(decoder_states.c.updated_at >= since)
    query = query.order_by(decoder_states.c.convention, decoder_states.c.partition)
    return {(row.convention, row.partition): row.state for row in connection.execute(query)}


def join(
    connection: Connection,
    states: Mapping[Key, Mapping[str, Any]],
    joined: Callable[[Mapping[str, Any] | None, Mapping[str, Any] | None], Mapping[str, Any] | None],
    now: datetime,
) -> None:
    """Save states that several processes write: what is there and what is given become ``joined(saved, given)``.

    The rows are locked while that is done, in the order of their keys, so that nothing is lost and nobody waits in a circle.
    """
    keys = sorted(states)
    empty = [{"convention": one, "partition": part, "state": {}, "updated_at": now} for one, part in keys]
    insert_missing(connection, decoder_states, empty)
    saved: dict[Key, Mapping[str, Any]] = {}
    for convention in dict.fromkeys(one for one, _ in keys):
        for some in batched(part for one, part in keys if one == convention):
            query = (
                sa.select(decoder_states.c.partition, decoder_states.c.state)
                .where(decoder_states.c.convention == convention, decoder_states.c.partition.in_(some))
                .order_by(decoder_states.c.partition)
                .with_for_update()
            )
            saved.update({(convention, row.partition): row.state for row in connection.execute(query)})
    save(connection, {key: joined(saved.get(key) or None, states[key]) or {} for key in keys}, now)


def save(connection: Connection, states: Mapping[tuple[str, str], Mapping[str, Any] | None], now: datetime) -> None:
    """Save states, over what was there; a state of None is forgotten."""
    rows = [
        {"convention": convention, "partition": partition, "state": state, "updated_at": now}
        for (convention, partition), state in states.items()
        if state is not None
    ]
    replace_rows(connection, decoder_states, rows)
    for (convention, partition), state in states.items():
        if state is None:
            of_partition = (decoder_states.c.convention == convention, decoder_states.c.partition == partition)
            connection.execute(sa.delete(decoder_states).where(*of_partition))
