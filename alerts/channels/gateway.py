"""Channels of the settings: SMS gateways, messengers, push services and webhooks, by Apprise URL. The one importer of that library.

A URL holds the account and, as ``{to}``, the place of the receiver: ``twilio://SID:TOKEN@+15551230000/{to}``. Without ``{to}`` there is one
fixed receiver, such as a team's chat. Apprise's own log lines hold addresses, so they are kept out of ours.
"""

from __future__ import annotations

import logging
from urllib.parse import quote, urlsplit

import apprise

from alerts.channels.addresses import NAME, TAKEN, receiver_of, scheme
from alerts.channels.answers import check_answers, check_status
from alerts.channels.outcomes import NoMatch
from alerts.channels.parcels import Parcel
from alerts.channels.wire import watched
from hearthwatch.errors import Invalid, Refused

SECONDS = 15.0
CONNECT_SECONDS = 5.0
SCHEMES = frozenset(
    {
        "twilio", "sinch", "vonage", "seven", "clicksend", "msgbird", "infobip", "46elks", "bulksms", "plivo", "telnyx", "sns",
        "whatsapp", "signal", "signals", "tgram", "wechat", "wecombot", "dingtalk", "feishu", "lark", "slack", "discord", "matrix",
        "matrixs", "rocket", "rockets", "mmost", "mmosts", "gchat", "ntfy", "ntfys", "pover", "gotify", "gotifys", "pagerduty",
        "opsgenie", "sendgrid", "mailgun", "brevo", "postmark", "json", "jsons", "form", "forms",
    }
)  # fmt: skip
"""Apprise schemes that a channel may have. Left out on purpose: whatever runs programs, writes to this machine or its screen."""
TO = "{to}"
_SHORT = 600
"""Characters of a message from which on a whole letter is sent; services that take less get it in short."""


class GatewayChannel:
    """Delivers to ``NAME:receiver`` by the service that the settings give to that name."""

    def __init__(self, name: str, url: str, *, seconds: float = SECONDS) -> None:
        """Raises `Invalid` for a name or a URL that can not be one; what it says holds nothing of the URL."""
        self._name = name
        self._url = url.strip()
        self._seconds = seconds
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        _check_settings(name, self._url)

    @property
    def name(self) -> str:
        """Its name in the settings and in the outbox."""
        return self._name

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """As `deliver_letter`, for a letter that is no more than its texts."""
        self.deliver_letter(Parcel(address, subject, text, html, key))

    def deliver_letter(self, parcel: Parcel) -> None:
        """Send one letter; its key travels as the header ``Idempotency-Key``.

        Raises `Refused` for a receiver the service can not have or does not want, `Busy` or `Unavailable` where it failed, `NoAnswer` where
        it may have taken the letter, `InPart` and `NoMatch` as Apprise says.
        """
        receiver = receiver_of(parcel.address) if scheme(parcel.address) == self._name else None
        if receiver is None:
            raise Refused(f"not an address of {self._name}")
        service = _service(self._url.replace(TO, quote(receiver, safe="")))
        if service is None:
            raise Refused(f"{self._name} can not write to such a receiver")
        short = service.body_maxlen < _SHORT
        as_html = service.notify_format == apprise.NotifyFormat.HTML and bool(parcel.html)
        sender = apprise.Apprise()
        if not sender.add(service):
            raise NoMatch(f"no service took the letter for {self._name}")
        with (
            watched(service, parcel.key) as letter,
            sender.notify(
                body=parcel.in_short if short else parcel.html if as_html else parcel.text,
                title="" if short else parcel.subject,
                body_format=apprise.NotifyFormat.HTML if as_html else apprise.NotifyFormat.TEXT,
                timeout=self._seconds,
            ) as result,
        ):
            status = result.status.name
        check_answers(self._name, scheme(self._url), letter.exchanges)
        check_status(self._name, status, letter.exchanges)


def _service(url: str) -> apprise.NotifyBase | None:
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is not None:
        service.socket_connect_timeout = CONNECT_SECONDS
        service.socket_read_timeout = SECONDS
        service.redirects = False
        service.retry = 0  # the outbox tries again, under its own pauses,
        service.request_rate_per_sec = 0  # and waits where a service asks it to
    return service


def _check_settings(name: str, url: str) -> None:
    where = f"channels.{name}"
    if NAME.fullmatch(name) is None or name in TAKEN:
        raise Invalid("a channel is named by small letters, digits, - and _, and not like one there is", where=where)
    if scheme(url) not in SCHEMES:
        raise Invalid(f"no channel leaves by {scheme(url)[:20]}:, only by {', '.join(sorted(SCHEMES))}", where=where)
    try:
        host = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        raise Invalid("its URL can not be read", where=where) from None
    if TO in host:
        raise Invalid("{to} can not stand where the host does; put it into the path, or say ?to={to}", where=where)
    if all(_service(url.replace(TO, sample)) is None for sample in _SAMPLES):
        raise Invalid("Apprise can not read its URL; see docs/delivery.md for the form of each service", where=where)


_SAMPLES = ("%2B4917012345678", "kim", "kim%40example.org", "u" * 30)
"""A receiver of each form: a number, a name, a mail address, a key."""
