"""A letter of every kind to look at, about a device that nobody has, and a test of it to a colleague's address."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.notices.campaign_letters import Advised, Recalled
from alerts.notices.catalogue import choose
from alerts.notices.issue import About, Mail, written
from alerts.notices.kinds import KINDS
from alerts.notices.speech import Reader
from alerts.notices.wording import Cost, Letter, Subject
from alerts.policy.quiet import zone
from alerts.preview import NO_LINK
from alerts.remedies.money import told
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import audit, outbox

PRODUCT, DEVICE = "SmartLock", ("lock-1",)


def sample(kind: str, language: str, mail: Mail, now: datetime) -> Letter:
    """The letter of a kind, its link masked. Raises `Missing` for a kind there is none of."""
    if kind not in KINDS:
        raise Missing("no such kind of notice", where=kind)
    reader = Reader("Kim", language, zone(None, "UTC"))
    return written(_subjects(mail, language, now)[kind], reader, mail, now + mail.link_life)


def test_send(connection: Connection, name: str, letter: Letter, address: str, *, actor: str, now: datetime) -> None:
    """Send a colleague a letter, marked as a test; its link opens nothing. ``name`` says what of: ``kind:recall``, ``campaign:3``.

    It leaves through the outbox like any other, whatever the policy's mode. Raises `Invalid` for an address that nothing serves.
    """
    channel = channel_of(address)
    if channel is None:
        raise Invalid("no channel serves this address", where="address")
    own = letter.with_token(NO_LINK)
    subject = f"[TEST] {own.subject}"
    outbox.put(
        connection,
        kind="notice",
        channel=channel,
        address=address,
        payload={
            "subject": subject,
            "text": own.text,
            "html": own.html,
            "short": f"[TEST] {own.short}",
            "language": own.language,
        },
        key=f"test:{name}:{secrets.token_hex(8)}",
        now=now,
    )
    audit.note(connection, at=now, actor=actor, action="notice.test", object=name, detail={"language": own.language})


def _subjects(mail: Mail, language: str, now: datetime) -> Mapping[str, About]:
    soon = now + timedelta(days=14)
    covered, paid = Cost(covered=True, until=now + timedelta(days=200)), Cost(price=told(4900, "EUR", choose(language)))
    return {
        "update": Subject("update", "reboots", PRODUCT, DEVICE, act_by=soon, version="2.4.2", whole_release=True),
        "replacement": Subject("replacement", "motor_wear", PRODUCT, DEVICE, act_by=soon, part="motor", cost=covered),
        "check_up": Subject("check_up", "sensor_drift", PRODUCT, DEVICE, act_by=soon),
        "recall": _recall(mail),
        "advisory": _advisory(mail),
        "all_clear": Subject("all_clear", "", PRODUCT, DEVICE, over="update"),
        "ticket_update": Subject("ticket_update", "", PRODUCT, DEVICE, visit_at=soon),
        "ticket_message": Subject("ticket_message", "", PRODUCT, DEVICE, words="…"),
        "approval": Subject("approval", "", PRODUCT, DEVICE, act_by=soon, remedy="visit", cost=paid),
        "survey": Subject("survey", "", PRODUCT, DEVICE),
    }


def _recall(mail: Mail) -> Recalled:
    return Recalled(
        reference="2026-01",
        product=PRODUCT,
        model="LOCK-2",
        brand=mail.brand.name,
        devices=DEVICE,
        serials=("SN-0017",),
        hazard="…",
        what_to_do="…",
        remedies=("repair", "replacement", "refund"),
        find_number="…",
        sold="…",
        usual_phone=mail.brand.phone,
    )


def _advisory(mail: Mail) -> Advised:
    return Advised(
        reference="2026-02",
        product=PRODUCT,
        devices=DEVICE,
        what="…",
        mitigation="…",
        version="2.4.2",
        exploited=True,
        weaknesses=("CVE-2026-0001",),
        machine_url=f"{mail.public_url.rstrip('/')}/advisories/2026-02.json",
        usual_phone=mail.brand.phone,
    )
