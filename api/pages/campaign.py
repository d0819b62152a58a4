"""One recall or security notice: where it stands, its words and letters, whom it reached, and what staff can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui
from sqlalchemy import Connection

from alerts.campaigns import letters, lifecycle
from alerts.campaigns.checks import Checked
from alerts.campaigns.content import Content, parse
from alerts.campaigns.progress import TO_DO, Standing, progress, standings
from alerts.notices.wording import Letter
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.campaign_form import form_card, problem_of
from api.pages.campaigns import COLORS, kind_of, state_of
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, figure, sentence
from api.pages.language import Speaker, speaker
from api.pages.letters import letters_card
from api.pages.tables import table
from api.pages.wording import moment
from api.routes.findings import mail_of
from api.security import STAFF
from hearthwatch.records import campaigns
from hearthwatch.records.campaigns import REMEDIES, Campaign, CampaignEvent

SHOWN = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the page shows."""

    campaign: Campaign
    content: Content
    checked: Checked
    standings: Sequence[Standing]
    events: Sequence[CampaignEvent]
    letters: Sequence[Letter]


async def campaign_page(visit: Visit) -> None:
    """A campaign, for whoever writes, approves or follows it."""
    say = speaker(visit.request)
    shown = await visit.load(_load, number_in_path(visit.request, "campaign_id"))
    campaign, may = shown.campaign, visit.person.role in STAFF
    _standing(say, shown)
    _figures(say, shown)
    if may and campaign.state in {"draft", "submitted", "running"}:
        _steps(visit, say, shown)
    if campaign.state in {"draft", "submitted"}:
        _problems(say, shown.checked)
    if may and campaign.state == "draft":
        form_card(visit, say, campaign, shown.content, shown.checked)
    letters_card(visit, say, f"campaign:{campaign.id}", shown.letters, may_send=may)
    _unreached(say, shown)
    if may and campaign.state == "running":
        _settle(visit, say, campaign)
    _history(say, shown.events)


def _load(context: ApiContext, campaign_id: int) -> Shown:
    mail, now = mail_of(context.settings), context.clock.now()
    with context.database.reading() as connection:
        campaign = campaigns.get(connection, campaign_id)
        content = parse(campaign.kind, campaign.content)
        checked = lifecycle.checked(connection, campaign, mail.brand, now)
        written = dict.fromkeys((*checked.languages, *content.texts))
        return Shown(
            campaign,
            content,
            checked,
            standings(connection, campaign, now),
            campaigns.events(connection, campaign_id),
            [letters.sample(connection, campaign, language, mail, now) for language in written],
        )


def _standing(say: Speaker, shown: Shown) -> None:
    campaign = shown.campaign
    next_step = {
        "draft": say("It is being written. Nobody has been told."),
        "submitted": say("It waits for a second person. Nobody has been told."),
        "running": say("Owners are told by all their channels; new owners and devices, too."),
        "closed": say("It has ended. Who was warned of a device that is settled gets the all-clear."),
        "dropped": say("It was given up before anybody was told."),
    }[campaign.state]
    with card(campaign.title):
        with ui.row().classes("items-center gap-3"):
            ui.badge(state_of(say, campaign), color=COLORS[campaign.state]).classes("text-sm q-pa-sm")
            ui.label(next_step).props("role=status")
        facts(
            {
                say("Reference"): campaign.reference,
                say("Kind"): kind_of(say, campaign),
                say("Written by"): f"{campaign.created_by}, {moment(campaign.created_at)} UTC",
                say("Submitted by"): _by(campaign.submitted_by, moment(campaign.submitted_at)),
                say("Approved by"): _by(campaign.approved_by, moment(campaign.approved_at)),
            }
        )
        if campaign.kind == campaigns.ADVISORY:
            ui.link(say("For computers to read (CSAF 2.0)"), f"/api/v1/campaigns/{campaign.id}/csaf").classes("hw-link")


def _by(who: str | None, at: str) -> str:
    return f"{who}, {at} UTC" if who else "–"


def _figures(say: Speaker, shown: Shown) -> None:
    done = progress(shown.standings)
    with ui.row().classes("w-full gap-4"):
        figure(say("Devices concerned"), f"{done.affected:,}")
        if shown.campaign.state in {"draft", "submitted"}:
            figure(say("Owners that no letter can reach"), f"{done.unreached:,}", say("of these devices, as of now"))
            return
        figure(say("Reached"), f"{done.reached:,}", say("{count} on their way", count=done.waiting))
        figure(say("Not reached"), f"{done.unreached:,}")
        figure(say("Answered"), f"{done.answered:,}", _counts(say, done.answers))
        figure(say("Settled"), f"{done.remedied:,}", _counts(say, done.remedies))


def _counts(say: Speaker, counts: Any) -> str:
    return ", ".join(f"{say.word(name)} {count}" for name, count in sorted(counts.items()))


