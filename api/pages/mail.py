"""Mail that came in: what became of each, and what waits in quarantine for a person."""

from __future__ import annotations

from nicegui import ui

from api.context import ApiContext
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from api.pages.ticket_acts import Work, audited
from api.pages.wording import moment
from api.security import AGENTS
from hearthwatch.records import inbound_mails, reports
from hearthwatch.records.inbound_mails import InboundMail

SHOWN = 200


async def mail_page(visit: Visit) -> None:
    """The quarantine first, then the newest mails."""
    found, tickets_of = await visit.load(_load)
    say = speaker(visit.request)
    held = [one for one in found if one.state == "quarantined" and one.settled_at is None]
    if held:
        with card(
            say("In quarantine"), say("These could not be taken in. Nothing of them is lost: save one to read it.")
        ):
            for one in held:
                _held(visit, say, one)
    if not found:
        sentence(say("No mail has come in yet."))
        return
    columns = (
        ("at", say("Came in (UTC)"), "left"),
        ("state", say("What became of it"), "left"),
        ("sender", say("From"), "left"),
        ("subject", say("Subject"), "left"),
        ("ticket", say("Ticket"), "left"),
        ("reason", say("Why"), "left"),
    )
    rows = [_row(say, one, tickets_of.get(one.report_id or 0)) for one in found]
    with card(say("The newest mails")):
        table(columns, rows, links=("ticket",), badges=("state",), page_size=25)


def _load(context: ApiContext) -> tuple[list[InboundMail], dict[int, int]]:
    with context.database.reading() as connection:
        held = inbound_mails.list_mails(connection, state="quarantined", limit=SHOWN)
        newest = inbound_mails.list_mails(connection, limit=SHOWN)
        found = {one.id: one for one in [*held, *newest]}
        ids = [one.report_id for one in found.values() if one.report_id is not None]
        tickets_of = {one: reports.get(connection, one).ticket_id for one in ids}
    return sorted(found.values(), key=lambda one: -one.id), tickets_of


def _row(say: Speaker, mail: InboundMail, ticket_id: int | None) -> dict[str, object]:
    colors = {"taken": "positive", "quarantined": "negative", "bounce": "warning", "ignored": "grey-7"}
    return {
        "id": mail.id,
        "at": moment(mail.received_at),
        "state": say.word(mail.state),
        "state_color": colors.get(mail.state),
        "sender": mail.sender or "–",
        "subject": mail.subject or "–",
        "ticket": str(ticket_id) if ticket_id else "–",
        "ticket_to": f"/tickets/{ticket_id}" if ticket_id else None,
        "reason": _why(say, mail),
    }


def _why(say: Speaker, mail: InboundMail) -> str:
    """Why it became what it did, or how its place was found; what programs told (an error, a diagnosis) stays in their words."""
    places = {
        "tag": say("by the tag of its ticket"),
        "letter": say("it answers a letter of ours"),
        "mail": say("it answers an earlier mail"),
        "number": say("it names the device"),
        "only device": say("it is the sender's only device"),
    }
    return places.get(mail.reason or "") or say(mail.reason or "–")


def _held(visit: Visit, say: Speaker, mail: InboundMail) -> None:
    async def settle() -> None:
        settles: Work = lambda c, now: inbound_mails.settle(c, mail.id, visit.person.name, now)  # noqa: E731
        await audited(visit, "mail.settle", f"mail:{mail.id}", settles, say("Seen to"))

    with ui.row().classes("items-center gap-3 w-full"):
        ui.label(f"{moment(mail.received_at)} · {mail.sender or '–'} · {mail.subject or '–'}").classes("break-words")
        ui.label(_why(say, mail)).classes("text-negative text-sm break-words")
        if visit.person.role in AGENTS:
            ui.link(say("Save it"), f"/api/v1/inbound-mail/{mail.id}/raw").classes("hw-link")
            ui.button(say("Seen to it"), on_click=settle).props("no-caps outline dense")
