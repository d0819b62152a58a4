"""What a notice says, in the language the customer chose on its page: as it was sent, or written anew in the other language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts import decisions
from alerts.catalogue import choose
from alerts.customer import CustomerView
from alerts.policy_file import parse
from alerts.wording import Brand, Reader, Subject, write
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import customers, findings, policies
from hearthwatch.values import Notice


@dataclass(frozen=True, slots=True)
class Told:
    """A notice in words. ``by_when`` is within the last paragraph."""

    headline: str
    greeting: str
    paragraphs: tuple[str, ...]


def told(connection: Connection, view: CustomerView, language: str) -> Told:
    """The notice of a page in a language."""
    if language == choose(view.language):
        return Told(view.notice.subject, view.greeting, view.paragraphs)
    notice = view.notice
    name = customers.get_customer(connection, notice.customer_id).name
    reader = Reader(name, language, ZoneInfo(view.timezone))
    # The link's block is not shown, so that neither its address nor its last day matters here.
    letter = write(_subject(connection, view), reader, Brand(""), public_url="", link_until=notice.created_at)
    greeting, *blocks = [block.strip() for block in letter.text.split("\n\n")]
    shown = len(view.paragraphs)
    return Told(letter.subject, greeting, tuple(blocks[:shown]))


def _subject(connection: Connection, view: CustomerView) -> Subject:
    notice = view.notice
    finding = findings.get(connection, notice.finding_id)
    ticket = view.ticket
    return Subject(
        kind=notice.kind,
        mode=finding.mode,
        product=view.product,
        devices=(notice.device_id,),
        act_by=None if notice.kind == "ticket_update" else _act_by(connection, view),
        version=view.version,
        whole_release=finding.kind == "cohort",
        code=ticket.closing_code if ticket else None,
        visit_at=ticket.visit_at if ticket else None,
    )


def _act_by(connection: Connection, view: CustomerView) -> datetime | None:
    notice: Notice = view.notice
    try:
        policy = parse(policies.get(connection, notice.policy_version).text)
    except HearthwatchError:  # a policy of an earlier release may say what this one no longer reads
        return None
    finding = findings.get(connection, notice.finding_id)
    rule = decisions.rule_for(policy, finding, view.device.model if view.device else None)
    return notice.send_after + timedelta(days=rule.act_within_days) if rule is not None else None
