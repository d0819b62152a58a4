"""The columns that all ledgers of looks have, whatever is looked at."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, Float, Integer, String

from hearthwatch.records.tables.columns import Instant


def look_columns(*, longest_why: int) -> tuple[Column[Any], ...]:
    """New columns of one table; see `hearthwatch.records.look_ledger.RecordedLook`. ``longest_why`` in characters."""
    return (
        Column("metric", String(64), nullable=False),
        Column("at", Instant, nullable=False),
        Column("verdict", String(16), nullable=False),
        Column("why", String(longest_why), nullable=False),
        Column("e", Float, nullable=False),  # the stream's e-value: max(e_rate, e_first) / 2
        Column("e_rate", Float),
        Column("e_first", Float),
        Column("ratio", Float),
        Column("low", Float),
        Column("high", Float),
        Column("devices_treatment", Integer, nullable=False),
        Column("devices_control", Integer, nullable=False),
        Column("hours_treatment", Float, nullable=False),
        Column("hours_control", Float, nullable=False),
        Column("events_treatment", Float, nullable=False),
        Column("events_control", Float, nullable=False),
        Column("detail", JSON, nullable=False),
    )
