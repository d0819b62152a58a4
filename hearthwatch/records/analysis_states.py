"""What an analysis remembers between its runs, by subject: running sums, thresholds, how far it has read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import replace_rows
from hearthwatch.records.tables import analysis_states


def load(connection: Connection, name: str) -> dict[str, Any]:
    """All states of one analysis, by subject."""
    columns = (analysis_states.c.subject, analysis_states.c.state)
    query = sa.select(*columns).where(analysis_states.c.name == name).order_by(analysis_states.c.subject)
    rows = connection.execute(query)
    return {row.subject: row.state for row in rows}


def save(connection: Connection, name: str, states: Mapping[str, Any], now: datetime) -> None:
    """Save states of one analysis, over those of the same subjects."""
    rows = [{"name": name, "subject": subject, "state": state, "updated_at": now} for subject, state in states.items()]
    replace_rows(connection, analysis_states, rows)
