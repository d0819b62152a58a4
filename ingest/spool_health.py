"""What the health of an ingestor says of its spool."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ingest.spool import SpoolBounds, SpoolState


def told(state: SpoolState, bounds: SpoolBounds, now: datetime) -> dict[str, Any]:
    """How a spool is, and in words what is wrong with it: it is full, its oldest message is too old, something of it was damaged.

    What was damaged once is no reason to say that the ingestor does not work now.
    """
    age = None if state.oldest_at is None else max(0.0, (now - state.oldest_at).total_seconds())
    too_old = age is not None and age > bounds.max_age.total_seconds()
    reasons = [state.full] if state.full else []
    if too_old:
        reasons.append(f"the oldest message has waited longer than {bounds.max_age} (spool_max_age_s)")
    if state.damaged_bytes:
        reasons.append(f"{state.damaged_bytes:,} bytes of damaged segments were set aside")
    return {
        "ok": not state.full and not too_old,
        "messages": state.messages,
        "records": state.records,
        "bytes": state.bytes,
        "oldest_age_s": age,
        "damaged_bytes": state.damaged_bytes,
        "says": "; ".join(reasons) or None,
    }
