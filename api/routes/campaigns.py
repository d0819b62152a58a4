"""Recalls and security notices: drafted, checked, approved by a second person, followed until every device is settled (docs/notices.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from alerts import samples
from alerts.campaigns import answers, csaf, letters, lifecycle
from alerts.campaigns.checks import Checked
from alerts.campaigns.content import AdvisoryContent, parse
from alerts.campaigns.progress import TO_DO, Progress, Standing, progress, standings, standings_after
from alerts.notices.wording import Letter
from api.acts import Acting, tagged
from api.context import ApiContext, Context
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.routes.findings import mail_of
from api.security import Reader, Staff
from hearthwatch.errors import Invalid
from hearthwatch.records import campaigns
from hearthwatch.records.campaigns import Campaign, CampaignEvent
from hearthwatch.values import DEVICE_ID

router = APIRouter(tags=["campaigns"])
at_root = APIRouter(tags=["campaigns"])

CampaignId = Annotated[int, Path(ge=1, le=2**53)]
Kind = Literal["recall", "advisory"]
State = Literal["draft", "submitted", "running", "closed", "dropped"]
Remedy = Literal["update", "repair", "replacement", "refund", "disposed", "not_affected"]
Reference = Annotated[str, Field(pattern=f"^(?:{lifecycle.REFERENCE.pattern})$")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
LanguageWanted = Annotated[str, Query(max_length=35)]
CSAF = "application/json"


class Draft(BaseModel):
    """A campaign to begin. ``content`` is described in docs/notices.md; it may be unfinished until it is submitted."""

    model_config = ConfigDict(extra="forbid")

    reference: Reference
    kind: Kind
    title: Title
    content: dict[str, Any] = {}


class Changed(BaseModel):
    """A draft as it shall be."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    content: dict[str, Any]


class Reason(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=400)]


class Remedied(BaseModel):
    """Devices that are settled, and how."""

    model_config = ConfigDict(extra="forbid")

    devices: Annotated[
        list[Annotated[str, Field(pattern=f"^(?:{DEVICE_ID.pattern})$")]], Field(min_length=1, max_length=10_000)
    ]
    remedy: Remedy


class TestLetter(BaseModel):
    """Where a test goes, and in which language."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=1, max_length=400)]
    language: Annotated[str, Field(max_length=35)] = "en"


@dataclass(frozen=True, slots=True)
class Settled:
    """How many devices were settled by this request, and which: those that were not before."""

    settled: int
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A device of a campaign. ``state``: remedied, answered, reached, waiting, or why it was not reached; ``todo`` what to do then."""

    device_id: str
    customer_id: str | None
    state: str
    answer: str | None
    remedy: str | None
    notice_id: int | None
    todo: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A test letter is in the outbox."""

    queued: bool = True


@router.get("/campaigns")
def list_campaigns(
    context: Context, _caller: Reader, paging: Paging, state: State | None = None, kind: Kind | None = None
) -> Page[Campaign]:
    """Recalls and security notices, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: campaigns.list_campaigns(
                connection, state=state, kind=kind, after=paging.after_id, limit=limit
            ),
            key=lambda one: one.id,
        )


@router.post("/campaigns", status_code=201, response_model=Campaign)
def draft_campaign(context: Context, caller: Staff, act: Acting, body: Draft) -> Response:
    """Begin a recall or a security notice. Nobody is written to before a second person approves it."""
    now = context.clock.now()
    return act.do(
        caller,
        "campaign.draft",
        lambda made: f"campaign:{made.id}",
        lambda connection: lifecycle.draft(connection, **dict(body), actor=caller.name, now=now),
        status=201,
        audited=False,
    )


@router.get("/campaigns/{campaign_id}", response_model=Campaign)
def get_campaign(context: Context, _caller: Reader, campaign_id: CampaignId) -> Response:
    """One campaign with its content."""
    with context.database.reading() as connection:
        return tagged(campaigns.get(connection, campaign_id))


@router.put("/campaigns/{campaign_id}", response_model=Campaign)
def change_campaign(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, campaign_id: CampaignId, body: Changed
) -> Response:
    """Write a draft anew; what was submitted is sent back first."""

    def work(connection: Connection) -> Campaign:
        now = context.clock.now()
        return lifecycle.change(connection, campaign_id, if_match, **dict(body), actor=caller.name, now=now)

    return act.do(caller, "campaign.change", f"campaign:{campaign_id}", work, audited=False)


@router.get("/campaigns/{campaign_id}/check")
def check_campaign(context: Context, _caller: Reader, campaign_id: CampaignId) -> Checked:
    """What keeps a campaign from being sent: words that soften (with line and column), and what the law wants and is missing."""
    with context.database.reading() as connection:
        brand = mail_of(context.settings).brand
        return lifecycle.checked(connection, campaigns.get(connection, campaign_id), brand, context.clock.now())


@router.get("/campaigns/{campaign_id}/letter")
def preview_letter(
    context: Context, _caller: Staff, campaign_id: CampaignId, language: LanguageWanted = "en"
) -> Letter:
    """The letter in a language, its link masked."""
    with context.database.reading() as connection:
        return _letter(context, connection, campaign_id, language)


@router.post("/campaigns/{campaign_id}/test-letter", status_code=202, response_model=Sent)
def send_test(context: Context, caller: Staff, act: Acting, campaign_id: CampaignId, body: TestLetter) -> Response:
    """Send the letter to a colleague, marked as a test."""

    def work(connection: Connection) -> Sent:
        letter = _letter(context, connection, campaign_id, body.language)
        now = context.clock.now()
        samples.test_send(connection, f"campaign:{campaign_id}", letter, body.address, actor=caller.name, now=now)
        return Sent()

    return act.do(caller, "notice.test", f"campaign:{campaign_id}", work, status=202, audited=False)


