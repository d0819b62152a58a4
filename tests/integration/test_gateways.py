"""Gateways, messengers, push services and webhooks, each stood in for by a scripted server that speaks its published API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from alerts.channels.gateway import GatewayChannel
from alerts.channels.outcomes import Busy, NoAnswer, outcome_of
from alerts.channels.parcels import Parcel
from hearthwatch.errors import HearthwatchError, Refused, Unavailable
from tests.gateway_server import RESET, SLOW, Gateway, Got, Said, gateway

# Apprise looks for a module that newer Pythons do not have any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

LETTER = "The battery of your lock is weak.\n\nhttps://care.example/c/t0ken\n\nBrand"
KEY = "notice:1:1:abc"
A, B = "a" * 32, "b" * 32


@dataclass(frozen=True)
class Service:
    """A service: the plugin and the name in it that says where its API is, a URL for the settings, what it answers when all is well, and
    where a request of its published API holds receiver and text."""

    plugin: str
    place: str
    url: str
    receiver: str
    path: str
    well: Said
    to: Callable[[Got], Any]
    text: Callable[[Got], str]
    short: bool = False


SERVICES = {
    # https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
    "twilio": Service(
        "twilio.NotifyTwilio", "notify_sms_url", f"twilio://AC{A}:{B}@+15551230000/{{to}}", "+4917012345",
        f"/2010-04-01/Accounts/AC{A}/Messages.json", Said(201, {"sid": "SM1", "status": "queued"}),
        lambda got: got.form()["To"], lambda got: got.form()["Body"], short=True,
    ),
    # https://developers.sinch.com/docs/sms/api-reference/sms/batches/sendsms
    "sinch": Service(
        "sinch.NotifySinch", "notify_url", f"sinch://{A}:{B}@+15551230000/{{to}}", "+4917012345",
        f"/xms/v1/{A}/batches", Said(201, {"id": "CJlo", "type": "mt_text"}),
        lambda got: got.json()["to"][0], lambda got: got.json()["body"], short=True,
    ),
    # https://developer.vonage.com/en/api/sms
    "vonage": Service(
        "vonage.NotifyVonage", "notify_url", "vonage://abcdef12:s3cretS3cret@15551230000/{to}", "4917012345",
        "/sms/json", Said(200, {"message-count": "1", "messages": [{"to": "4917012345", "status": "0"}]}),
        lambda got: got.form()["to"], lambda got: got.form()["text"], short=True,
    ),
    # https://developer.work.weixin.qq.com/document/path/91770 (a robot of a group: no receiver of its own)
    "wecombot": Service(
        "wecombot.NotifyWeComBot", "notify_url", "wecombot://k3y-of-the-robot", "-",
        "/cgi-bin/webhook/send", Said(200, {"errcode": 0, "errmsg": "ok"}),
        lambda got: "-", lambda got: got.json()["text"]["content"],
    ),
    # https://open.dingtalk.com/document/orgapp/custom-robot-access
    "dingtalk": Service(
        "dingtalk.NotifyDingTalk", "notify_url", "dingtalk://t0ken/{to}", "13800138000",
        "/robot/send", Said(200, {"errcode": 0, "errmsg": "ok"}),
        lambda got: got.json()["at"]["atMobiles"][0], lambda got: got.json()["text"]["content"],
    ),
    # https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
    "feishu": Service(
        "feishu.NotifyFeishu", "notify_url", "feishu://t0ken-0", "-",
        "/open-apis/bot/v2/hook/t0ken-0/", Said(200, {"code": 0, "data": {}, "msg": "success"}),
        lambda got: "-", lambda got: got.json()["content"]["text"],
    ),
    # https://docs.ntfy.sh/publish/
    "ntfy": Service(
        "", "", "ntfy://127.0.0.1:{port}/{to}", "kim-topic", "/", Said(200, {"id": "x", "event": "message"}),
        lambda got: got.json()["topic"], lambda got: got.json()["message"],
    ),
    # https://pushover.net/api
    "pushover": Service(
        "pushover.NotifyPushover", "notify_url", f"pover://{{to}}@{'t' * 30}", "u" * 30,
        "/1/messages.json", Said(200, {"status": 1, "request": "x"}),
        lambda got: got.form()["user"], lambda got: got.form()["message"],
    ),
    # https://gotify.net/api-docs#/message/createMessage
    "gotify": Service(
        "", "", "gotify://127.0.0.1:{port}/tokenAbC", "-", "/message", Said(200, {"id": 1}),
        lambda got: "-", lambda got: got.json()["message"],
    ),
    # any web hook: https://appriseit.com/services/json/
    "json": Service(
        "", "", "json://127.0.0.1:{port}/hooks/{to}", "kim", "/hooks/kim", Said(200, {"code": 7}),
        lambda got: got.path.rpartition("/")[2], lambda got: got.json()["message"],
    ),
}  # fmt: skip


@pytest.fixture(params=sorted(SERVICES))
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@pytest.fixture
def server(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    with gateway(service.well) as standing_in:
        if service.plugin:
            module, _, plugin = service.plugin.partition(".")
            kind = getattr(import_module(f"apprise.plugins.{module}"), plugin)
            host = getattr(kind, service.place).partition("://")[2].partition("/")[0]
            monkeypatch.setattr(
                kind, service.place, getattr(kind, service.place).replace(f"https://{host}", standing_in.url)
            )
        yield standing_in


def channel(service: Service, server: Gateway, **options: Any) -> GatewayChannel:
    return GatewayChannel("care", service.url.replace("{port}", str(server.port)), **options)


def send(service: Service, to: GatewayChannel, key: str = KEY) -> None:
    to.deliver_letter(Parcel(f"care:{service.receiver}", "电池 weak battery", LETTER, "<p>html</p>", key))


def test_a_letter_arrives_at_its_receiver_with_its_key(service: Service, server: Gateway) -> None:
    send(service, channel(service, server))
    (got,) = server.got
    assert got.path.rstrip("/") == service.path.rstrip("/")
    assert service.to(got) == service.receiver
    assert got.key == KEY
    said = service.text(got)
    assert "https://care.example/c/t0ken" in said
    assert ("电池" in said) if service.short else ("battery of your lock" in said)
    assert not service.short or len(said) < 160


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(400, {"code": 21211, "message": "The 'To' number +4917012345 is not a valid phone number."}), Refused),
        (Said(422), Refused),
        (Said(401, {"message": "Authenticate"}), Unavailable),
        (Said(403), Unavailable),
        (Said(429, None, {"Retry-After": "120"}), Busy),
        (Said(500), Unavailable),
        (Said(503, None, {"Retry-After": "7"}), Unavailable),
        (Said(302, None, {"Location": "http://127.0.0.1:9/elsewhere"}), Unavailable),
        (RESET, NoAnswer),
    ],
    ids=lambda one: str(one.status) if isinstance(one, Said) and not one.reset else "",
)
def test_an_answer_says_whether_to_send_again(
    service: Service, server: Gateway, said: Said, kind: type[HearthwatchError]
) -> None:
    server.answers.append(said)
    with pytest.raises(kind) as failed:
        send(service, channel(service, server))
    assert len(server.got) == 1, "no plugin tries again by itself, and no redirect is followed"
    assert service.receiver == "-" or service.receiver not in str(failed.value)
    if "Retry-After" in said.headers:
        assert isinstance(failed.value, Unavailable)
        assert failed.value.retry_after == float(said.headers["Retry-After"])
    if kind is Unavailable:
        assert outcome_of(failed.value) == "away"


def test_a_service_that_says_nothing_may_have_taken_the_letter(service: Service, server: Gateway) -> None:
    server.answers.append(SLOW)
    with pytest.raises(NoAnswer):
        send(service, channel(service, server, seconds=0.3))
    server.closing.set()
    send(service, channel(service, server))
    assert len({got.key for got in server.got}) == 1
    assert len(server.kept()) == 1


def test_a_service_that_is_not_there_does_not_have_the_letter(service: Service, server: Gateway) -> None:
    care = channel(service, server)
    for name in ("ntfy", "gotify", "json"):
        if service is SERVICES[name]:
            care = GatewayChannel("care", service.url.replace("{port}", "9"))
            with pytest.raises(Unavailable) as failed:
                send(service, care)
            assert outcome_of(failed.value) == "away"


CODES = [
    ("wecombot", {"errcode": 45009, "errmsg": "api freq out of limit"}, Busy),
    ("wecombot", {"errcode": 93000, "errmsg": "invalid webhook url"}, Unavailable),
    ("wecombot", {"errcode": 45002, "errmsg": "content size out of limit"}, Refused),
    ("wecombot", {"errcode": -1, "errmsg": "system busy"}, Unavailable),
    ("dingtalk", {"errcode": 130101, "errmsg": "send too fast"}, Busy),
    ("dingtalk", {"errcode": 310000, "errmsg": "keywords not in content"}, Unavailable),
    ("feishu", {"code": 11232, "msg": "frequency limited"}, Busy),
    ("feishu", {"code": 19001, "msg": "incoming webhook access token invalid"}, Unavailable),
    ("feishu", {"code": 9499, "msg": "Bad Request"}, Refused),
    ("vonage", {"messages": [{"status": "1", "error-text": "Throttled"}]}, Busy),
    ("vonage", {"messages": [{"status": "4", "error-text": "Bad Credentials"}]}, Unavailable),
    ("vonage", {"messages": [{"status": "7", "error-text": "Number barred"}]}, Refused),
]


@pytest.mark.parametrize(("service", "body", "kind"), [(SERVICES[name], body, kind) for name, body, kind in CODES])
def test_an_answer_of_200_that_says_no_is_no(
    service: Service, server: Gateway, body: Any, kind: type[HearthwatchError]
) -> None:
    server.answers.append(Said(200, body))
    with pytest.raises(kind):
        send(service, channel(service, server))


def test_a_wecom_application_writes_to_one_colleague_by_user_id(monkeypatch: pytest.MonkeyPatch) -> None:
    # https://developer.work.weixin.qq.com/document/path/90236
    from apprise.plugins.wechat import NotifyWeChat

    with gateway(Said(200, {"errcode": 0, "errmsg": "ok", "access_token": "t", "expires_in": 7200})) as server:
        for name in ("token_url", "notify_url"):
            place = getattr(NotifyWeChat, name)
            monkeypatch.setattr(NotifyWeChat, name, place.replace("https://qyapi.weixin.qq.com", server.url))
        care = GatewayChannel("wecom", "wechat://corp:s3cret@1000002/{to}")
        parcel = Parcel("wecom:kim", "电池", LETTER, "", KEY)
        care.deliver_letter(parcel)
        assert server.got[-1].json()["touser"] == "kim"
        assert {got.key for got in server.got} == {KEY}
        server.answers += [server.usual, Said(200, {"errcode": 0, "errmsg": "ok", "invaliduser": "kim"})]
        with pytest.raises(Refused):
            care.deliver_letter(parcel)
