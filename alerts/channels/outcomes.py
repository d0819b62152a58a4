"""What a channel says when a letter did not arrive for certain, finer than `Unavailable`: the delivery loop treats each in its own way.

`Unavailable` itself says that the provider can not be reached or failed; `Refused` that this letter never will arrive.
"""

from __future__ import annotations

from hearthwatch.errors import Refused, Throttled, Unavailable


class NoAnswer(Unavailable):
    """The provider did not answer in time, or hung up before it did: the letter may have arrived. Sent again under the same key."""


class Busy(Unavailable):
    """The provider asks to wait, for ``retry_after`` seconds where it says so: too many letters."""


class TryLater(Unavailable):
    """This receiver is to be tried later; the provider itself does well."""


class InPart(Unavailable):
    """Some of several receivers behind one address got it. Sent again under the same key."""


class NoMatch(Unavailable):
    """No channel serves the address: the settings are wrong, and a person has to know."""


def outcome_of(error: Exception) -> str:
    """The word that the ledger of attempts keeps."""
    for kind, word in _WORDS:
        if isinstance(error, kind):
            return word
    return "broken"


def is_of_provider(outcome: str) -> bool:
    """Whether an outcome says something about the provider, and not about one letter or receiver."""
    return outcome in {"away", "busy", "timeout"}


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (NoAnswer, "timeout"),
    (TryLater, "later"),
    (InPart, "partial"),
    (NoMatch, "nomatch"),
    (Busy, "busy"),
    (Throttled, "busy"),
    (Unavailable, "away"),
    (Refused, "refused"),
)
