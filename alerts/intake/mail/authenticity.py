"""Whether a mail certainly comes from the address it names: by the word of our own mail server alone (RFC 8601, RFC 7489).

Servers take out such headers that come from outside under their own name; only the topmost is looked at, for one that came in below it
was written before the mail reached us.
"""

from __future__ import annotations

import re

from alerts.intake.mail.parsing import Mail

_PASSED = re.compile(r"(?:^|;|\s)dmarc\s*=\s*pass\b", re.IGNORECASE)


def is_authentic(mail: Mail, server: str) -> bool:
    """Whether ``server`` (its authserv-id, as the settings name it; empty: none is trusted) found that DMARC passes for the sender."""
    said = mail.fields.get("authentication-results", "")
    name = said.split(";", 1)[0].split()
    return bool(server and name and name[0].lower() == server.lower() and _PASSED.search(said))
