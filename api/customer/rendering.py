"""The customer's page put together: a headline, what its sections show, and a page that says sorry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from api.customer.look import Look, phrase
from api.customer.sections import LETTERS, SAID, headline, on_page
from api.customer.speech import Speech, own_names
from api.errors import status_of
from api.templating import page
from hearthwatch.errors import HearthwatchError, Missing, Unavailable
from hearthwatch.settings import Settings

GONE = phrase("This link is no longer valid")
GONE_NOTE = phrase(
    "It has run out, was withdrawn, or the device is somebody else's now. A newer letter holds a newer link."
)
CODE_GONE = phrase("This code is no longer valid")
CODE_GONE_NOTE = phrase(
    "It was replaced or withdrawn, or it was not read whole. Please scan it once more, or get in touch with us."
)
AWAY = phrase("The page is away for a moment")
AWAY_NOTE = phrase("Please try again in a few minutes.")


def rendered(look: Look, nonce: str, *, problem: str = "", status: int = 200) -> Response:
    """The page of a link. ``problem`` is the sentence that says why a button did nothing."""
    say = look.say
    parts = [(section.name, shown) for section in on_page(look) if (shown := section.show(look)) is not None]
    parts.sort(key=_place)
    return page(
        "customer.html",
        status=status,
        say=say,
        look=look,
        headline=headline(look),
        parts=parts,
        nonce=nonce,
        form=look.address(),
        done=say(SAID.get(look.query.get("said", ""), "")) if not problem else "",
        problem=say("That did not work. {reason}", reason=say(problem)) if problem else "",
        languages=_languages(look),
        **maker(look.settings),
    )


def _place(part: tuple[str, Mapping[str, Any]]) -> int:
    """What the letter says comes first, then what we ask, then the rest in its order."""
    name, shown = part
    return 0 if name in LETTERS else 1 if shown.get("asks") else 2


def _languages(look: Look) -> list[tuple[str, str, str]]:
    """Each language as its name, its own word for itself, and the address of this page in it."""
    return [(name, own, f"{look.path}?lang={name}") for name, own in own_names().items()]


def sorry(say: Speech, settings: Settings, error: HearthwatchError, *, of_code: bool = False) -> Response:
    """A link (or a device's code) that is not good, for whatever reason, looks the same to everybody; a store that is away says so."""
    gone, gone_note = (CODE_GONE, CODE_GONE_NOTE) if of_code else (GONE, GONE_NOTE)
    away = isinstance(error, Unavailable)
    return page(
        "customer_note.html",
        status=status_of(error) if away else status_of(Missing("")),
        say=say,
        title=say(AWAY if away else gone),
        note=say(AWAY_NOTE if away else gone_note),
        languages=[(name, own, f"?lang={name}") for name, own in own_names().items()],
        **maker(settings),
    )


def note(say: Speech, settings: Settings, title: str, text: str) -> Response:
    """A page of two sentences, given in English."""
    return page("customer_note.html", say=say, title=say(title), note=say(text), languages=(), **maker(settings))


def maker(settings: Settings) -> dict[str, Any]:
    """What every page for customers says of the maker."""
    privacy = settings.brand_privacy_url
    return {
        "brand": settings.brand_name,
        "phone": settings.brand_phone,
        "call": re.sub(r"[^0-9+]", "", settings.brand_phone),
        "privacy": privacy if privacy.startswith(("https://", "http://")) else "",
    }
