"""Collects what could not be read: counted in full, remembered up to a limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from hearthwatch.history.columns import Mask
from hearthwatch.history.files import BrokenRow, Piece
from hearthwatch.history.values import RejectedRow

KEPT = 100
_SHOWN = 200
Kind = tuple[str, str, str, bool]


class Rejections:
    """What could not be read so far."""

    def __init__(self) -> None:
        self.kept: dict[Kind, list[RejectedRow]] = {}
        self.counts: dict[Kind, int] = {}

    def add(self, piece: Piece, column: str, mask: Mask, reason: str, *, whole: bool) -> None:
        """Reject rows of a piece, or (not ``whole``) their value in one column."""
        indices = np.flatnonzero(mask)
        if len(indices) == 0:
            return
        kind = (piece.file, column, reason, whole)
        kept = self._begin(kind, len(indices))
        for index in indices[: KEPT - len(kept)]:
            value = _shown(piece.columns[column][int(index)])
            kept.append(RejectedRow(piece.file, piece.row(int(index)), column, value, reason, whole))

    def add_broken(self, file: str, rows: Sequence[BrokenRow]) -> None:
        """Reject rows with a wrong number of cells."""
        for one in rows:
            reason = f"has {one.actual} cells, not {one.expected}"
            kept = self._begin((file, "", reason, True), 1)
            if len(kept) < KEPT:
                kept.append(RejectedRow(file, one.row, "", one.text[:_SHOWN], reason))

    @property
    def rows(self) -> int:
        """How many rows were lost whole."""
        return sum(count for (*_, whole), count in self.counts.items() if whole)

    @property
    def values(self) -> int:
        """How many single values were left out."""
        return sum(count for (*_, whole), count in self.counts.items() if not whole)

    def all(self) -> list[RejectedRow]:
        """Every kind's first rows, then one entry for those beyond the limit."""
        found = []
        for kind, kept in self.kept.items():
            found.extend(kept)
            more = self.counts[kind] - len(kept)
            if more:
                file, column, reason, whole = kind
                found.append(RejectedRow(file, None, column, "", reason, whole, rows=more))
        return found

    def take_in(self, other: Rejections) -> None:
        """Add what another collection holds."""
        for kind, count in other.counts.items():
            kept = self._begin(kind, count)
            kept.extend(other.kept[kind][: KEPT - len(kept)])

    def _begin(self, kind: Kind, rows: int) -> list[RejectedRow]:
        self.counts[kind] = self.counts.get(kind, 0) + rows
        return self.kept.setdefault(kind, [])


def _shown(value: pa.Scalar) -> str:
    plain = value.as_py()
    text = plain.decode(errors="replace") if isinstance(plain, bytes) else "" if plain is None else str(plain)
    return text[:_SHOWN]
