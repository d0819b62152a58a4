"""What a notice says, in the language the customer chose on its page: as it was sent, or written anew in the other language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.customers.page import CustomerView
from alerts.notices.catalogue import choose
from alerts.notices.wording import Brand, Reader, Subject, write
from alerts.policy import decisions, facts
from alerts.policy.file import parse
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import customers, findings, policies
from hearthwatch.values import Finding, Notice


@dataclass(frozen=True, slots=True)
class Told:
    """A notice in words. ``devices`` says which of the household's devices it is about."""

    headline: str
    greeting: str
    paragraphs: tuple[str, ...]
    devices: str


def told(connection: Connection, view: CustomerView, language: str) -> Told:
    """The notice of a page in a language."""
    notice = view.notice
    if language == choose(notice.language) or notice.finding_id is None:
        return Told(notice.subject, view.greeting, view.paragraphs, view.devices_line)
    name = customers.get_customer(connection, notice.customer_id).name
    reader = Reader(name, language, ZoneInfo(view.timezone))
    # The link's block is not shown, so that neither its address nor its last day matters here.
    finding = findings.get(connection, notice.finding_id)
    letter = write(_subject(connection, view, finding), reader, Brand(""), public_url="", link_until=notice.created_at)
    greeting, *blocks = [block.strip() for block in letter.text.split("\n\n")]
    shown = len(view.paragraphs)
    return Told(letter.subject, greeting, tuple(blocks[:shown]), blocks[shown])


def _subject(connection: Connection, view: CustomerView, finding: Finding) -> Subject:
    notice = view.notice
    ticket = view.ticket
    return Subject(
        kind=notice.kind,
        mode=finding.mode,
        product=view.product,
        devices=_devices(view),
        act_by=None if notice.kind == "ticket_update" else _act_by(connection, view, finding),
        version=view.version,
        whole_release=finding.kind == "cohort",
        code=ticket.closing_code if ticket else None,
        visit_at=ticket.visit_at if ticket else None,
    )


def _devices(view: CustomerView) -> tuple[str, ...]:
    """The devices that the notice named, taken from its own line about them: behind a colon, which no device id holds."""
    named = re.split("[:：]", view.devices_line, maxsplit=1)[-1]
    return tuple(part.strip() for part in named.split(", ") if part.strip())


def _act_by(connection: Connection, view: CustomerView, finding: Finding) -> datetime | None:
    notice: Notice = view.notice
    try:
        policy = parse(policies.get(connection, notice.policy_version).text)
    except HearthwatchError:  # a policy of an earlier release may say what this one no longer reads
        return None
    about = facts.of_device(connection, view.device, notice.created_at)
    rule = decisions.rule_for(policy, finding, about)
    return notice.send_after + timedelta(days=rule.act_within_days) if rule is not None else None
