"""Encryption of a connection."""

from __future__ import annotations

import ssl
from typing import Any

from hearthwatch.errors import Invalid


class TlsContext(ssl.SSLContext):
    """Trusts the system's authorities, or those of a file; checks host names.

    It remembers the socket it made, because paho does not close one whose handshake failed.
    """

    made: ssl.SSLSocket | None = None

    @classmethod
    def trusting(cls, authorities: str | None) -> TlsContext:
        """A context for clients. Raises `Invalid` when the file cannot be read."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if authorities is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(cafile=authorities)
        except OSError as error:
            raise Invalid(f"cannot read the authorities in {authorities}: {error}", where="broker") from None
        return context

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As the standard library does it."""
        self.made = super().wrap_socket(*arguments, **options)
        return self.made
