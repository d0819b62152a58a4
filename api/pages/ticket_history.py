"""All that happened to a ticket, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from alerts.remedies.money import told
from alerts.tickets.opening import WARNS
from alerts.tickets.recalls import SETTLED
from api.context import ApiContext
from api.pages.frame import Visit, card
from api.pages.language import Speaker
from api.pages.ticket_remedy import name as remedy_name
from api.pages.tickets import source, waits
from api.pages.wording import moment
from hearthwatch.records import tickets
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Ticket

Detail = Mapping[str, Any]


async def history_card(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    """The ledger, oldest first."""
    ledger = await visit.load(_load, ticket.id)
    with card(say("History")):
        for event in ledger:
            with ui.row().classes("items-baseline gap-x-3 gap-y-0 w-full"):
                ui.label(moment(event.at)).classes("text-sm hw-quiet")
                ui.label(told_of(say, event)).classes("text-sm break-words min-w-0")
                ui.label(actor(say, event.actor)).classes("text-xs hw-quiet")


def _load(context: ApiContext, ticket_id: int) -> list[TicketEvent]:
    with context.database.reading() as connection:
        return tickets.events(connection, ticket_id)


def actor(say: Speaker, who: str) -> str:
    """Who did it, in words."""
    kind, _, rest = who.partition(":")
    known = {
        "policy": say("by itself"),
        "intake": say("by itself"),
        "customer": say("the customer"),
        "reporter": say("somebody who reported"),
        "device": say("the device"),
    }
    return known.get(kind, rest if kind == "token" else who)


def told_of(say: Speaker, event: TicketEvent) -> str:
    """An event as a sentence. What nobody has put into words is told as it stands."""
    sentences = _sentences(say, dict(event.detail))
    return sentences[event.what]() if event.what in sentences else f"{event.what} {dict(event.detail)}"


def _sentences(say: Speaker, detail: dict[str, Any]) -> dict[str, Callable[[], str]]:
    when = str(detail.get("at") or detail.get("until") or "")[:16].replace("T", " ")
    return {
        "opened": lambda: say("opened by {source}", source=source(say, str(detail.get("source") or "policy"))),
        "joined": lambda: _joined(say, detail),
        "assigned": lambda: say("assigned to {who}", who=detail.get("technician_id")),
        "started": lambda: say("work has begun"),
        "scheduled": lambda: say("a visit was agreed for {when} UTC", when=when),
        "visit_off": lambda: say("the visit is off"),
        "waiting": lambda: waits(say, str(detail.get("for"))) + (f" ({when} UTC)" if when else ""),
        "resumed": lambda: say("goes on"),
        "raised": lambda: say("priority {before} became {after}", before=detail.get("from"), after=detail.get("to")),
        "note": lambda: say("an internal note was written"),
        "replied": lambda: say("the customer was answered"),
        "message": lambda: (
            say("the customer wrote") if detail.get("verified", True) else say("somebody unverified wrote")
        ),
        "customer": lambda: say("the customer asks: {wish}", wish=say.word(str(detail.get("wish") or "something"))),
        "owner_known": lambda: say("the case is the device's owner's from now on"),
        "remedy_proposed": lambda: say("proposed: {remedy}", remedy=_remedy(say, detail)),
        "remedy_chosen": lambda: say("chosen: {remedy}", remedy=_remedy(say, detail)),
        "approval_asked": lambda: say("the customer was asked to agree: {remedy}", remedy=_remedy(say, detail)),
        "approved": lambda: say("the customer agreed: {remedy}", remedy=_remedy(say, detail)),
        "declined": lambda: say("the customer declined: {remedy}", remedy=_remedy(say, detail)),
        "approval_over": lambda: say("the question about the price is over"),
        "diagnosed": lambda: say("it is said to be: {what}", what=_what(say, detail)),
        "recovered": lambda: say("the device has been well again; somebody is at it, so a person decides"),
        "merged": lambda: _merged(say, detail),
        "closed": lambda: _closed(say, detail),
        "corrected": lambda: _corrected(say, detail),
        "reopened": lambda: (
            say("opened again: it is a matter of safety now") if detail.get(WARNS) else say("opened again")
        ),
        "mirrored": lambda: say("shown in the outside desk"),
        "diagnostics": lambda: say("the device answered with diagnostics"),
        "check_update": lambda: say("the device answered about updates"),
        "update": lambda: say("the device answered about its update"),
    }


def _joined(say: Speaker, detail: Detail) -> str:
    if detail.get("parent_id"):
        return say("became part of the problem of ticket {number}", number=detail["parent_id"])
    return say("a further sign came: {mode}", mode=say.word(str(detail.get("mode") or "–")))


def _remedy(say: Speaker, detail: Detail) -> str:
    price, currency = detail.get("price"), detail.get("currency")
    named = remedy_name(say, str(detail["remedy"])) if detail.get("remedy") else "–"
    return f"{named}, {told(int(price), str(currency), say.language)}" if price is not None and currency else named


def _what(say: Speaker, detail: Detail) -> str:
    return " · ".join(say.word(str(one)) for one in (detail.get("part"), detail.get("mode")) if one) or "–"


def _merged(say: Speaker, detail: Detail) -> str:
    if detail.get("into"):
        return say("went into ticket {number}", number=detail["into"])
    return say("ticket {number} went into this one", number=detail.get("from"))


def _corrected(say: Speaker, detail: Detail) -> str:
    was, code = (say.word(str(detail.get(name) or "–")) for name in ("was", "code"))
    said = say("outcome corrected: {code}, not {was}", code=code, was=was)
    return f"{said} · {say.word(str(detail['part']))}" if detail.get("part") else said


def _closed(say: Speaker, detail: Detail) -> str:
    said = say("closed as {code}", code=say.word(str(detail.get("code") or "–")))
    part = detail.get("part")
    children = detail.get("children")
    if part:
        said += f" · {say.word(str(part))}"
    if children:
        said += " · " + say("with {count} tickets of the same problem", count=len(children))
    if detail.get(SETTLED):
        said += " · " + say("the device is settled in its recall")
    return said
