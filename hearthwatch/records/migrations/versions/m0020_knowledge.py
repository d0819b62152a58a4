"""The knowledge base."""

import sqlalchemy as sa
from alembic import op

from hearthwatch.records.tables.columns import BigId, Instant

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _articles()
    _terms()
    _answers()


def downgrade() -> None:
    for table in ("article_answers", "article_terms", "articles"):
        op.drop_table(table)


def _articles() -> None:
    op.create_table(
        "articles",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("cause", sa.String(length=400), nullable=False),
        sa.Column("next_step", sa.String(length=400), nullable=False),
        sa.Column("self_help", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("modes", sa.JSON(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("updated_by", sa.String(length=120), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("origin in ('shipped', 'own')", name=op.f("ck_articles_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
        sa.UniqueConstraint("slug", "language", name=op.f("uq_articles_slug_language")),
    )


def _terms() -> None:
    op.create_table(
        "article_terms",
        sa.Column("article_id", BigId, autoincrement=False, nullable=False),
        sa.Column("term", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_terms_article_id_articles")),
        sa.PrimaryKeyConstraint("article_id", "term", name=op.f("pk_article_terms")),
    )
    op.create_index(op.f("ix_article_terms_term"), "article_terms", ["term"], unique=False)


def _answers() -> None:
    op.create_table(
        "article_answers",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", BigId, nullable=True),
        sa.Column("helped", sa.Boolean(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_article_answers_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_answers")),
    )
    op.create_index(op.f("ix_article_answers_slug"), "article_answers", ["slug"], unique=False)
