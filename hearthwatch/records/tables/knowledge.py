"""The knowledge base: articles in several languages, the terms they are found by, and whether they helped."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hearthwatch.records.tables.columns import BigId, Instant, id_column, metadata, revision_column

articles = Table(
    "articles",
    metadata,
    id_column(),
    Column("slug", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("title", String(200), nullable=False),
    Column("cause", String(400), nullable=False),
    Column("next_step", String(400), nullable=False),
    Column("self_help", Text),  # Markdown for customers; null: nothing they could do
    Column("body", Text, nullable=False),  # Markdown for staff
    Column("modes", JSON, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("models", JSON, nullable=False),  # empty: all
    Column("origin", String(16), nullable=False),  # shipped, own
    Column("digest", String(64), nullable=False),  # of the shipped text it comes from; empty where it is our own
    Column("retired", Boolean, nullable=False, server_default="0"),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", String(120), nullable=False),
    revision_column(),
    UniqueConstraint("slug", "language"),
    CheckConstraint("origin in ('shipped', 'own')", name="origin"),
)

article_terms = Table(
    "article_terms",
    metadata,
    Column("article_id", BigId, ForeignKey("articles.id"), primary_key=True, autoincrement=False),
    Column("term", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Index(None, "term"),
)

article_answers = Table(
    "article_answers",
    metadata,
    id_column(),
    Column("slug", String(64), nullable=False, index=True),
    Column("device_id", String(64), nullable=False),
    Column("ticket_id", BigId, ForeignKey("tickets.id")),
    Column("helped", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
)
