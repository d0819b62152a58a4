"""What can be done about a ticket, what that costs whom and why, and the customer's agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from babel.numbers import get_currency_precision
from nicegui import ui

from alerts.remedies.choice import Option, Proposal, Reason
from alerts.remedies.money import told
from alerts.tickets import approvals, repairs
from api.context import ApiContext
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker
from api.pages.ticket_acts import act
from api.pages.wording import moment
from api.security import AGENTS, FIELD
from hearthwatch.records import ticket_approvals
from hearthwatch.records.ticket_approvals import Approval
from hearthwatch.values import Ticket

COLORS = {"asked": "warning", "approved": "positive", "declined": "negative"}


@dataclass(frozen=True, slots=True)
class Found:
    """What the card shows."""

    proposal: Proposal
    approvals: Sequence[Approval]


async def remedy_card(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    """Proposal, choice and agreement; nothing for tickets without a device."""
    if ticket.device_id is None:
        return
    found = await visit.load(_load, ticket)
    proposal = found.proposal
    with card(say("Remedy"), _who_pays(say, proposal)):
        if ticket.remedy:
            _chosen(say, ticket)
        if ticket.state != "closed":
            for option in proposal.options:
                _option(say, option, proposal)
            if visit.person.role in FIELD:
                _choose(visit, say, ticket, proposal)
        for one in found.approvals:
            _approval(visit, say, ticket, one)
        waits = any(one.state == "asked" for one in found.approvals)
        if ticket.state != "closed" and ticket.remedy_price and not waits and visit.person.role in FIELD:
            _ask(visit, say, ticket)


def _load(context: ApiContext, ticket: Ticket) -> Found:
    with context.database.reading() as connection:
        proposal = repairs.proposal(connection, ticket, repairs.terms_of(connection), context.clock.now())
        return Found(proposal, ticket_approvals.of_ticket(connection, ticket.id))


def _who_pays(say: Speaker, proposal: Proposal) -> str:
    if proposal.covered is None:
        return say("Nobody knows whether the warranty lasts: say what the customer pays when you choose.")
    if proposal.covered:
        return say("The warranty lasts: the customer pays nothing.")
    return say("The warranty is over: the customer pays, and agrees first.")


def name(say: Speaker, remedy: str) -> str:
    """A remedy in words."""
    return {
        "remote_fix": say("put right from afar"),
        "update": say("update"),
        "ship_part": say("send the part"),
        "swap": say("exchange the device"),
        "visit": say("visit by a technician"),
        "return": say("send it in for repair"),
    }[remedy]


def _chosen(say: Speaker, ticket: Ticket) -> None:
    sum_ = _money(say, ticket.remedy_price or 0, ticket.remedy_currency or "EUR")
    pays = say("the customer pays {price}", price=sum_) if ticket.remedy_price else say("the customer pays nothing")
    with ui.row().classes("items-center gap-2"):
        ui.icon("check_circle", color="primary")
        ui.label(f"{say('Chosen')}: {name(say, ticket.remedy or '')} · {pays}").classes("font-semibold")


def _option(say: Speaker, option: Option, proposal: Proposal) -> None:
    best = option is proposal.best
    with (
        ui.column()
        .classes("w-full gap-0 q-pa-sm rounded")
        .style("background: #eef3f2" if best else "background: #fbfaf7")
    ):
        with ui.row().classes("items-center gap-2 w-full"):
            ui.label(name(say, option.remedy)).classes(
                "font-semibold" if best else "" if option.possible else "hw-quiet"
            )
            if best:
                ui.badge(say("proposed"), color="positive")
            ui.space()
            if option.possible:
                cost, price = (_money(say, one, proposal.currency) for one in (option.cost, option.price))
                ui.label(say("costs us {cost}, the customer {price}", cost=cost, price=price)).classes("text-sm")
        for reason in option.why:
            ui.label(_reason(say, reason, proposal.currency)).classes("text-sm hw-quiet")


def _reason(say: Speaker, reason: Reason, currency: str) -> str:
    given = reason.given
    sentences = {
        "no_update": lambda: say("There is no update for this device that puts it right."),
        "not_remote": lambda: say("This can not be put right from afar."),
        "part_unknown": lambda: say("Nobody knows yet which part it is."),
        "needs_hands": lambda: say("Customers do not put in this part themselves."),
        "safety_hands": lambda: say("The failure of such a device may do harm: customers do not repair it themselves."),
        "safety_without": lambda: say(
            "The failure of such a device may do harm: nobody is left without it while it travels."
        ),
        "no_home": lambda: say("No home is known where a technician could go."),
        "cheapest_for_us": lambda: say(
            "The warranty lasts, and this is expected to cost us least, with what follows where it is not enough."
        ),
        "cheapest_for_customer": lambda: say(
            "The customer pays, and this is expected to cost them least, with what follows where it is not enough."
        ),
        "update_fixes": lambda: say("Version {version} puts this right.", version=given.get("version", "")),
        "safety_class": lambda: say(
            "The failure of such a device may do harm; what would leave people without it was left out."
        ),
        "dearer": lambda: say(
            "Expected to cost {more} more, with what follows where it is not enough.",
            more=_money(say, int(given.get("more", 0)), currency),
        ),
    }
    return sentences[reason.code]()


def _money(say: Speaker, amount: int, currency: str) -> str:
    return told(amount, currency, say.language)


def _choose(visit: Visit, say: Speaker, ticket: Ticket, proposal: Proposal) -> None:
    best = proposal.best
    with ui.expansion(say("Choose a remedy"), icon="handyman").classes("w-full"), ui.column().classes("gap-2 w-full"):
        with ui.row().classes("items-center gap-2 w-full"):
            options = {one.remedy: name(say, one.remedy) for one in proposal.options}
            start = ticket.remedy or (best.remedy if best else None)
            remedy = ui.select(options, label=say("Remedy"), value=start).classes("w-56").props("dense outlined")
            label = say("The customer pays ({currency})", currency=proposal.currency)
            price = (
                ui.input(label, placeholder=say("as proposed"))
                .classes("w-48")
                .props("dense outlined inputmode=decimal")
            )
        why = (
            ui.input(say("Why, where it is not what is proposed (internal)"))
            .classes("w-full")
            .props("dense outlined maxlength=4000")
        )

        async def choose() -> None:
            try:
                amount = minor(price.value, proposal.currency)
            except ValueError:
                ui.notify(say("Write the price as 49.00"), type="warning")
                return
            await act(
                visit,
                ticket,
                "remedy",
                lambda c, now: repairs.choose(
                    c,
                    ticket.id,
                    ticket.revision,
                    str(remedy.value),
                    price=amount,
                    why=why.value or None,
                    actor=visit.person.name,
                    now=now,
                ),
                say("Chosen"),
                {"remedy": remedy.value, "price": amount},
            )

        ui.button(say("Choose"), on_click=choose).props("no-caps unelevated")


def minor(text: str | None, currency: str) -> int | None:
    """A sum somebody typed, in the currency's smallest unit; None for none. Raises `ValueError` for what is no such sum."""
    if not (text or "").strip():
        return None
    try:
        amount = Decimal((text or "").strip().replace(",", ".")).scaleb(get_currency_precision(currency))
    except InvalidOperation:
        raise ValueError(text) from None
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 <= amount <= 10**12:
        raise ValueError(text)
    return int(amount)


