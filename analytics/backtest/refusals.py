"""Figures that are not given, because there is too little to judge them by, each with what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hearthwatch.errors import Invalid


@dataclass(frozen=True, slots=True)
class Refusal:
    """``figure`` names the keys of the report that are null; ``why`` says it in words, ``missing`` what would have to be there.

    ``where`` is the option or the part of the mapping that could change it.
    """

    figure: str
    why: str
    missing: str
    where: str | None = None

    def as_json(self) -> Mapping[str, Any]:
        """The refusal as a JSON object."""
        return {key: value for key, value in asdict(self).items() if key != "where"}


class TooLittle(Invalid):
    """There is too little to say anything about how well failures are foretold. ``report`` holds what can be said nevertheless."""

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        refused: Sequence[Refusal] = (),
        report: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, where=where)
        self.refused = tuple(refused)
        self.report = report

    @classmethod
    def of(cls, refused: Sequence[Refusal]) -> TooLittle:
        """The error of some refusals; its message is the first one's."""
        return cls(refused[0].why, where=refused[0].where, refused=refused)
