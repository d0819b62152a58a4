"""What services answer, said as what the outbox can do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from alerts.channels.outcomes import Busy, InPart, NoAnswer, NoMatch
from alerts.channels.wire import Exchange
from hearthwatch.errors import Refused, Unavailable

_TOO_MANY = 429
_OF_OURS = frozenset({401, 402, 403, 404, 405, 407, 408, 409, 425})
"""Our account or its URL is wrong, or this passes: the operator can put it right, and no letter is at fault."""
_CODES = ("errcode", "code", "StatusCode")
"""Where services that answer 200 to everything say how it went: WeCom and DingTalk, Feishu and Lark, older Feishu."""
_CODES_BUSY = frozenset({45009, 45033, 130101, 11232, 99991400})
"""WeCom: too many calls, too many at once (developer.work.weixin.qq.com/document/path/90313); DingTalk: too many messages of a robot
(open.dingtalk.com/document/orgapp/custom-robot-access); Feishu: too many messages of a robot or of an app
(open.feishu.cn/document/client-docs/bot-v3/add-custom-bot)."""
_CODES_REFUSED = frozenset({40003, 60111, 81013, 82001, 40058, 44004, 45002, 9499})
"""WeCom: no such user, none of the receivers, a wrong parameter, empty, too long; Feishu: a letter it can not read."""
_VONAGE_BUSY = frozenset({"1"})
_VONAGE_REFUSED = frozenset({"3", "6", "7", "29"})
"""Invalid parameters, message, barred number, number not allowed in a trial
(developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms)."""
CODED = frozenset({"wecombot", "wechat", "dingtalk", "feishu", "lark", "vonage"})
"""Services that say in the body how it went."""


def check_answers(name: str, service: str, exchanges: Sequence[Exchange]) -> None:
    """Raise what the last answer means; its words stay out of the message, because they may hold the receiver."""
    if not exchanges:
        return
    last = exchanges[-1]
    if last.status is None:
        if last.sent:
            raise NoAnswer(f"{name} may have taken the letter, and did not say so ({last.error})")
        raise Unavailable(f"{name} can not be reached ({last.error})")
    if last.status == _TOO_MANY:
        raise Busy(f"{name} answered {last.status}", retry_after=last.retry_after)
    if last.status >= 500 or last.status in _OF_OURS:
        raise Unavailable(f"{name} answered {last.status}", retry_after=last.retry_after)
    if 300 <= last.status < 400:
        raise Unavailable(f"{name} answered {last.status}, and redirects are not followed")
    if last.status >= 400:
        raise Refused(f"{name} answered {last.status}")
    if service in CODED:
        _check_body(name, _body(last))


def check_status(name: str, status: str, exchanges: Sequence[Exchange]) -> None:
    """Raise what Apprise's own result means, where the answers said nothing (`apprise.AppriseResultStatus`)."""
    if status == "SUCCESS":
        return
    if status == "TIMEOUT":
        raise NoAnswer(f"{name} did not answer in time")
    if status == "PARTIAL":
        raise InPart(f"{name} reached some of its receivers")
    if status == "NOMATCH":
        raise NoMatch(f"no service took the letter for {name}")
    if not exchanges:
        raise Refused(f"{name} can not send such a letter, or not to such a receiver")
    raise Unavailable(f"{name} answered {exchanges[-1].status}, and does not have the letter")


def _check_body(name: str, body: Mapping[str, Any]) -> None:
    for field in _CODES:
        code = body.get(field)
        if isinstance(code, int) and not isinstance(code, bool) and code != 0:
            _raise_code(name, code)
    if body.get("invaliduser") or body.get("invalidparty"):
        raise Refused(f"{name} does not know the receiver")
    messages = body.get("messages")
    for one in messages if isinstance(messages, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("status"), str) and one["status"].isdecimal():
            _raise_vonage(name, one["status"])


def _raise_code(name: str, code: int) -> None:
    says = f"{name} answered with code {code}"
    if code in _CODES_BUSY:
        raise Busy(says)
    raise Refused(says) if code in _CODES_REFUSED else Unavailable(says)


def _raise_vonage(name: str, status: str) -> None:
    if status == "0":
        return
    says = f"{name} answered with status {status}"
    if status in _VONAGE_BUSY:
        raise Busy(says)
    raise Refused(says) if status in _VONAGE_REFUSED else Unavailable(says)


def _body(exchange: Exchange) -> Mapping[str, Any]:
    try:
        body = json.loads(exchange.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
