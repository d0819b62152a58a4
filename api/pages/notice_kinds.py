"""The kinds of notices, each with a letter of it in every language, and a test of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from alerts import samples
from alerts.notices.catalogue import languages
from alerts.notices.kinds import KINDS
from alerts.notices.wording import Letter
from api.context import ApiContext
from api.pages.frame import Visit, card
from api.pages.language import Speaker, speaker
from api.pages.letters import letters_card
from api.routes.findings import mail_of
from api.security import AGENTS


async def notice_kinds_page(visit: Visit) -> None:
    """One kind at a time, chosen by the address (``?kind=recall``)."""
    say = speaker(visit.request)
    asked = visit.request.query_params.get("kind", "")
    kind = asked if asked in KINDS else next(iter(KINDS))
    names = _names(say)
    note = say("Each asks for one thing at most. These letters are about a device that nobody has.")
    with card(say("Kinds"), note), ui.row().classes("gap-2"):
        for name, label in names.items():
            look = "unelevated" if name == kind else "outline"
            ui.button(label, on_click=lambda name=name: ui.navigate.to(f"/notice-kinds?kind={name}")).props(
                f"no-caps dense {look}"
            )
    letters = await visit.load(_letters, kind)
    letters_card(visit, say, f"kind:{kind}", letters, may_send=visit.person.role in AGENTS)


def _letters(context: ApiContext, kind: str) -> Sequence[Letter]:
    mail, now = mail_of(context.settings), context.clock.now()
    return [samples.sample(kind, language, mail, now) for language in languages()]


def _names(say: Speaker) -> Mapping[str, str]:
    return {
        "update": say("Update offered"),
        "replacement": say("Preventive replacement"),
        "check_up": say("Check-up"),
        "recall": say("Product safety recall"),
        "advisory": say("Security notice"),
        "all_clear": say("All-clear"),
        "ticket_update": say("News of a ticket"),
        "ticket_message": say("Message of an agent"),
        "approval": say("Question about a price"),
        "survey": say("Survey"),
    }
