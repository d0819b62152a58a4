"""How the staff pages write times, shares and states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.pages.language import Speaker
from hearthwatch.anomaly_words import anomaly_sentence
from hearthwatch.failure_modes import LIVENESS_MODES, MODES, UNUSUAL
from hearthwatch.metrics import BY_NAME
from hearthwatch.reason_words import is_worded, sentence

COLORS = {
    "critical": "negative",
    "warning": "warning",
    "info": "grey-7",
    "open": "negative",
    "acknowledged": "primary",
    "expected": "grey-7",
    "recovered": "positive",
    "assigned": "primary",
    "in_progress": "primary",
    "scheduled": "primary",
    "waiting": "warning",
    "closed": "grey-7",
    "worse": "negative",
    "better": "positive",
    "same": "positive",
    "too_early": "grey-7",
    "confounded": "warning",
    "rolling": "primary",
    "paused": "warning",
    "complete": "positive",
    "withdrawn": "negative",
    "sent": "positive",
    "queued": "primary",
    "held": "warning",
    "observed": "grey-7",
    "failed": "negative",
    "suppressed": "grey-7",
    "cancelled": "grey-7",
    "online": "positive",
    "offline": "negative",
    "asleep": "primary",
    "late": "warning",
    "flapping": "warning",
    "unknown": "grey-7",
}


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return at.strftime("%Y-%m-%d\N{NO-BREAK SPACE}%H:%M") if at else "–"


def day(at: datetime | None) -> str:
    """A date in UTC."""
    return at.strftime("%Y-%m-%d") if at else "–"


def since(say: Speaker, at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that says enough."""
    if at is None:
        return say("never")
    passed = now - at
    if passed < timedelta(minutes=2):
        return say("just now")
    if passed < timedelta(hours=2):
        return say("{count} min ago", count=passed // timedelta(minutes=1))
    if passed < timedelta(days=2):
        return say("{count} h ago", count=passed // timedelta(hours=1))
    return say("{count} d ago", count=passed // timedelta(days=1))


def share(value: float | None, digits: int = 1) -> str:
    """A share as per cent."""
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 2) -> str:
    """A number with few digits."""
    return "–" if value is None else f"{value:,.{digits}f}"


def evidence(e: float) -> str:
    """An e-value: three digits, large ones as a power of ten."""
    if e <= 0:
        return "none"
    return f"{e:,.0f}" if 100 <= e < 1e5 else f"{e:.3g}".replace("e+0", "e").replace("e+", "e")


def mode(name: str) -> str:
    """A failure mode in words."""
    known = MODES.get(name) or LIVENESS_MODES.get(name) or (UNUSUAL if name == UNUSUAL.id else None)
    return name.replace("_", " ") if known is None else known.meaning.rstrip(".")


def metric(say: Speaker, name: str) -> str:
    """A metric with its unit."""
    known = BY_NAME.get(name)
    return f"{name} [{say.word(known.unit)}]" if known else name


def reasons(evidence: Mapping[str, Any], *, brief: bool = False, language: str = "en") -> Sequence[str]:
    """The reasons of a finding's evidence as sentences, a prognosis' in the reader's language; without their numbers where brief."""
    return [_reason(reason, brief, language) for reason in evidence.get("reasons", ())]


def _reason(reason: Any, brief: bool, language: str) -> str:
    if not isinstance(reason, Mapping):
        return str(reason)
    if is_worded(reason):
        value = dict(reason.get("values") or {}).get("value")
        return sentence(reason, language) + (f" ({value})" if value and not brief else "")
    if (told := anomaly_sentence(reason, language, brief=brief)) is not None:
        return told
    if brief and reason.get("text"):
        return str(reason["text"])
    values = ", ".join(f"{name} {_short(value)}" for name, value in dict(reason.get("values") or {}).items())
    text = str(reason.get("text") or reason.get("text_key") or "").replace("_", " ")
    return f"{text}: {values}" if values else text


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
