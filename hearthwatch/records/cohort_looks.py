"""Looks of the cohort watch: what was known about a release and a metric at a moment. Append-only, so that a verdict can be retraced."""

from __future__ import annotations

from dataclasses import dataclass

from hearthwatch.records.look_ledger import LookLedger, RecordedLook
from hearthwatch.records.tables import cohort_looks


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortLook(RecordedLook):
    """One look at a release."""

    release_id: int


_LEDGER = LookLedger(cohort_looks, "release_id", CohortLook)

append = _LEDGER.append
list_looks = _LEDGER.list_looks
latest = _LEDGER.latest
