"""What a check of the doctor says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from hearthwatch.errors import HearthwatchError

Level = Literal["ok", "advice", "no"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, what it says, and what to do about it (empty when well).

    ``advice`` is no reason to say that the installation is unfit; ``no`` is.
    """

    name: str
    level: Level
    says: str
    remedy: str = ""

    def row(self) -> dict[str, Any]:
        """As `doctor --json` prints it."""
        return {
            "name": self.name, "ok": self.level != "no", "level": self.level, "says": self.says, "remedy": self.remedy,
        }  # fmt: skip


def well(name: str, says: str) -> Check:
    """All is well."""
    return Check(name, "ok", says)


def advice(name: str, says: str, remedy: str) -> Check:
    """It works; better is possible."""
    return Check(name, "advice", says, remedy)


def unfit(name: str, says: str, remedy: str) -> Check:
    """It does not work, or would lose something."""
    return Check(name, "no", says, remedy)


def guarded(name: str, checks: Callable[[], Iterable[Check]], remedy: str) -> Iterator[Check]:
    """The checks of one thing; when it cannot be examined at all, that is the answer, and what was known before stays."""
    try:
        yield from checks()
    except HearthwatchError as error:
        yield unfit(name, str(error), remedy)
    except OSError as error:
        yield unfit(name, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", remedy)
