"""Findings, and what people decide about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts import preview
from alerts.notices.issue import Mail
from alerts.notices.wording import Brand
from alerts.preview import Preview
from api.acts import Acting, tagged
from api.context import Context
from api.csv_tables import csv_response
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.routes.devices import LARGEST_EXPORT
from api.security import FIELD, Agent, Engineer, Reader, Staff
from hearthwatch.reason_words import decision_sentences, reason_sentences, sentence
from hearthwatch.reasons import part_in_words, spoken
from hearthwatch.records import findings
from hearthwatch.records.findings import FindingEvent
from hearthwatch.settings import Settings
from hearthwatch.values import Finding

router = APIRouter(tags=["findings"])

FindingId = Annotated[int, Path(ge=1, le=2**53)]
State = Literal["open", "acknowledged", "expected", "recovered"]
Kind = Literal["anomaly", "prognosis", "cohort", "incident", "mismatch"]
Severity = Literal["info", "warning", "critical"]


class Note(BaseModel):
    """Why, in a person's words."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=4000)] = ""


class TestNotice(BaseModel):
    """Where a test letter goes, and what it says."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=1, max_length=1024)]
    language: Annotated[str, Field(min_length=2, max_length=35)] = "en"
    kind: Literal["update", "replacement", "check_up"] = "check_up"


class Sent(BaseModel):
    """Where something was sent."""

    address: str


@dataclass(frozen=True, slots=True)
class InWords:
    """A finding's evidence in sentences of one language (``en`` or ``zh``)."""

    language: str
    reasons: list[str]
    against: str | None
    probable_part: str | None
    decision: list[str]


class Mute(BaseModel):
    """Until when no alerts are raised."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime


@router.get("/findings")
def list_findings(
    context: Context,
    _caller: Reader,
    paging: Paging,
    state: State | None = None,
    kind: Kind | None = None,
    subject: str | None = None,
    mode: str | None = None,
    severity: Severity | None = None,
) -> Page[Finding]:
    """Findings, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: findings.list_findings(
                connection,
                state=state,
                kind=kind,
                subject=subject,
                mode=mode,
                severity=severity,
                after=paging.after_id,
                limit=limit,
            ),
            key=lambda finding: finding.id,
        )


@router.get("/findings.csv", response_class=Response)
def export_findings(
    context: Context, _caller: Reader, state: State | None = None, kind: Kind | None = None
) -> Response:
    """Findings as a CSV file for a spreadsheet; texts that it would take for formulas are defused."""
    columns = [name for name in Finding.__dataclass_fields__ if name != "evidence"]
    with context.database.reading() as connection:
        found = findings.list_findings(connection, state=state, kind=kind, limit=LARGEST_EXPORT)
    return csv_response("findings", columns, found)


@router.get("/findings/{finding_id}", response_model=Finding)
def get_finding(context: Context, _caller: Reader, finding_id: FindingId) -> Response:
    """One finding with its evidence."""
    with context.database.reading() as connection:
        return tagged(findings.get(connection, finding_id))


@router.get("/findings/{finding_id}/reasons")
def get_reasons(
    context: Context, _caller: Reader, finding_id: FindingId, language: Annotated[str, Query(max_length=35)] = "en"
) -> InWords:
    """Why a finding was opened, in sentences, English or Simplified Chinese: for a ticket system or a call centre's screen.

    What speaks against it, the probable part and what was weighed are there for prognoses.
    """
    with context.database.reading() as connection:
        evidence = findings.get(connection, finding_id).evidence
    return InWords(
        language=spoken(language),
        reasons=reason_sentences(evidence, language),
        against=sentence(evidence["against"], language) if evidence.get("against") else None,
        probable_part=part_in_words(evidence["probable_part"], spoken(language))
        if evidence.get("probable_part")
        else None,
        decision=list(decision_sentences(evidence.get("decision") or {}, language)),
    )


@router.get("/findings/{finding_id}/events")
def list_events(context: Context, _caller: Reader, finding_id: FindingId) -> Page[FindingEvent]:
    """A finding's history, oldest first."""
    with context.database.reading() as connection:
        findings.get(connection, finding_id)
        return Page(items=findings.events(connection, finding_id))


@router.post("/findings/{finding_id}/acknowledge", response_model=Finding)
def acknowledge_finding(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, finding_id: FindingId, body: Note
) -> Response:
    """Say that a person has seen it."""
    return act.do(
        caller,
        "finding.acknowledge",
        f"finding:{finding_id}",
        lambda connection: findings.acknowledge(
            connection, finding_id, if_match, caller.name, context.clock.now(), body.note
        ),
    )


@router.post("/findings/{finding_id}/mute", response_model=Finding)
def mute_finding(
    context: Context, caller: Engineer, act: Acting, if_match: IfMatch, finding_id: FindingId, body: Mute
) -> Response:
    """No alerts for it until a time."""
    return act.do(
        caller,
        "finding.mute",
        f"finding:{finding_id}",
        lambda connection: findings.mute(
            connection, finding_id, if_match, body.until, caller.name, context.clock.now()
        ),
    )


@router.post("/findings/{finding_id}/expect", response_model=Finding)
def expect_finding(
    context: Context, caller: Engineer, act: Acting, if_match: IfMatch, finding_id: FindingId, body: Note
) -> Response:
    """Say that it is meant to be so: a field trial, a known device."""
    return act.do(
        caller,
        "finding.expect",
        f"finding:{finding_id}",
        lambda connection: findings.expect(
            connection, finding_id, if_match, caller.name, context.clock.now(), body.note
        ),
    )


# -- what the policy would make of it


@router.get("/findings/{finding_id}/preview")
def preview_finding(context: Context, caller: Staff, finding_id: FindingId) -> Preview:
    """What the policy would do about a finding if it were live now, with the letters it would write; nothing is sent."""
    with context.database.reading() as connection:
        mail, now = mail_of(context.settings), context.clock.now()
        return preview.preview(connection, finding_id, mail=mail, now=now, names=caller.role in FIELD)


@router.post("/findings/{finding_id}/test-notice", status_code=202, response_model=Sent)
def send_test(context: Context, caller: Agent, act: Acting, finding_id: FindingId, body: TestNotice) -> Response:
    """Send a colleague the letter a customer would get, marked as a test; its link opens nothing."""

    def send(connection: Connection) -> Sent:
        preview.test_send(
            connection,
            finding_id,
            body.address,
            mail=mail_of(context.settings),
            language=body.language,
            kind=body.kind,
            actor=caller.name,
            now=context.clock.now(),
        )
        return Sent(address=body.address)

    return act.do(caller, "notice.test", f"finding:{finding_id}", send, status=202, audited=False)


def mail_of(settings: Settings) -> Mail:
    """How letters look and where their links lead."""
    brand = Brand(name=settings.brand_name, phone=settings.brand_phone, privacy_url=settings.brand_privacy_url)
    return Mail(brand, settings.public_url, timedelta(days=settings.link_days))
