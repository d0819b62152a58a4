"""States, messages, remedies and approvals of tickets; one open ticket per cause; labels that blame neither part nor model."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from hearthwatch.records.migrations.ledgers import make_append_only, release
from hearthwatch.records.migrations.rebuilding import emptied
from hearthwatch.records.tables.columns import BigId, Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ADDED: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("merged_into", BigId),
    ("mode", sa.String(length=64)),
    ("waiting_for", sa.String(length=16)),
    ("waiting_until", Instant()),
    ("resumes_as", sa.String(length=16)),
    ("visit_at", Instant()),
    ("remedy", sa.String(length=24)),
    ("remedy_price", sa.BigInteger()),
    ("remedy_currency", sa.String(length=3)),
    ("approved_until", Instant()),
    ("failed_at", Instant()),
)
STATE = ("state", "state in ('open', 'assigned', 'in_progress', 'scheduled', 'waiting', 'closed')")
OLD_STATE = ("state", "state in ('open', 'assigned', 'scheduled', 'waiting', 'closed')")
NEW_CHECKS = (
    ("waits_for_somebody", "(state = 'waiting') = (waiting_for is not null)"),
    ("waiting_for", "waiting_for in ('customer', 'part', 'approval', 'third_party')"),
    ("merged_is_closed", "merged_into is null or state = 'closed'"),
    ("price_in_a_currency", "(remedy_price is null) = (remedy_currency is null)"),
)
OUTCOMES = "outcome in ('failure', 'no_fault_found', 'user_error', 'environment', 'fixed_by_update')"
OLD_OUTCOMES = "outcome in ('failure', 'no_fault_found')"
WAITED = "CASE WHEN state = 'waiting' THEN 'customer' END"
MODE = "CASE WHEN kind = 'device' THEN (SELECT mode FROM findings WHERE findings.id = finding_id) END"
SOURCE = "CASE WHEN kind = 'request' THEN 'page' ELSE 'policy' END"


def upgrade() -> None:
    _change_tickets()
    _name_stems()
    op.create_index(
        "uq_tickets_open_stem",
        "tickets",
        ["stem"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    _allow_outcomes(OUTCOMES)
    _messages()
    _approvals()


def downgrade() -> None:
    op.drop_table("ticket_approvals")
    op.drop_table("ticket_messages")
    release("outcomes")
    op.execute(f"DELETE FROM outcomes WHERE NOT ({OLD_OUTCOMES})")
    make_append_only("outcomes")
    _allow_outcomes(OLD_OUTCOMES)
    op.drop_index("uq_tickets_open_stem", table_name="tickets")
    op.execute("UPDATE tickets SET state = 'assigned' WHERE state = 'in_progress'")
    with emptied("tickets"), op.batch_alter_table("tickets") as tickets:
        _change_checks(tickets, [STATE, *NEW_CHECKS], [OLD_STATE])
        tickets.drop_index(op.f("ix_tickets_merged_into"))
        tickets.drop_constraint(op.f("fk_tickets_merged_into_tickets"), type_="foreignkey")
        for name, _ in reversed(ADDED):
            tickets.drop_column(name)
        tickets.drop_column("source")
        tickets.drop_column("stem")


def _change_tickets() -> None:
    computed = {"stem": "cause", "source": SOURCE, "mode": MODE, "waiting_for": WAITED}
    with emptied("tickets", computed), op.batch_alter_table("tickets") as tickets:
        tickets.add_column(sa.Column("stem", sa.String(length=255), nullable=not _is_sqlite()))
        tickets.add_column(sa.Column("source", sa.String(length=16), server_default="policy", nullable=False))
        for name, kind in ADDED:
            tickets.add_column(sa.Column(name, kind, nullable=True))
        tickets.create_foreign_key(op.f("fk_tickets_merged_into_tickets"), "tickets", ["merged_into"], ["id"])
        tickets.create_index(op.f("ix_tickets_merged_into"), ["merged_into"], unique=False)
        if _is_sqlite():
            _change_checks(tickets, [OLD_STATE], [STATE, *NEW_CHECKS])
    if not _is_sqlite():
        op.execute(f"UPDATE tickets SET stem = cause, source = {SOURCE}, mode = {MODE}, waiting_for = {WAITED}")
        with op.batch_alter_table("tickets") as tickets:
            tickets.alter_column("stem", nullable=False)
            _change_checks(tickets, [OLD_STATE], [STATE, *NEW_CHECKS])


def _change_checks(tickets: BatchOperations, gone: list[tuple[str, str]], come: list[tuple[str, str]]) -> None:
    for name, _ in gone:
        tickets.drop_constraint(op.f(f"ck_tickets_{name}"), type_="check")
    for name, rule in come:
        tickets.create_check_constraint(op.f(f"ck_tickets_{name}"), sa.text(rule))


def _is_sqlite() -> bool:
    return bool(op.get_context().dialect.name == "sqlite")


def _name_stems() -> None:
    """The cause without its number. Where several of one cause are open already, the later ones keep their whole cause as their stem."""
    connection = op.get_bind()
    taken: set[str] = set()
    tickets = sa.table("tickets", sa.column("id"), sa.column("cause"), sa.column("state"), sa.column("stem"))
    rows = connection.execute(sa.select(tickets.c.id, tickets.c.cause, tickets.c.state).order_by(tickets.c.id)).all()
    for id_, cause, state in rows:
        stem, slash, number = cause.rpartition("/")
        if not slash or not number.isdecimal() or (state != "closed" and stem in taken):
            continue
        if state != "closed":
            taken.add(stem)
        connection.execute(sa.update(tickets).where(tickets.c.id == id_).values(stem=stem))


def _allow_outcomes(rule: str) -> None:
    name = op.f("ck_outcomes_outcome")
    release("outcomes")
    with emptied("outcomes"), op.batch_alter_table("outcomes") as outcomes:
        outcomes.drop_constraint(name, type_="check")
        outcomes.create_check_constraint(name, sa.text(rule))
    make_append_only("outcomes")


def _messages() -> None:
    op.create_table(
        "ticket_messages",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "direction in ('in', 'out', 'internal', 'unverified')", name=op.f("ck_ticket_messages_direction")
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_messages_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_messages")),
    )
    op.create_index(op.f("ix_ticket_messages_ticket_id"), "ticket_messages", ["ticket_id"], unique=False)


def _approvals() -> None:
    op.create_table(
        "ticket_approvals",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("remedy", sa.String(length=24), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("asked_by", sa.String(length=120), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("via", sa.String(length=16), nullable=True),
        sa.Column("link_id", BigId, nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("wording", sa.Text(), nullable=True),
        sa.Column("wording_digest", sa.String(length=64), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "state in ('asked', 'approved', 'declined', 'expired', 'withdrawn')", name=op.f("ck_ticket_approvals_state")
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_approvals_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_approvals")),
    )
    for column in ("ticket_id", "expires_at"):
        op.create_index(op.f(f"ix_ticket_approvals_{column}"), "ticket_approvals", [column], unique=False)
    op.create_index(
        "ix_ticket_approvals_asked",
        "ticket_approvals",
        ["ticket_id"],
        unique=True,
        sqlite_where=sa.text("state = 'asked'"),
        postgresql_where=sa.text("state = 'asked'"),
    )
