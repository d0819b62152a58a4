"""Column types and the metadata that all tables share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.type_api import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BigId = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """A UTC instant: timezone-aware in Python on every database, also where the database keeps no offset."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """``timestamptz`` where it exists, else a plain datetime."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """As `process_bind_param`; SQLite keeps text, and the texts of the newest times are remembered: rows of a batch share them."""
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """As `process_result_value`; rows of a batch share their times, so those of SQLite's texts are remembered."""
        return _of_sqlite_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse times without an offset; they are a bug of ours."""
        utc = _utc(value)
        return utc if utc is None or dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the offset back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"time without an offset: {value!r}")
    return value.astimezone(UTC)


@lru_cache(maxsize=8192)
def _sqlite_text(value: datetime | None) -> str | None:
    utc = _utc(value)
    return utc.replace(tzinfo=None).isoformat(" ", "microseconds") if utc is not None else None


@lru_cache(maxsize=8192)
def _of_sqlite_text(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text is not None else None


def id_column() -> Column[int]:
    return Column("id", BigId, primary_key=True, autoincrement=True)


def revision_column() -> Column[int]:
    return Column("revision", Integer, nullable=False, server_default="1")


def fitted(column: Column[Any], text: str | None) -> str | None:
    """A text from outside as its column can hold it: cut to its length, without NUL, which PostgreSQL refuses."""
    if text is None:
        return None
    return text.replace("\x00", "")[: getattr(column.type, "length", None)]