def _steps(visit: Visit, say: Speaker, shown: Shown) -> None:
    campaign, context, actor = shown.campaign, visit.context, visit.person.name
    brand = mail_of(context.settings).brand

    async def do(work: Callable[[Connection], Any], done: str) -> None:
        await perform(context, work, done)

    def button(label: str, work: Callable[[Connection], Any], done: str, look: str) -> None:
        ui.button(label, on_click=lambda: do(work, done)).props(f"no-caps {look}")

    identity, seen = campaign.id, campaign.revision
    with card(say("What you can do")), ui.row().classes("w-full items-center gap-2"):
        if campaign.state == "draft":
            button(
                say("Submit to a second person"),
                lambda c: lifecycle.submit(c, identity, seen, brand, actor, context.clock.now()),
                say("A second person can approve it now"),
                "unelevated",
            )
        if campaign.state == "submitted":
            button(
                say("Approve: write to all owners now"),
                lambda c: lifecycle.approve(c, identity, seen, brand, actor, context.clock.now()),
                say("It runs"),
                "unelevated color=negative",
            )
        reason = ui.input(say("Reason")).classes("grow").props("dense outlined")
        for how, label, done in _endings(say, campaign.state):
            button(
                label,
                partial(_end, how, campaign, lambda: str(reason.value or "–"), actor, context),
                done,
                "outline",
            )


def _end(
    how: Callable[..., Campaign],
    campaign: Campaign,
    reason: Callable[[], str],
    actor: str,
    context: ApiContext,
    connection: Connection,
) -> Campaign:
    return how(connection, campaign.id, campaign.revision, reason(), actor, context.clock.now())


def _endings(say: Speaker, state: str) -> Sequence[tuple[Callable[..., Campaign], str, str]]:
    back = (lifecycle.send_back, say("Send back"), say("It is a draft again"))
    drop = (lifecycle.drop, say("Give it up"), say("It was given up"))
    close = (lifecycle.close, say("Close"), say("It has ended"))
    return {"draft": (drop,), "submitted": (back, drop), "running": (close,)}[state]


def _problems(say: Speaker, checked: Checked) -> None:
    with card(say("What keeps it from being sent")):
        if checked.clean:
            sentence(say("Nothing: its words are plain, and all the law wants is there."))
        for softening in checked.softenings:
            said = say(
                "{field}, line {line}: “{words}” – {why}",
                field=softening.field,
                line=softening.line,
                words=softening.words,
                why=say(softening.why),
            )
            ui.label(said).classes("text-negative").props("role=alert")
        for problem in checked.problems:
            ui.label(f"{problem.field}: {problem_of(say, problem.message, problem.law)}").classes("text-negative")


def _unreached(say: Speaker, shown: Shown) -> None:
    left = [one for one in shown.standings if one.state in TO_DO]
    if not left or shown.campaign.state in {"draft", "submitted", "dropped"}:
        return
    headings = (
        ("device", say("Device"), "left"),
        ("customer", say("Customer"), "left"),
        ("why", say("Why"), "left"),
        ("todo", say("What to do"), "left"),
    )
    rows = [
        {
            "device": one.member.device_id,
            "device_to": f"/devices/{one.member.device_id}",
            "customer": one.owner.customer.id if one.owner else "–",
            "why": say.word(one.state),
            "todo": say(TO_DO[one.state]),
        }
        for one in left[:SHOWN]
    ]
    with card(say("Not reached")):
        table(headings, rows, links=("device",), prose=("todo",), key="device")


def _settle(visit: Visit, say: Speaker, campaign: Campaign) -> None:
    context, actor = visit.context, visit.person.name
    with (
        card(say("Settle devices"), say("Their owners get the all-clear.")),
        ui.row().classes("w-full items-end gap-2"),
    ):
        ids = ui.input(say("Devices, with commas between them")).classes("grow").props("dense outlined")
        how = ui.select({one: say.word(one) for one in REMEDIES}, value="repair", label=say("How")).classes("w-48")

        async def settle() -> None:
            named = [one.strip() for one in str(ids.value or "").split(",") if one.strip()]
            chosen = str(how.value)
            await perform(
                context,
                lambda c: lifecycle.remedied(c, campaign.id, named, chosen, actor, context.clock.now()),
                say("Settled"),
            )

        ui.button(say("Settle"), on_click=settle).props("no-caps unelevated")


def _history(say: Speaker, events: Sequence[CampaignEvent]) -> None:
    with card(say("History")):
        for event in reversed(events[-SHOWN:]):
            said = say("{at}  {what} by {who}", at=moment(event.at), what=say.word(event.what), who=event.actor)
            detail = ", ".join(
                str(event.detail[name]) for name in ("reason", "remedy", "answer", "count") if event.detail.get(name)
            )
            ui.label(said + (f" ({detail})" if detail else "")).classes("text-sm")
