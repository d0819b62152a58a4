"""What a roll-out's decisions set in motion: who is offered the release, who hears of it, what people may do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from alerts.channels.signing import key_of, signature
from alerts.channels.webhook import WebhookChannel
from alerts.commands import ask
from alerts.rollouts.announce import WEBHOOK_ADDRESS, Announcing
from alerts.rollouts.channel import RolloutChannel
from alerts.rollouts.services import OwnOffers
from alerts.rollouts.steering import steer
from alerts.rollouts.webhook import decisions_webhook
from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Refused, Stale, Unavailable
from hearthwatch.records import (
    asking,
    audit,
    commands,
    devices,
    rollout_decisions,
    rollout_devices,
    rollout_steps,
    rollouts,
)
from hearthwatch.records.asking import Heard
from hearthwatch.records.rollout_steps import Step, Taken
from hearthwatch.records.rollouts import Plan, Rollout, Wave
from hearthwatch.values import Release, Reply
from tests.unit.alerts.world import FIX, MODEL, RecordingChannel, World

SIGNED_WITH = "whsec_" + base64.b64encode(b"a key of thirty-two bytes length").decode()


def planned(world: World, release: Release, *shares: float, **given: Any) -> Rollout:
    waves = tuple(Wave(number, share, 1.0, 1, 0.5) for number, share in enumerate(shares or (1.0,), 1))
    with world.database.transaction() as connection:
        made = rollouts.create(
            connection, release_id=release.id, salt="salt", plan=Plan(waves), by="kim", now=world.now, **given
        )
        rollout_devices.draw(connection, made, MODEL, world.now)
        return made


def decide(world: World, rollout: Rollout, *given: Any, webhook: bool = False, **named: Any) -> Taken:
    with world.database.transaction() as connection:
        taken = rollout_steps.take(connection, rollouts.get(connection, rollout.id), Step(*given, **named), world.now)
        Announcing(webhook=webhook)(connection, taken)
        return taken


def start(world: World, rollout: Rollout) -> Taken:
    return decide(world, rollout, "continue", "started", "Wave 1 opens.", "gate", opens=1)


def act(world: World, rollout: Rollout, action: str, reason: str = "because", revision: int | None = None) -> Taken:
    with world.database.transaction() as connection:
        return steer(
            connection,
            rollout.id,
            revision,
            action,
            reason=reason,
            actor="kim",
            now=world.now,
            announce=Announcing(),
        )


@pytest.fixture
def fixed(world: World) -> Rollout:
    """A household whose lock leaks memory, and a fix that is rolled out."""
    world.home()
    world.policy()
    release = world.release(FIX, fixes=["memory_leak"])
    world.stand(mode="memory_leak")
    return planned(world, release)


# -- who is offered it


def test_before_its_wave_a_device_is_offered_no_update_but_what_the_rule_says_otherwise(
    world: World, fixed: Rollout
) -> None:
    world.run()
    assert world.notice().kind == "check_up"


def test_once_its_wave_is_open_the_update_is_offered_and_a_halt_takes_the_offer_back(
    world: World, fixed: Rollout
) -> None:
    start(world, fixed)
    world.run()
    assert world.notice().kind == "update"
    token = world.token()

    def actions() -> tuple[str, ...]:
        return world.see(token).actions

    assert "accept_update" in actions()
    decide(world, fixed, "hold", "min_hours", "Not yet.", "gate")
    assert "accept_update" in actions()
    decide(world, fixed, "hold", "watch_list", "Hm.", "gate")
    assert "accept_update" not in actions()
    decide(world, fixed, "continue", "resumed", "On.", "gate")
    assert "accept_update" in actions()
    decide(world, fixed, "stop", "silence", "No.", "gate")
    assert "accept_update" not in actions()


def accepted(world: World) -> int:
    """The owner accepts; the command waits because the device is away."""
    world.run()
    world.press(world.token(), "accept_update")
    with world.database.reading() as connection:
        (waiting,) = commands.list_commands(connection, kind="update")
    return waiting.id


def test_an_accepted_update_that_has_not_left_is_called_back_by_a_stop(world: World, fixed: Rollout) -> None:
    start(world, fixed)
    number = accepted(world)
    decide(world, fixed, "stop", "silence", "No.", "gate")
    with world.database.reading() as connection:
        command = commands.get(connection, number)
    assert (command.state, command.reason) == ("cancelled", f"the roll-out of {FIX} is stopped")
    world.deliver()
    assert world.commands.sent == []


def test_an_owner_who_says_later_has_put_the_update_off(world: World, fixed: Rollout) -> None:
    start(world, fixed)
    world.run()
    token, before = world.token(), world.now
    world.pass_time(minutes=5)
    world.press(token, "later")
    with world.database.reading() as connection:
        assert rollout_devices.put_off(connection, MODEL, before) == {"lock-1": world.now}
        assert rollout_devices.put_off(connection, "another", before) == {}


def test_a_device_that_says_its_owner_put_it_off_has_put_it_off(world: World, fixed: Rollout) -> None:
    start(world, fixed)
    number, before = accepted(world), world.now
    world.pass_time(minutes=5)
    with world.database.transaction() as connection:
        request = commands.get(connection, number).request_id
        reply = Reply("lock-1", world.now, request, False, {"deferred": True})
        asking.hear(connection, [Heard(reply, world.now)])
        assert rollout_devices.put_off(connection, MODEL, before) == {"lock-1": world.now}


def test_a_person_can_not_have_a_device_updated_before_its_wave_but_a_test_device_always(
    world: World, fixed: Rollout
) -> None:
    world.register(["spare", "trial"])
    with world.database.transaction() as connection:
        devices.update(connection, "trial", None, {"test": True})

    def update(device: str) -> str:
        with world.database.transaction() as connection:
            asked = ask(
                connection, device, "update", why="to see", actor="kim", now=world.now, parameters={"version": FIX}
            )
            return asked.state

    with pytest.raises(Conflict, match="is not open to it now"):
        update("spare")
    assert update("trial") == "queued"
    start(world, fixed)
    assert update("spare") == "queued"


# -- who hears of it


def test_a_decision_is_one_message_to_the_webhook_in_the_transaction_that_takes_it(
    world: World, fixed: Rollout
) -> None:
    decide(world, fixed, "continue", "started", "Wave 1 opens.", "gate", opens=1, webhook=True)
    (item,) = world.outbox()
    told = json.loads(item.payload["text"])
    assert (item.channel, item.address, item.idempotency_key) == (
        "webhook",
        WEBHOOK_ADDRESS,
        f"rollout:{fixed.id}:1:webhook",
    )
    assert (told["type"], told["data"]["decision"], told["data"]["opens"]) == ("rollout.decision", "continue", 1)
    assert told["data"]["release"]["version"] == FIX
    with pytest.raises(Stale):  # the decision is rolled back, and its message with it
        act(world, fixed, "stop", revision=fixed.revision)
    assert len(world.outbox()) == 1


def test_engineers_hear_of_a_stop_where_the_policy_names_them(world: World) -> None:
    world.policy(addresses='addresses = ["mailbox://engineers"]')
    rollout = planned(world, world.release(FIX))
    start(world, rollout)
    assert world.outbox() == []
    decide(world, rollout, "stop", "silence", "Five devices fell silent.", "gate")
    world.deliver()
    (letter,) = world.letters("mailbox://engineers")
    assert letter.subject == f"roll-out of {MODEL} {FIX}: stop"
    assert "Five devices fell silent." in letter.text


def test_the_service_is_told_only_of_what_concerns_it(world: World) -> None:
    rollout = planned(world, world.release(FIX), 0.5, 1.0, service="hawkbit", service_id="6")

    def told() -> list[tuple[str, str]]:
        return [(one.payload["subject"], one.state) for one in world.outbox()]

    start(world, rollout)
    decide(world, rollout, "hold", "min_hours", "Not yet.", "gate")
    assert told() == [("advance hawkbit", "pending")]
    decide(world, rollout, "hold", "late_alarm", "Hm.", "gate")
    assert told() == [("advance hawkbit", "cancelled"), ("pause hawkbit", "pending")]
    decide(world, rollout, "continue", "wave_passed", "On.", "gate", opens=2)
    assert told()[-1] == ("advance hawkbit", "pending")
    assert json.loads(world.outbox()[-1].payload["text"])["group"] == 2
    decide(world, rollout, "continue", "complete", "Done.", "gate")
    assert len(told()) == 3


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"rollout": 99, "number": 1, "act": "pause", "group": 1}', '{"rollout": "x"}', "null"]
)
def test_a_message_that_names_no_act_is_refused(world: World, text: str) -> None:
    channel = RolloutChannel(OwnOffers(), world.database, world.clock)
    with pytest.raises(Refused):
        channel.deliver(address="rollout:1", subject="", text=text, html="", key="k")


def test_a_roll_out_of_another_service_than_the_one_here_is_refused(world: World) -> None:
    rollout = planned(world, world.release(FIX), service="hawkbit", service_id="6")
    text = json.dumps({"rollout": rollout.id, "number": 1, "act": "pause", "group": 1})
    with pytest.raises(Refused, match="deployed by hawkbit, and here there is none"):
        RolloutChannel(OwnOffers(), world.database, world.clock).deliver(
            address="", subject="", text=text, html="", key="k"
        )


# -- the webhook


class Hook(BaseHTTPRequestHandler):
    """Keeps requests, and answers what the test wants."""

    answers: list[int]
    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Retry-After", "7")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    kind = type("Its", (Hook,), {"answers": [], "got": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook?token=t0p", kind
    server.shutdown()
    server.server_close()


def post(channel: WebhookChannel, text: str = '{"a":1}') -> None:
    channel.deliver(address=WEBHOOK_ADDRESS, subject="rollout.decision", text=text, html="", key="rollout:1:2:webhook")


def test_what_is_posted_is_signed_as_standard_webhooks_says(world: World, hook: tuple[str, type[Hook]]) -> None:
    url, its = hook
    post(decisions_webhook(url, SIGNED_WITH, world.clock))
    ((headers, body),) = its.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.new(b"a key of thirty-two bytes length", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert headers["idempotency-key"] == headers["webhook-id"] == "rollout:1:2:webhook"
    assert headers["webhook-timestamp"] == str(int(world.now.timestamp()))


def test_the_example_of_the_specification_s_libraries_comes_out() -> None:
    # github.com/standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py: test_sign_function
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", where="x")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ=", "whsec_no base64!"])
def test_a_secret_that_signs_nothing_is_refused_and_not_told(world: World, secret: str) -> None:
    with pytest.raises(Invalid, match="rollout_webhook_secret") as refused:
        decisions_webhook("http://x", secret, world.clock)
    assert not secret or secret.removeprefix("whsec_") not in str(refused.value)


AGAIN, NEVER = (401, 404, 408, 429, 500, 503), (302, 400, 410, 422)


@pytest.mark.parametrize(
    ("status", "kind"), [*((one, Unavailable) for one in AGAIN), *((one, Refused) for one in NEVER)]
)
def test_an_answer_says_whether_to_post_again(
    world: World, hook: tuple[str, type[Hook]], status: int, kind: type[HearthwatchError]
) -> None:
    url, its = hook
    its.answers.append(status)
    with pytest.raises(kind, match=str(status)) as raised:
        post(decisions_webhook(url, SIGNED_WITH, world.clock))
    assert "t0p" not in str(raised.value)
    if isinstance(raised.value, Unavailable):
        assert raised.value.retry_after == 7
    assert len(its.got) == 1


def test_a_receiver_that_is_not_there_is_tried_again(world: World) -> None:
    with pytest.raises(Unavailable, match="can not be reached"):
        post(decisions_webhook("http://127.0.0.1:9/", SIGNED_WITH, world.clock))


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/", "http://"])
def test_an_address_that_is_none_is_refused(world: World, url: str) -> None:
    with pytest.raises(Refused):
        post(decisions_webhook(url, SIGNED_WITH, world.clock))


def test_nothing_but_decisions_leaves_by_the_webhook(world: World) -> None:
    with pytest.raises(Refused):
        decisions_webhook("http://x", SIGNED_WITH, world.clock).deliver(
            address="http://elsewhere", subject="", text="", html="", key="k"
        )


# -- what people do


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_without_a_reason_nothing_is_done(world: World, reason: str) -> None:
    rollout = planned(world, world.release(FIX))
    with pytest.raises(Invalid, match="say why"):
        act(world, rollout, "stop", reason)


@pytest.mark.parametrize(
    ("before", "action"),
    [
        ((), "resume"),
        (("stop",), "pause"),
        (("stop",), "stop"),
        (("pause",), "pause"),
        (("continue", "continue"), "pause"),
    ],
)
def test_what_its_state_does_not_allow_is_a_conflict(world: World, before: tuple[str, ...], action: str) -> None:
    rollout = planned(world, world.release(FIX))
    for one in before:
        act(world, rollout, one)
    with pytest.raises(Conflict):
        act(world, rollout, action)


def test_a_withdrawn_release_goes_on_by_nobody_s_word(world: World) -> None:
    from hearthwatch.records import releases

    release = world.release(FIX)
    rollout = planned(world, release)
    act(world, rollout, "pause")
    with world.database.transaction() as connection:
        releases.set_status(connection, release.id, None, "withdrawn")
    for action in ("resume", "continue"):
        with pytest.raises(Conflict, match="withdrawn"):
            act(world, rollout, action)


def test_who_has_not_seen_the_latest_is_told_so(world: World) -> None:
    rollout = planned(world, world.release(FIX))
    act(world, rollout, "pause")
    with pytest.raises(Stale):
        act(world, rollout, "stop", revision=rollout.revision)


def test_a_person_s_word_is_in_the_ledger_and_in_the_audit_trail_with_what_it_overrules(world: World) -> None:
    rollout = planned(world, world.release(FIX), 0.5, 1.0)
    start(world, rollout)
    decide(world, rollout, "stop", "worse", "Worse.", "gate", {"about": "unexpected_reboots"})
    world.pass_time(hours=1)
    taken = act(world, rollout, "resume", "the reboots were a test of ours")
    assert taken.decision.by == "kim"
    assert taken.decision.evidence["overrules"] == ["worse", "unexpected_reboots"]
    assert taken.rollout.status == "running"
    with world.database.reading() as connection:
        ledger = [(one.decision, one.by) for one in rollout_decisions.list_decisions(connection, rollout.id)]
        noted = audit.list_entries(connection, about=f"rollout:{rollout.id}")
    assert ledger == [("continue", "kim"), ("stop", "gate"), ("continue", "gate")]
    assert [(one.action, one.detail["reason"]) for one in noted] == [
        ("rollout.resume", "the reboots were a test of ours")
    ]


def test_continuing_opens_the_next_wave_at_once_and_the_last_one_is_the_end(world: World) -> None:
    rollout = planned(world, world.release(FIX), 0.5, 1.0)
    assert [act(world, rollout, "continue").decision.evidence.get("opens") for _ in range(2)] == [1, 2]
    assert act(world, rollout, "continue").rollout.status == "complete"
    with world.database.reading() as connection:
        waves = rollouts.waves(connection, rollout.id)
    assert all(one.opened_at and one.passed_at for one in waves)


def test_a_roll_out_that_waits_for_a_person_begins_when_one_resumes_it(world: World) -> None:
    rollout = planned(world, world.release(FIX), status="paused", reason="It waits.")
    taken = act(world, rollout, "resume")
    assert (taken.rollout.status, taken.decision.evidence["opens"]) == ("running", 1)


def test_a_message_overtaken_by_a_later_one_reaches_nobody(world: World) -> None:
    service = RecordingService()
    world.channels["rollouts"] = RolloutChannel(service, world.database, world.clock)
    rollout = planned(world, world.release(FIX), 0.5, 1.0, service="hawkbit", service_id="6")
    start(world, rollout)
    world.deliver()
    act(world, rollout, "pause")
    world.pass_time(minutes=1)
    act(world, rollout, "resume")
    world.deliver()
    world.pass_time(hours=1)
    world.deliver()
    assert service.did == ["advance 6 1", "resume 6"]


class RecordingService(OwnOffers):
    """A service that does what it is told, and remembers."""

    name = "hawkbit"

    def __init__(self) -> None:
        self.did: list[str] = []

    def pause(self, rollout: str) -> str:
        self.did.append(f"pause {rollout}")
        return "paused"

    def resume(self, rollout: str) -> str:
        self.did.append(f"resume {rollout}")
        return "running"

    def advance(self, rollout: str, group: int) -> str:
        self.did.append(f"advance {rollout} {group}")
        return "running"


def test_a_channel_that_fails_says_so_on_the_roll_out(world: World) -> None:
    class Away(RecordingService):
        def pause(self, rollout: str) -> str:
            raise Unavailable("hawkBit can not be reached")

    world.channels["rollouts"] = RolloutChannel(Away(), world.database, world.clock)
    world.channels["webhook"] = RecordingChannel("webhook")
    rollout = planned(world, world.release(FIX), service="hawkbit", service_id="6")
    start(world, rollout)
    world.deliver()
    act(world, rollout, "stop")
    assert world.deliver() == {"retried": 1}
    with world.database.reading() as connection:
        seen = rollouts.get(connection, rollout.id)
    assert (seen.service_state, seen.service_said) == ("running", "hawkBit can not be reached")
    world.pass_time(minutes=1)
    assert world.deliver() == {"retried": 1}
