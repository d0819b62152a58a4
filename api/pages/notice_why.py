"""Why did this customer get this notice, and why did this finding become what it did: a card on each one's page."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from api import policy_words
from api.context import ApiContext
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import speaker
from api.pages.wording import moment
from api.policy_words import Line
from hearthwatch.records import notice_findings, policy_decisions
from hearthwatch.records.notice_findings import ToldOf
from hearthwatch.records.policy_decisions import Decision
from hearthwatch.values import Notice


async def notice_card(visit: Visit, notice: Notice) -> None:
    """The rule, what fitted, costs, consent, budgets and whatever was looked at, as it was when the notice was decided."""
    say = speaker(visit.request)
    lines = policy_words.of_notice(say, notice)
    if not lines:
        return
    told = await visit.load(_told_of, notice.id)
    with card(say("Why this notice"), say("As it was known when it was decided.")):
        facts(dict(lines))
        if told:
            with ui.row().classes("gap-3"):
                for one in told:
                    text = say("finding {number} of {device}", number=one.finding_id, device=one.device_id)
                    ui.link(text, f"/findings/{one.finding_id}").classes("hw-link")


async def finding_card(visit: Visit, finding_id: int) -> None:
    """What the policy made of a finding, and why; of one that became nothing, why not."""
    say = speaker(visit.request)
    decision, told = await visit.load(_decided, finding_id)
    with card(say("What the policy made of it")):
        if decision is None:
            sentence(say("No round of the policy has looked at it yet."))
            return
        _table(policy_words.of_decision(say, decision))
        if told is not None:
            ui.link(say("the notice that tells of it"), f"/notices/{told}").classes("hw-link")
        sentence(
            say(
                "So since {since} UTC; the reasons are those of {at} UTC.",
                since=moment(decision.since),
                at=moment(decision.at),
            )
        )


def _table(lines: Sequence[Line]) -> None:
    """Like `facts`, but rules may have the same name as another line."""
    with ui.grid(columns="fit-content(40%) 1fr").classes("gap-x-6 gap-y-1 w-full"):
        for about, text in lines:
            ui.label(about).classes("hw-quiet break-words min-w-0")
            ui.label(text).classes("break-words min-w-0")


def _told_of(context: ApiContext, notice_id: int) -> list[ToldOf]:
    with context.database.reading() as connection:
        return notice_findings.of_notices(connection, [notice_id]).get(notice_id, [])


def _decided(context: ApiContext, finding_id: int) -> tuple[Decision | None, int | None]:
    with context.database.reading() as connection:
        return policy_decisions.find(connection, finding_id), notice_findings.notice_of(connection, finding_id)