@router.post("/campaigns/{campaign_id}/submit", response_model=Campaign)
def submit_campaign(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, campaign_id: CampaignId
) -> Response:
    """Hand a draft to a second person. 422 names the words that soften and what is missing."""

    def work(connection: Connection) -> Campaign:
        brand, now = mail_of(context.settings).brand, context.clock.now()
        return lifecycle.submit(connection, campaign_id, if_match, brand, caller.name, now)

    return act.do(caller, "campaign.submit", f"campaign:{campaign_id}", work, audited=False)


@router.post("/campaigns/{campaign_id}/approve", response_model=Campaign)
def approve_campaign(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, campaign_id: CampaignId
) -> Response:
    """Let a campaign run: its owners are written to within a minute. 403 for whoever submitted it."""

    def work(connection: Connection) -> Campaign:
        brand, now = mail_of(context.settings).brand, context.clock.now()
        return lifecycle.approve(connection, campaign_id, if_match, brand, caller.name, now)

    return act.do(caller, "campaign.approve", f"campaign:{campaign_id}", work, audited=False)


@router.get("/campaigns/{campaign_id}/progress")
def get_progress(context: Context, _caller: Reader, campaign_id: CampaignId) -> Progress:
    """Devices affected, reached, waiting, not reached, answered and settled."""
    with context.database.reading() as connection:
        return progress(_standings(context, connection, campaign_id))


@router.get("/campaigns/{campaign_id}/devices")
def list_devices(
    context: Context,
    _caller: Reader,
    paging: Paging,
    campaign_id: CampaignId,
    unreached: bool = False,
) -> Page[Member]:
    """The devices of a campaign by id, each with where it stands; ``unreached``: only those whose owners were not reached."""
    with context.database.reading() as connection:
        campaign, now = campaigns.get(connection, campaign_id), context.clock.now()

        def fetch(limit: int) -> list[Member]:
            found = standings_after(
                connection, campaign, now, after=paging.after, limit=limit, unreached_only=unreached
            )
            return [_member(one) for one in found]

        return paging.page(fetch, key=lambda one: one.device_id)


@router.post("/campaigns/{campaign_id}/remedied", response_model=Settled)
def settle_devices(context: Context, caller: Staff, act: Acting, campaign_id: CampaignId, body: Remedied) -> Response:
    """Note that devices are settled. Their owners get the all-clear where they were warned."""

    def work(connection: Connection) -> Settled:
        now = context.clock.now()
        ended = lifecycle.remedied(connection, campaign_id, body.devices, body.remedy, caller.name, now)
        return Settled(len(ended), tuple(ended))

    return act.do(caller, "campaign.remedied", f"campaign:{campaign_id}", work, audited=False)


@router.post("/campaigns/{campaign_id}/{step}", response_model=Campaign)
def end_campaign(
    context: Context,
    caller: Staff,
    act: Acting,
    if_match: IfMatch,
    campaign_id: CampaignId,
    step: Literal["return", "close", "drop"],
    body: Reason,
) -> Response:
    """`return`: what was submitted is a draft again. `close`: what runs ends. `drop`: it never runs."""
    how = {"return": lifecycle.send_back, "close": lifecycle.close, "drop": lifecycle.drop}[step]

    def work(connection: Connection) -> Campaign:
        return how(connection, campaign_id, if_match, body.reason, caller.name, context.clock.now())

    return act.do(caller, f"campaign.{step}", f"campaign:{campaign_id}", work, audited=False)


@router.get("/campaigns/{campaign_id}/events")
def list_events(context: Context, _caller: Reader, campaign_id: CampaignId) -> Page[CampaignEvent]:
    """What was done with a campaign, oldest first."""
    with context.database.reading() as connection:
        campaigns.get(connection, campaign_id)
        return Page(items=campaigns.events(connection, campaign_id))


@router.get("/campaigns/{campaign_id}/csaf")
def get_csaf(context: Context, _caller: Reader, campaign_id: CampaignId) -> Mapping[str, Any]:
    """An advisory as CSAF 2.0, also while it is a draft."""
    with context.database.reading() as connection:
        return _csaf(context, campaigns.get(connection, campaign_id))


@at_root.get("/advisories/{reference}.json", include_in_schema=False)
def get_public_csaf(context: Context, reference: str) -> Response:
    """An advisory that runs or ran, for anybody: CSAF 2.0."""
    with context.database.reading() as connection:
        document = _csaf(context, answers.of_reference(connection, reference))
    return JSONResponse(document, media_type=CSAF)


def _csaf(context: ApiContext, campaign: Campaign) -> dict[str, Any]:
    content = parse(campaign.kind, campaign.content)
    if not isinstance(content, AdvisoryContent):
        raise Invalid("a recall has no CSAF document", where=f"campaign {campaign.id}")
    mail = mail_of(context.settings)
    return csaf.document(campaign, content, mail.brand, mail.public_url)


def _letter(context: ApiContext, connection: Connection, campaign_id: int, language: str) -> Letter:
    campaign = campaigns.get(connection, campaign_id)
    return letters.sample(connection, campaign, language, mail_of(context.settings), context.clock.now())


def _standings(context: ApiContext, connection: Connection, campaign_id: int) -> list[Standing]:
    return standings(connection, campaigns.get(connection, campaign_id), context.clock.now())


def _member(one: Standing) -> Member:
    return Member(
        device_id=one.member.device_id,
        customer_id=one.owner.customer.id if one.owner else None,
        state=one.state,
        answer=one.notice.answer if one.notice else None,
        remedy=one.member.remedy,
        notice_id=one.notice.id if one.notice else None,
        todo=TO_DO.get(one.state),
    )
