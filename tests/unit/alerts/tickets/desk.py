"""Acts on tickets in tests: each in a transaction of its own, at the world's time, by an agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from alerts.tickets import acts, approvals, conversation, correcting, ending, merging, repairs, requests, states
from hearthwatch.records import devices, ticket_approvals, ticket_messages, tickets, warranties
from hearthwatch.records.ticket_approvals import Approval
from hearthwatch.records.ticket_messages import TicketMessage
from hearthwatch.records.warranties import Told
from hearthwatch.values import Ticket
from tests.unit.alerts.world import World

T = TypeVar("T")
ANN = "ann"


@dataclass
class Desk:
    """An agent at work."""

    world: World

    def do(self, work: Callable[[Connection], T]) -> T:
        with self.world.database.transaction() as connection:
            return work(connection)

    def ticket(self, **more: Any) -> Ticket:
        """A live policy, a customer, and one ticket about their lock's battery."""
        self.world.home()
        self.world.policy()
        self.world.stand(**{"part": "battery", **more})
        self.world.run()
        return self.world.ticket()

    def request(self, device: str = "lock-1", customer: str = "c-1") -> Ticket:
        return self.do(
            lambda c: requests.request_visit(
                c,
                device_id=device,
                customer_id=customer,
                home_id="h-1",
                finding_id=None,
                actor=f"customer:{customer}",
                now=self.now,
            )
        )

    @property
    def now(self) -> datetime:
        return self.world.now

    def later(self, **much: float) -> datetime:
        return self.now + timedelta(**(much or {"days": 1}))

    def read(self, ticket: Ticket | int) -> Ticket:
        return self.do(lambda c: tickets.get(c, ticket if isinstance(ticket, int) else ticket.id))

    def events(self, ticket: Ticket) -> list[tickets.TicketEvent]:
        return self.do(lambda c: tickets.events(c, ticket.id))

    def whats(self, ticket: Ticket) -> list[str]:
        return [event.what for event in self.events(ticket)]

    def texts(self, ticket: Ticket, *, visible: bool = False) -> list[TicketMessage]:
        return self.do(lambda c: ticket_messages.of_ticket(c, ticket.id, visible=visible))

    def folded(self, ticket: Ticket) -> states.Standing:
        return states.fold(self.events(ticket))

    def assign(self, ticket: Ticket, technician: str = "t-1") -> Ticket:
        self.world.technician(technician)
        return self.do(lambda c: acts.assign(c, ticket.id, None, technician, ANN, self.now))

    def start(self, ticket: Ticket) -> Ticket:
        return self.do(lambda c: acts.start(c, ticket.id, None, ANN, self.now))

    def schedule(self, ticket: Ticket, at: datetime | None = None) -> Ticket:
        return self.do(lambda c: acts.schedule(c, ticket.id, None, at or self.later(), ANN, self.now))

    def wait(self, ticket: Ticket, whom: str, until: datetime | None = None) -> Ticket:
        return self.do(lambda c: acts.wait(c, ticket.id, None, whom, until, ANN, self.now))

    def resume(self, ticket: Ticket) -> Ticket:
        return self.do(lambda c: acts.resume(c, ticket.id, None, ANN, self.now))

    def note(self, ticket: Ticket, text: str = "a difficult customer") -> Ticket:
        return self.do(lambda c: conversation.note(c, ticket.id, None, text, ANN, self.now))

    def reply(self, ticket: Ticket, text: str = "Hello", wait_until: datetime | None = None) -> Ticket:
        return self.do(lambda c: conversation.reply(c, ticket.id, None, text, ANN, self.now, wait_until=wait_until))

    def message(self, ticket: Ticket, text: str = "It rattles", *, verified: bool = True) -> int:
        return self.do(
            lambda c: conversation.message(
                c, ticket.id, text=text, author="customer:c-1", now=self.now, verified=verified
            )
        )

    def close(self, ticket: Ticket, code: str = "confirmed", part: str | None = None, **more: Any) -> Ticket:
        return self.do(
            lambda c: ending.close(
                c, ticket.id, None, code=code, part=part, note="looked", actor=ANN, now=self.now, **more
            )
        )

    def reopen(self, ticket: Ticket, why: str = "closed too early") -> Ticket:
        return self.do(lambda c: ending.reopen(c, ticket.id, None, why, ANN, self.now))

    def correct(self, ticket: Ticket, code: str = "user_error", part: str | None = None, **more: Any) -> Ticket:
        told = {"why": "the workshop's report", **more}
        return self.do(
            lambda c: correcting.correct(c, ticket.id, None, code=code, part=part, actor=ANN, now=self.now, **told)
        )

    def merge(self, ticket: Ticket, other: Ticket) -> Ticket:
        return self.do(lambda c: merging.merge(c, ticket.id, None, other.id, ANN, self.now))

    def choose(self, ticket: Ticket, remedy: str, price: int | None = None, why: str | None = None) -> Ticket:
        return self.do(
            lambda c: repairs.choose(c, ticket.id, None, remedy, price=price, why=why, actor=ANN, now=self.now)
        )

    def ask(self, ticket: Ticket) -> Approval:
        self.do(lambda c: repairs.ask_approval(c, ticket.id, None, ANN, self.now))
        asked = self.do(lambda c: ticket_approvals.asked(c, ticket.id))
        assert asked is not None
        return asked

    def answer(self, asked: Approval, agreed: bool = True, customer: str = "c-1") -> Approval:
        return self.do(
            lambda c: approvals.answer(
                c,
                asked.id,
                agreed,
                customer_id=customer,
                actor=f"customer:{customer}",
                via="link",
                link_id=4,
                language="en",
                wording="We can exchange it.",
                now=self.now,
            )
        )

    def warranty(self, device: str = "lock-1", **until: float) -> None:
        """Until when it lasts, from now (negative: it is over)."""
        told = Told(device, until=self.now + timedelta(**until))
        self.do(lambda c: warranties.tell(c, [told], "test", self.now))

    def installed(self, device: str, at: datetime) -> None:
        self.do(lambda c: devices.register(c, [{"id": device, "installed_at": at}]))