def _ask(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    async def ask() -> None:
        await act(
            visit,
            ticket,
            "ask_approval",
            lambda c, now: repairs.ask_approval(c, ticket.id, ticket.revision, visit.person.name, now),
            say("The customer is asked"),
        )

    ui.button(say("Ask the customer whether they agree"), icon="request_quote", on_click=ask).props(
        "no-caps unelevated"
    )


def _approval(visit: Visit, say: Speaker, ticket: Ticket, one: Approval) -> None:
    with ui.column().classes("w-full gap-1 q-pa-sm rounded").style("border: 1px solid #e4e1d8"):
        with ui.row().classes("items-center gap-2"):
            ui.badge(say.word(one.state), color=COLORS.get(one.state, "grey-7"))
            ui.label(f"{name(say, one.remedy)} · {_money(say, one.price, one.currency)}")
        sentence(say("asked on {asked}, open until {until}", asked=moment(one.asked_at), until=moment(one.expires_at)))
        if one.decided_at is not None and one.via is not None:
            sentence(
                say("answered on {when} by {way}", when=moment(one.decided_at), way=say.word(one.via))
                + (f" · {one.decided_by}" if one.via != "link" else "")
            )
        if one.wording:
            with ui.expansion(say("What the customer read")).classes("w-full"):
                ui.label(one.wording).classes("whitespace-pre-line text-sm")
        if one.state == "asked" and ticket.state != "closed" and visit.person.role in AGENTS:
            _phone(visit, say, ticket, one)


def _phone(visit: Visit, say: Speaker, ticket: Ticket, one: Approval) -> None:
    async def answer(agreed: bool) -> None:
        await act(
            visit,
            ticket,
            "answer_approval",
            lambda c, now: approvals.answer(
                c, one.id, agreed, customer_id=None, actor=visit.person.name, via="phone", now=now
            ),
            say("Kept"),
            {"approval": one.id, "agreed": agreed, "via": "phone"},
        )

    with ui.row().classes("gap-2"):
        ui.button(say("They agreed on the phone"), on_click=lambda: answer(True)).props("no-caps outline dense")
        ui.button(say("They declined on the phone"), on_click=lambda: answer(False)).props("no-caps outline dense")
