"""Webhooks of the maker's own systems: what is told, once, in its order, and signed so that the example in the docs believes it."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from alerts.channels.signing import headers, key_of, keys_of
from alerts.channels.webhook import WebhookChannel
from alerts.delivery.event_messages import TYPES, TicketEvent, read, schema
from alerts.delivery.events import SETTLED, Endpoint, address_of, announce, channel_of
from hearthwatch.errors import Invalid, Refused
from hearthwatch.records import notices, outbox, tickets
from hearthwatch.records.notices import NoticeEvent
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.records.tables import notice_events as table
from tests.gateway_server import Gateway, Said, gateway
from tests.unit.alerts.world import RecordingChannel, World

DOCS = Path(__file__).parents[4] / "docs"
OLD = "whsec_" + base64.b64encode(b"an old secret of 24 bytes").decode()
NEW = "whsec_" + base64.b64encode(b"a new secret of 24 bytes!").decode()
ALL = Endpoint("erp", ("notice.*", "ticket.*"))


@pytest.fixture
def receiver() -> Iterator[Gateway]:
    with gateway() as running:
        yield running


def hook(world: World, receiver: Gateway, *secrets: str) -> None:
    keys = [key_of(secret, where="webhooks.erp") for secret in secrets or (NEW,)]
    url = f"{receiver.url}/hook"
    world.channels[channel_of("erp")] = WebhookChannel(
        channel_of("erp"), url, keys, world.clock, address=address_of("erp")
    )


def tell(world: World, endpoint: Endpoint = ALL) -> int:
    return announce(world.database, [endpoint], world.now)


def told(world: World) -> list[str]:
    return [str(item.payload["subject"]) for item in world.outbox() if item.kind == "event"]


def story(world: World) -> None:
    """A notice that is queued and sent, and one that fails; a ticket of each."""
    world.policy()
    world.home(1, devices_=("lock-1",))
    world.home(2, devices_=("lock-2",), channels=["mailto:kim@home.example"])
    for device in ("lock-1", "lock-2"):
        world.stand(device)
    world.channels["mail"] = RecordingChannel("mail", [Refused("no such user")])
    tell(world)
    world.apply()
    world.deliver()
    tell(world)


def verifier() -> ModuleType:
    """The example of the docs, as somebody would copy it."""
    spec = importlib.util.spec_from_file_location("verify_webhook", DOCS / "examples" / "verify_webhook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_became_of_notices_and_tickets_is_told_once_and_as_the_schema_says(world: World) -> None:
    story(world)
    for _ in range(3):
        assert tell(world) == 0
    kinds = told(world)
    assert kinds.count("notice.queued") == 2
    assert kinds.count("notice.sent") == 1
    assert kinds.count("notice.failed") == 1
    assert kinds.count("ticket.opened") == len(world.tickets())
    for item in world.outbox():
        if item.kind == "event":
            message = read(item.payload["text"])
            assert message.type == item.payload["subject"]
            assert "kim" not in item.payload["text"].lower(), "people are named by the maker's own ids alone"
    sent = next(read(item.payload["text"]) for item in world.outbox() if item.payload.get("subject") == "notice.sent")
    (notice,) = world.notices(state="sent")
    assert (sent.data.id, sent.data.device, sent.data.customer) == (notice.id, "lock-1", "c-1")


def test_a_ticket_that_changes_and_closes_is_told(world: World) -> None:
    story(world)
    ticket = world.tickets()[0]
    with world.database.transaction() as connection:
        tickets.note(connection, ticket.id, world.now, "scheduled", "ann", {})
        tickets.note(connection, ticket.id, world.now, "closed", "ann", {})
    tell(world)
    last = [read(item.payload["text"]) for item in world.outbox()[-2:]]
    assert [message.type for message in last] == ["ticket.changed", "ticket.closed"]
    assert isinstance(last[0], TicketEvent)
    assert last[0].data.what == "scheduled"


def test_a_new_endpoint_is_told_nothing_of_what_was_before(world: World) -> None:
    story(world)
    assert tell(world, Endpoint("late", ("notice.*",))) == 0


def test_an_endpoint_hears_what_it_asked_for(world: World) -> None:
    few = Endpoint("erp", ("notice.failed",))
    world.policy()
    world.home(1)
    world.stand()
    tell(world, few)
    world.apply()
    tell(world, few)
    assert told(world) == []
    with world.database.transaction() as connection:
        notices.note(connection, 1, world.now, "failed", "delivery", {})
    tell(world, few)
    assert told(world) == ["notice.failed"]


def test_an_event_that_appears_after_a_later_one_is_told_too(world: World) -> None:
    """As on PostgreSQL, where a number is given when a row is written and the row appears when its transaction ends."""
    story(world)
    before = len(told(world))
    world.clock.advance(SETTLED)
    tell(world)
    with world.database.transaction() as connection:
        notices.note(connection, 1, world.now, "sent", "delivery", {})
    tell(world)
    with world.database.transaction() as connection:  # the place stays behind what is new: it is read again
        notices.note(connection, 1, world.now - timedelta(seconds=30), "failed", "delivery", {})
    tell(world)
    assert len(told(world)) == before + 2


def notice_events(world: World) -> list[NoticeEvent]:
    ids = [one.id for one in world.notices()]
    with world.database.reading() as connection:
        return [event for one in ids for event in notices.events(connection, one)]


def test_of_more_events_than_are_read_at_once_one_that_appears_late_is_told_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.delivery.events.MOST", 3)
    story(world)
    world.clock.advance(SETTLED)
    tell(world)
    before = len(told(world))
    newest = max(one.id for one in notice_events(world))
    late, *others = (
        {"id": newest + n, "notice_id": 1, "at": world.now, "what": "failed", "actor": "delivery", "detail": {}}
        for n in range(1, 9)
    )
    with world.database.transaction() as connection:  # the transaction of the first has not ended
        connection.execute(sa.insert(table), others)
    assert tell(world) == 7
    with world.database.transaction() as connection:
        connection.execute(sa.insert(table), [late])
    assert tell(world) == 1
    world.clock.advance(SETTLED)
    assert tell(world) == 0
    assert len(told(world)) == before + 8


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 31])
def test_an_endpoint_has_a_name_that_can_be_one(name: str) -> None:
    with pytest.raises(Invalid, match="webhooks"):
        Endpoint(name, ("notice.*",))


def test_an_event_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(Invalid, match=r"notice\.sent"):
        Endpoint("erp", ("notice.read",))


def test_a_third_secret_is_refused() -> None:
    with pytest.raises(Invalid, match="at most 2"):
        keys_of(" ".join([OLD, NEW, OLD]), where="x")


# -- on the wire


def events(world: World) -> list[OutboxItem]:
    return [item for item in world.outbox() if item.kind == "event"]


def test_what_is_posted_is_believed_by_the_example_of_the_docs(world: World, receiver: Gateway) -> None:
    hook(world, receiver)
    story(world)
    world.deliver()
    assert len(receiver.got) == len(events(world)) > 0
    example = verifier()
    for got in receiver.got:
        message = example.verified(got.headers, got.body, [NEW], now=world.now.timestamp())
        assert message == json.loads(got.body)
        assert got.headers["webhook-id"] == got.key


def test_while_a_secret_is_replaced_both_old_and_new_receivers_believe_it(world: World, receiver: Gateway) -> None:
    hook(world, receiver, NEW, OLD)
    story(world)
    world.deliver()
    example = verifier()
    for secret in (OLD, NEW):
        assert example.verified(receiver.got[0].headers, receiver.got[0].body, [secret], now=world.now.timestamp())


@pytest.mark.parametrize("spoilt", ["body", "id", "stamp", "signature", "old", "future", "secret"])
def test_the_example_believes_nothing_else(world: World, spoilt: str) -> None:
    body, example = b'{"type":"notice.sent"}', verifier()
    given = dict(headers([key_of(NEW, where="x")], "event:erp:notice:1", world.now, body))
    now, secrets = world.now.timestamp(), [NEW]
    if spoilt == "body":
        body += b" "
    elif spoilt == "id":
        given["webhook-id"] = "event:erp:notice:2"
    elif spoilt == "stamp":
        given["webhook-timestamp"] = str(int(now) + 1)
    elif spoilt == "signature":
        given["webhook-signature"] = "v1,AAAA"
    elif spoilt == "secret":
        secrets = [OLD]
    now += {"old": 301, "future": -301}.get(spoilt, 0)
    with pytest.raises(ValueError, match="webhook"):
        example.verified(given, body, secrets, now=now)


def test_a_receiver_that_is_down_gets_it_later_under_the_same_id(world: World, receiver: Gateway) -> None:
    hook(world, receiver)
    receiver.answers.append(Said(503))
    story(world)
    world.deliver()
    world.clock.advance(timedelta(hours=1))
    world.deliver()
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert len(ids) == len(events(world)) + 1
    assert len(set(ids)) == len(events(world))
    with world.database.reading() as connection:
        assert outbox.counts(connection).get("pending", 0) == 0


# -- the schema


def test_the_schema_in_the_docs_is_the_one_of_the_code() -> None:
    kept = json.loads((DOCS / "schemas" / "webhook-events.json").read_text())
    assert kept == schema(), (
        "write it anew: python -m alerts.delivery.event_messages > docs/schemas/webhook-events.json"
    )


def test_the_schema_names_every_event() -> None:
    named = [
        one for kind in schema()["$defs"].values() for one in kind.get("properties", {}).get("type", {}).get("enum", [])
    ]
    assert sorted(named) == sorted(TYPES)


@pytest.mark.parametrize("spoil", [{"type": "notice.read"}, {"more": 1}, {"timestamp": "soon"}])
def test_what_is_not_of_the_schema_is_refused(world: World, spoil: dict[str, Any]) -> None:
    story(world)
    message = json.loads(events(world)[0].payload["text"])
    assert read(json.dumps(message)).type == message["type"]
    with pytest.raises(ValidationError):
        read(json.dumps({**message, **spoil}))
