"""What a notice says, in the language the customer chose on its page: as it was sent, or written anew in the other language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts.customers.page import CustomerView, parts
from alerts.notices import issue, replacement
from alerts.notices.catalogue import choose
from alerts.notices.reminders import REMINDER
from alerts.notices.wording import Brand, Concern, Reader, Subject, write
from alerts.policy import decisions, facts
from alerts.policy.file import Policy, parse
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import customers, devices, findings, notices, policies
from hearthwatch.values import Finding, Notice

IN_WORDS_OF_THEIR_OWN = frozenset({"ticket_message", "approval"})
"""Kinds that stay as they were sent: an agent's words, and a price that is asked about."""


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
    if language == choose(notice.language) or notice.finding_id is None or notice.kind in IN_WORDS_OF_THEIR_OWN:
        return Told(notice.subject, view.greeting, view.paragraphs, view.devices_line)
    name = customers.get_customer(connection, notice.customer_id).name
    reader = Reader(name, language, ZoneInfo(view.timezone))
    # The link's block is not shown, so that neither its address nor its last day matters here.
    finding = findings.get(connection, notice.finding_id)
    letter = write(
        _subject(connection, view, finding, language), reader, Brand(""), public_url="", link_until=notice.created_at
    )
    return Told(letter.subject, *parts(letter.text))


def _subject(connection: Connection, view: CustomerView, finding: Finding, language: str) -> Subject:
    notice = view.notice
    ticket = view.ticket
    policy = _policy(connection, notice)
    act_by = None if notice.kind == "ticket_update" else _act_by(connection, policy, view, finding)
    offer = replacement.of_reasons(notice.why)
    if offer is None and policy is not None:
        offer = issue.offer_of(connection, policy, notice.kind, notice.device_id, finding, act_by, notice.created_at)
    return Subject(
        kind=notice.kind,
        mode=finding.mode,
        product=view.product,
        devices=_devices(view),
        act_by=act_by,
        version=view.version,
        whole_release=finding.kind == "cohort",
        code=ticket.closing_code if ticket else None,
        visit_at=ticket.visit_at if ticket else None,
        part=offer.part if offer else None,
        cost=offer.cost(language) if offer else None,
        over=(notice.why or {}).get("over"),
        event=(notice.why or {}).get("event"),
        number=notice.ticket_id,
        also=tuple(_also(connection, policy, notice, language)),
        reminder=notices.occasion(connection, notice.id).startswith(REMINDER),
    )


def _also(connection: Connection, policy: Policy | None, notice: Notice, language: str) -> Iterator[Concern]:
    """What else the letter told of."""
    if policy is None:
        return
    for one in (notice.why or {}).get("together_with", ()):
        finding = findings.get(connection, int(one["finding"]))
        device = devices.find(connection, [finding.subject]).get(finding.subject)
        model, kind = device.model if device else None, one.get("kind", "check_up")
        yield issue.concern(connection, policy, finding, kind, finding.subject, model, language, notice.created_at)


def _devices(view: CustomerView) -> tuple[str, ...]:
    """The devices that the notice named, taken from its own line about them: behind a colon, which no device id holds."""
    named = re.split("[:：]", view.devices_line, maxsplit=1)[-1]
    return tuple(part.strip() for part in named.split(", ") if part.strip())


def _policy(connection: Connection, notice: Notice) -> Policy | None:
    """The policy that decided it; None for one of an earlier release that says what this one no longer reads."""
    try:
        return parse(policies.get(connection, notice.policy_version).text)
    except HearthwatchError:
        return None


def _act_by(connection: Connection, policy: Policy | None, view: CustomerView, finding: Finding) -> datetime | None:
    notice: Notice = view.notice
    if policy is None:
        return None
    about = facts.of_device(connection, view.device, notice.created_at)
    rule = decisions.rule_for(policy, finding, about)
    return notice.send_after + timedelta(days=rule.act_within_days) if rule is not None else None
