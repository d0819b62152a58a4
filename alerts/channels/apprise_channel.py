"""The Apprise channel: mail, messengers and team chats by Apprise URL. The one importer of that library.

Apprise tells only that a service failed, not why: a failure is retried, and given up by the delivery loop in the end. What no plugin can
parse is refused at once. Its own log lines hold addresses, so they are kept out of ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from urllib.parse import quote

import apprise

from alerts.channels.addresses import APPRISE, APPRISE_SCHEMES, scheme
from hearthwatch.errors import Refused, Unavailable

SECONDS = 30
MAIL = frozenset({"mailto", "mailtos"})
_BARE_MAIL = re.compile(r"mailtos?:(?://)?([^\s/?&:@]+@[^\s/?&:@]+)")


class AppriseChannel:
    """Delivers to one Apprise URL whose scheme is on the list.

    ``mail_through`` is the maker's mail server as an Apprise URL (``mailtos://user:password@smtp.example.com?from=care@example.com``);
    addresses like ``mailto:kim@example.com`` leave through it, and are refused without it; other mail URLs are refused with it.
    """

    name = APPRISE

    def __init__(self, *, schemes: Collection[str] = APPRISE_SCHEMES, mail_through: str = "") -> None:
        self._schemes = frozenset(schemes)
        self._mail_through = mail_through
        logging.getLogger("apprise").setLevel(logging.CRITICAL)

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Send one letter; ``key`` travels as the header ``Idempotency-Key`` where the service has headers.

        Raises `Refused` for an address no plugin serves, `Unavailable` when the service failed or was too slow.
        """
        if scheme(address) not in self._schemes:
            raise Refused(f"letters do not leave by {scheme(address)}:")
        service = apprise.Apprise.instantiate(self._complete(address), suppress_exceptions=True)
        if service is None:
            raise Refused(f"not an address {scheme(address)}: can use")
        headers = getattr(service, "headers", None)
        if isinstance(headers, dict):
            headers["Idempotency-Key"] = key
        as_html = scheme(address) in MAIL and bool(html)
        sender = apprise.Apprise()
        sender.add(service)
        with sender.notify(
            body=html if as_html else text,
            title=subject,
            body_format=apprise.NotifyFormat.HTML if as_html else apprise.NotifyFormat.TEXT,
            timeout=SECONDS,
        ) as result:
            _check(result.status, scheme(address))

    def _complete(self, address: str) -> str:
        """The address with the maker's mail server in it, where it is one of mail."""
        if scheme(address) not in MAIL:
            return address
        bare = _BARE_MAIL.fullmatch(address.strip())
        if bare is None:
            if self._mail_through:
                raise Refused("not a plain mail address")
            return address  # an Apprise URL with a server of its own
        if not self._mail_through:
            raise Refused("no mail server is configured")
        separator = "&" if "?" in self._mail_through else "?"
        return f"{self._mail_through}{separator}to={quote(bare.group(1), safe='@')}"


def _check(status: apprise.AppriseResultStatus, name: str) -> None:
    if status == apprise.AppriseResultStatus.NOMATCH:
        raise Refused(f"no service took the letter for {name}:")
    if status != apprise.AppriseResultStatus.SUCCESS:
        raise Unavailable(f"{name}: answered {status.name.lower()}")
