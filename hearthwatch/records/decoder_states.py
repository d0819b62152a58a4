"""What stateful conventions remember, so that a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import replace_rows
from hearthwatch.records.tables import decoder_states


def load(connection: Connection) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Every saved state, by convention and partition."""
    columns = (decoder_states.c.convention, decoder_states.c.partition, decoder_states.c.state)
    return {(row.convention, row.partition): row.state for row in connection.execute(sa.select(*columns))}


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
