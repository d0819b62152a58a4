"""What people reported on a ticket: their words and photos, what was attached by itself, and tickets that may be about the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from alerts.intake import matching, reporting
from alerts.intake.complaints import BY_ID, WISHES
from alerts.intake.matching import Candidate
from alerts.tickets import merging
from api.context import ApiContext
from api.pages.actions import agreed
from api.pages.frame import Visit, card, facts
from api.pages.language import Speaker, speaker
from api.pages.snapshot import show_snapshot
from api.pages.ticket_acts import act, audited
from api.pages.tickets import titled
from api.pages.wording import moment
from api.security import AGENTS, FIELD, PHOTO_READERS
from hearthwatch.failure_modes import MODES
from hearthwatch.reasons import spoken
from hearthwatch.records import inbound_mails, report_photos, reports
from hearthwatch.records.inbound_mails import InboundMail
from hearthwatch.records.report_photos import PhotoFacts
from hearthwatch.records.reports import TicketReport
from hearthwatch.values import Ticket

SIGNS = {"choice": "chosen", "words": "in the text", "finding": "found on the device", "person": "said by a person"}


@dataclass(frozen=True, slots=True)
class Intake:
    """All that people reported on a ticket."""

    reports: Sequence[TicketReport]
    photos: Mapping[int, Sequence[PhotoFacts]]
    mails: Mapping[int, InboundMail]
    candidates: Sequence[Candidate]


async def intake_cards(visit: Visit, ticket: Ticket) -> None:
    """The reports of a ticket, and tickets that may be duplicates; nothing where there are none.

    Who only reads tickets gets neither what people wrote nor who they are.
    """
    found = await visit.load(_load, ticket)
    say, reads = speaker(visit.request), visit.person.role in FIELD
    for report in found.reports:
        _report_card(visit, say, report if reads else reports.without_person(report), found)
    if found.candidates and ticket.state != "closed":
        _duplicates_card(visit, say, ticket, found.candidates)


def _load(context: ApiContext, ticket: Ticket) -> Intake:
    with context.database.reading() as connection:
        told = reports.of_ticket(connection, ticket.id)
        ids = [one.id for one in told]
        return Intake(
            told,
            report_photos.photos_of(connection, ids),
            inbound_mails.of_reports(connection, ids),
            matching.candidates(connection, ticket, context.clock.now()),
        )


def _report_card(visit: Visit, say: Speaker, report: TicketReport, found: Intake) -> None:
    with card(say("Report {number}", number=report.id)):
        with ui.row().classes("gap-2 items-center"):
            ui.badge(say.word(f"by {report.source}")).props("color=grey-7")
            if report.verified:
                ui.badge(say("surely from the customer")).props("color=positive")
            else:
                ui.badge(say("not verified")).props("color=warning")
            if report.danger:
                ui.badge(say("danger: {words}", words=", ".join(report.danger))).props("color=negative")
            ui.label(moment(report.at)).classes("hw-quiet text-sm")
        facts(_said(say, report))
        if report.text:
            ui.label(report.text).classes("whitespace-pre-wrap break-words")
        if visit.person.role in PHOTO_READERS:
            _photos(say, found.photos.get(report.id, ()))
        _classification(visit, say, report)
        mail = found.mails.get(report.id)
        if mail is not None and visit.person.role in FIELD:
            _mail(say, mail)
        if report.snapshot:
            with ui.expansion(say("The device at that time")).classes("w-full").props("dense"):
                show_snapshot(say, report.snapshot)


def _said(say: Speaker, report: TicketReport) -> dict[str, str]:
    language = spoken(say.language)
    contact = " · ".join(filter(None, (report.contact_name, report.contact_email, report.contact_phone)))
    told = {
        say("What is wrong"): BY_ID[report.complaint].name(language) if report.complaint in BY_ID else report.complaint,
        say("Since"): report.since or "",
        say("Wish"): WISHES.get(report.wish or "", {}).get(language, ""),
        say("Contact"): contact,
        say("Customer"): report.customer_id or "",
        say("Taken down by"): report.actor if report.source in {"api", "staff"} else "",
    }
    return {name: value for name, value in told.items() if value}


def _photos(say: Speaker, photos: Sequence[PhotoFacts]) -> None:
    if not photos:
        return
    with ui.row().classes("gap-2"):
        for number, one in enumerate(photos, 1):
            with ui.link(target=f"/api/v1/report-photos/{one.id}", new_tab=True):
                small = f"/api/v1/report-photos/{one.id}?small=true"
                ui.html(
                    f'<img src="{small}" alt="{say("Photo {number}", number=number)}" loading="lazy"'
                    ' style="max-height:9rem;border-radius:8px">',
                    sanitize=False,
                )


def _classification(visit: Visit, say: Speaker, report: TicketReport) -> None:
    signs = [
        say("{sign}: {what}", sign=say.word(SIGNS[one["by"]]), what=_what(say, one))
        for one in report.explained
        if one.get("by") in SIGNS
    ]
    named = say.word(report.mode) if report.mode else say("not known")
    with ui.row().classes("items-center gap-2 w-full"):
        ui.label(say("Failure mode: {mode}", mode=named)).classes("font-semibold")
        if signs:
            ui.label(f"({'; '.join(signs)})").classes("hw-quiet text-sm")
    if visit.person.role not in AGENTS:
        return
    with ui.row().classes("items-center gap-2"):
        chosen = (
            ui.select({one: say.word(one) for one in MODES}, label=say("Another failure mode"), value=report.mode)
            .classes("w-72")
            .props("dense outlined")
        )

        async def change() -> None:
            wanted = str(chosen.value or "")
            await audited(
                visit,
                "report.classify",
                f"report:{report.id}",
                lambda c, now: reporting.reclassify(c, report.id, wanted, visit.person.name, now),
                say("Classified"),
                {"mode": wanted},
            )

        ui.button(say("Change"), on_click=change).props("no-caps outline dense")


def _what(say: Speaker, sign: Mapping[str, Any]) -> str:
    if sign["by"] == "choice" and sign["what"] in BY_ID:
        return BY_ID[sign["what"]].name(spoken(say.language))
    if sign["by"] == "finding":
        return say("finding {number} ({mode})", number=sign["what"], mode=say.word(str(sign["mode"] or "unusual")))
    return str(sign["what"])


def _mail(say: Speaker, mail: InboundMail) -> None:
    with ui.expansion(say("The whole mail")).classes("w-full").props("dense"):
        facts({say("From"): mail.sender or "–", say("Subject"): mail.subject or "–"})
        ui.label(mail.text or "–").classes("whitespace-pre-wrap break-words text-sm")
        for one in mail.attachments:
            state = say("kept with the report") if one.get("kept") else say("not kept: {why}", why=one.get("why", "–"))
            ui.label(f"{one.get('name') or one.get('mime')} ({one.get('size', 0):,} B): {state}").classes(
                "hw-quiet text-sm"
            )


def _duplicates_card(visit: Visit, say: Speaker, ticket: Ticket, found: Sequence[Candidate]) -> None:
    reasons = {
        "same_device": say("the same device"),
        "same_customer_and_mode": say("the same customer, a similar fault"),
        "same_contact": say("the same person wrote"),
    }
    with card(say("Perhaps the same"), say("Open tickets that may be about the same matter.")):
        for one in found:
            with ui.row().classes("items-center gap-3 w-full"):
                ui.link(f"{one.ticket.id} · {titled(say, one.ticket)}", f"/tickets/{one.ticket.id}").classes("hw-link")
                ui.label("; ".join(reasons[why] for why in one.why)).classes("hw-quiet text-sm")
                if visit.person.role in AGENTS:
                    _merge_button(visit, say, ticket, one.ticket)


def _merge_button(visit: Visit, say: Speaker, ticket: Ticket, other: Ticket) -> None:
    async def merge() -> None:
        question = say(
            "Merge ticket {number} into this one? What was written and found there moves here, and it closes as a duplicate. "
            "This can not be undone.",
            number=other.id,
        )
        if not await agreed(say, question):
            return
        await act(
            visit,
            ticket,
            "merge",
            lambda c, now: merging.merge(c, ticket.id, ticket.revision, other.id, visit.person.name, now),
            say("Merged"),
            {"from": other.id},
        )

    ui.button(say("Merge it into this one"), on_click=merge).props("no-caps outline dense")
