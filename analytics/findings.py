"""The end of findings: what nobody has seen for a while is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hearthwatch.records import findings
from hearthwatch.records.database import Database


def recover_findings(database: Database, now: datetime, *, quiet: timedelta) -> dict[str, Any]:
    """Recover findings not seen for ``quiet``, of the kinds that recover by silence."""
    with database.transaction() as connection:
        recovered = findings.recover(connection, now, quiet=quiet)
    return {"recovered": len(recovered)}
