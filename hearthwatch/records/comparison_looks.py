"""Looks of standing comparisons. Append-only, as the looks at releases are."""

from __future__ import annotations

from dataclasses import dataclass

from hearthwatch.records.look_ledger import LookLedger, RecordedLook
from hearthwatch.records.tables import comparison_looks


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonLook(RecordedLook):
    """One look at a standing comparison."""

    comparison_id: int


_LEDGER = LookLedger(comparison_looks, "comparison_id", ComparisonLook)

append = _LEDGER.append
list_looks = _LEDGER.list_looks
latest = _LEDGER.latest
